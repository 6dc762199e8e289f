//! What counts as the same structure: the normal form of a schema.

use serde_json::{Map, Value, json};

/// The schema without what says nothing about which messages it accepts, and with every reference resolved.
///
/// 1. References are replaced by what they lead to; there are no cycles. `$defs` and their names go.
/// 2. Annotations go, but `default` and `examples`, which name empty defaults and registered names, stay.
/// 3. The member that serde's internal tagging puts beside a reference moves into the object it tags.
/// 4. `oneOf` of constant strings, which is how an enum with documented variants is derived, becomes `enum`.
/// 5. `required` and lists of types are sorted, and numbers compare as numbers.
pub fn normalise(schema: &Value) -> Value {
    part(schema, schema)
}

const ANNOTATIONS: [&str; 6] = ["$schema", "$id", "$defs", "title", "description", "format"];

fn part(root: &Value, value: &Value) -> Value {
    match value {
        Value::Object(members) => object(root, members),
        Value::Array(items) => items.iter().map(|item| part(root, item)).collect(),
        // 5: 0 and 0.0 are the same bound.
        Value::Number(number) => number.as_f64().map_or(value.clone(), |number| json!(number)),
        other => other.clone(),
    }
}

fn object(root: &Value, members: &Map<String, Value>) -> Value {
    let mut normal = Map::new();
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        let target = target.unwrap_or_else(|| panic!("{reference} leads nowhere"));
        if let Value::Object(target) = part(root, target) {
            normal = target;
        }
    }
    for (keyword, value) in members {
        if keyword == "$ref" || ANNOTATIONS.contains(&keyword.as_str()) {
            continue;
        }
        let value = match keyword.as_str() {
            "properties" => merge(properties(root, value), normal.remove("properties")),
            "required" => sorted(join(value.clone(), normal.remove("required"))),
            "type" => sorted(value.clone()),
            _ => part(root, value),
        };
        normal.insert(keyword.clone(), value);
    }
    if let Some(names) = constants(&normal) {
        normal.remove("oneOf");
        normal.insert("enum".into(), names);
        normal.insert("type".into(), "string".into());
    }
    // The order of members says nothing, except that a reader compares two texts more easily.
    normal.sort_keys();
    Value::Object(normal)
}

/// The names of properties are no keywords.
fn properties(root: &Value, value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten();
    Value::Object(members.map(|(name, schema)| (name.clone(), part(root, schema))).collect())
}

/// 3: the members of both.
fn merge(mut properties: Value, others: Option<Value>) -> Value {
    if let Value::Object(properties) = &mut properties {
        if let Some(Value::Object(others)) = others {
            properties.extend(others);
        }
        properties.sort_keys();
    }
    properties
}

fn join(mut names: Value, others: Option<Value>) -> Value {
    if let (Value::Array(names), Some(Value::Array(others))) = (&mut names, others) {
        names.extend(others);
    }
    names
}

fn sorted(mut names: Value) -> Value {
    if let Value::Array(names) = &mut names {
        names.sort_by_key(ToString::to_string);
    }
    names
}

/// 4: the constants, if there is a `oneOf` and all its branches are constant strings.
fn constants(schema: &Map<String, Value>) -> Option<Value> {
    schema.get("oneOf")?.as_array()?.iter().map(|branch| branch.get("const").cloned()).collect()
}
