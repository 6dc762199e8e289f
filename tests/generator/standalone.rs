//! Stand-alone schemas of single messages, cut out of the normative one.

use serde_json::{Map, Value};

/// `{name of the message type: its schema}` for every branch of the root.
pub fn standalone(schema: &Value) -> Vec<(String, Value)> {
    let branches = schema["oneOf"].as_array().into_iter().flatten();
    branches.filter_map(|branch| cut(schema, definition(branch)?)).collect()
}

fn cut(schema: &Value, name: &str) -> Option<(String, Value)> {
    let message = schema["$defs"][name].as_object()?;
    let kind = message["properties"]["type"]["const"].as_str()?;
    let mut reached = Vec::new();
    reach(schema, &Value::Object(message.clone()), &mut reached);
    let mut root = Map::new();
    root.insert("$schema".into(), schema["$schema"].clone());
    root.insert("$id".into(), format!("{}:{kind}", schema["$id"].as_str()?).into());
    root.extend(message.clone());
    // In the order of the schema, not in that of discovery.
    let defs = schema["$defs"].as_object()?.iter().filter(|(name, _)| reached.contains(*name));
    root.insert("$defs".into(), defs.map(|(name, def)| (name.clone(), def.clone())).collect());
    Some((kind.to_owned(), Value::Object(root)))
}

/// Collects the names of the definitions that `part` needs.
fn reach(schema: &Value, part: &Value, reached: &mut Vec<String>) {
    if let Some(name) = definition(part).filter(|name| !reached.iter().any(|known| known == name)) {
        reached.push(name.to_owned());
        reach(schema, &schema["$defs"][name], reached);
    }
    match part {
        Value::Object(members) => members.values().for_each(|value| reach(schema, value, reached)),
        Value::Array(items) => items.iter().for_each(|value| reach(schema, value, reached)),
        _ => {}
    }
}

fn definition(part: &Value) -> Option<&str> {
    part.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}
