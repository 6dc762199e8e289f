//! The conversations in the specification are rendered from the golden transcripts.
//!
//! A block opened by a fence with the info string `transcript some/id` holds the wire steps of that transcript, one a
//! line. `UPDATE=1 cargo test --test suite spec_examples` rewrites them; without it a difference fails.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::traceability::{files, read, root, spec_files, transcripts, updating};

const FENCE: &str = "```transcript ";

/// Renders every transcript fence of a chapter anew.
fn with_examples(text: &str, transcripts: &BTreeMap<String, Value>) -> Result<String, String> {
    let mut page = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        page += line;
        page.push('\n');
        if let Some(id) = line.strip_prefix(FENCE) {
            let at = number + 1;
            let transcript = transcripts.get(id).ok_or_else(|| format!("line {at}: no transcript {id:?}"))?;
            page += &conversation(transcript).map_err(|e| format!("line {at}: {id}: {e}"))?;
            lines
                .find(|(_, l)| *l == "```")
                .ok_or_else(|| format!("line {at}: the block of {id:?} is not closed"))?;
            page += "```\n";
        }
    }
    Ok(page)
}

/// The wire steps of a transcript, one a line.
fn conversation(transcript: &Value) -> Result<String, String> {
    let nothing = Map::new();
    let vars = transcript["vars"].as_object().unwrap_or(&nothing);
    let mut text = String::new();
    for step in transcript["steps"].as_array().ok_or("it has no steps")? {
        if step["from"].is_string() {
            wire_step(step, vars, "", &mut text)?;
        }
    }
    Ok(text)
}

fn wire_step(step: &Value, vars: &Map<String, Value>, indent: &str, text: &mut String) -> Result<(), String> {
    let from = step["from"].as_str().ok_or("a step without from")?;
    let on = step["on"].as_str().ok_or("a step without on")?;
    let to = if from == "arbiter" { "client" } else { "arbiter" };
    let pause = step["after_ms"].as_u64().map_or(String::new(), |ms| format!("({ms} ms later) "));
    *text += &format!("{indent}{on} {from} ");
    if let Some(message) = step.get("msg") {
        *text += &format!("→ {to} {pause}{}\n", template(message, vars));
    } else if let Some(raw) = step["raw"].as_str() {
        *text += &format!("→ {to} {pause}{}{}\n", bytes(raw)?, padding(&step["pad"]));
    } else if step["close"] == true {
        *text += &format!("{pause}closes\n");
    } else if let Some(ms) = step["quiet_ms"].as_u64() {
        *text += &format!("says nothing for {ms} ms\n");
    } else if let Some(inner) = step["unordered"].as_array() {
        *text += &format!("→ {to}, in any order:\n");
        for step in inner {
            wire_step(step, vars, "   ", text)?;
        }
    } else {
        return Err(format!("a step of an unknown kind: {step}"));
    }
    Ok(())
}

/// A template as JSON text: `‹id›` stands for a value that is not laid down, `…` for further members.
fn template(value: &Value, vars: &Map<String, Value>) -> String {
    match value {
        Value::Object(object) => {
            let only = object.iter().next().filter(|_| object.len() == 1);
            match only.map(|(name, inner)| (name.as_str(), inner)) {
                Some(("$var", name)) => {
                    let name = name.as_str().unwrap_or_default();
                    vars.get(name).map_or_else(|| format!("‹{name}›"), Value::to_string)
                }
                Some(("$any", _)) => "‹any›".into(),
                Some(("$like", example)) => format!("‹{}›", kind(example)),
                Some(("$opt", inner)) => template(inner, vars),
                Some(("$open", Value::Object(inner))) => members(inner, vars, true),
                Some(("$lit", inner)) => inner.to_string(),
                _ => members(object, vars, false),
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|i| template(i, vars)).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn members(object: &Map<String, Value>, vars: &Map<String, Value>, open: bool) -> String {
    let member = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), template(value, vars));
    let mut members: Vec<String> = object.iter().map(member).collect();
    if open {
        members.push("…".into());
    }
    format!("{{{}}}", members.join(","))
}

/// Bytes as hex, in pairs; a whole frame as its header in hex and its payload as text.
fn bytes(hex: &str) -> Result<String, String> {
    let pairs: Vec<&str> = (0..hex.len()).step_by(2).filter_map(|i| hex.get(i..i + 2)).collect();
    let byte = |pair: &&str| u8::from_str_radix(pair, 16);
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Result<_, _>>().map_err(|_| "raw is not hex")?;
    if let Some((header, payload)) = bytes.split_first_chunk::<4>() {
        let printable = std::str::from_utf8(payload).ok().filter(|t| !t.contains(char::is_control));
        if let Some(text) = printable.filter(|t| t.len() as u64 == u64::from(u32::from_be_bytes(*header)))
            && !text.is_empty()
        {
            return Ok(format!("{} {text}", pairs[..4].join(" ")));
        }
    }
    const SHOWN: usize = 32;
    if pairs.len() <= SHOWN {
        return Ok(pairs.join(" "));
    }
    Ok(format!("{} … ({} bytes)", pairs[..SHOWN].join(" "), pairs.len()))
}

fn padding(pad: &Value) -> String {
    match (pad["byte"].as_u64(), pad["count"].as_u64()) {
        (Some(byte), Some(count)) => format!(" + {count} × {byte:02x}"),
        _ => String::new(),
    }
}

fn golden() -> BTreeMap<String, Value> {
    let id = |t: &Value| t["id"].as_str().unwrap_or_default().to_owned();
    transcripts().into_iter().map(|(_, t)| (id(&t), t)).collect()
}

#[test]
fn examples_are_the_transcripts() {
    let _files = spec_files();
    let golden = golden();
    for path in files(&root().join("spec"), "md") {
        let text = read(&path);
        let rendered = with_examples(&text, &golden).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if updating() {
            if rendered != text {
                std::fs::write(&path, rendered).expect("a writable file");
            }
        } else {
            similar_asserts::assert_eq!(text, rendered, "{}: UPDATE=1 rewrites it", path.display());
        }
    }
}

fn sample() -> Value {
    json!({
        "vars": {"id": "id-1"},
        "steps": [
            {"on": "c1", "call": {"method": "execute"}},
            {"on": "c1", "from": "client", "msg": {"type": "request", "id": {"$var": "id"}, "args": [{"$any": 1}]}},
            {"on": "c1", "from": "arbiter", "within_ms": 100, "msg": {"type": "error", "id": {"$var": "new"},
                "error": {"$open": {"message": {"$like": "why"}, "details": {"$opt": {}}}}, "data": {"$lit": {"$var": 1}}}},
            {"on": "c1", "from": "arbiter", "unordered": [
                {"on": "c1", "from": "arbiter", "msg": {"type": "end"}},
                {"on": "c1", "from": "arbiter", "msg": {"type": "end", "id": "é"}}]},
            {"on": "c2", "from": "client", "after_ms": 50, "raw": "000000027b7d"},
            {"on": "c2", "from": "client", "raw": "0000ffff", "pad": {"byte": 32, "count": 9}},
            {"on": "c2", "from": "client", "raw": "00".repeat(40)},
            {"on": "c2", "from": "arbiter", "quiet_ms": 200},
            {"on": "c2", "from": "arbiter", "close": true}
        ]
    })
}

#[test]
fn a_step_is_one_line() {
    let zeros = ["00"; 32].join(" ");
    let expected = format!(
        r#"c1 client → arbiter {{"type":"request","id":"id-1","args":[‹any›]}}
c1 arbiter → client {{"type":"error","id":‹new›,"error":{{"message":‹string›,"details":{{}},…}},"data":{{"$var":1}}}}
c1 arbiter → client, in any order:
   c1 arbiter → client {{"type":"end"}}
   c1 arbiter → client {{"type":"end","id":"é"}}
c2 client → arbiter (50 ms later) 00 00 00 02 {{}}
c2 client → arbiter 00 00 ff ff + 9 × 20
c2 client → arbiter {zeros} … (40 bytes)
c2 arbiter says nothing for 200 ms
c2 arbiter closes
"#
    );
    similar_asserts::assert_eq!(conversation(&sample()).expect("a rendering"), expected);
    let strange = json!({"steps": [{"on": "c1", "from": "client", "shout": 1}]});
    assert!(conversation(&strange).expect_err("an unknown step").contains("unknown kind"));
    assert!(conversation(&json!({"steps": [{"on": "c1", "from": "client", "raw": "0g"}]})).is_err());
}

#[test]
fn fences_are_rewritten_and_checked() {
    let golden = BTreeMap::from([("a/b".to_owned(), json!({"steps": [sample()["steps"][7]]}))]);
    let page = "x\n\n```transcript a/b\nold\n```\n\ny\n";
    let expected = "x\n\n```transcript a/b\nc2 arbiter says nothing for 200 ms\n```\n\ny\n";
    assert_eq!(with_examples(page, &golden).as_deref(), Ok(expected));
    assert_eq!(with_examples(expected, &golden).as_deref(), Ok(expected));
    let missing = with_examples("```transcript a/c\n```\n", &golden);
    assert_eq!(missing, Err("line 1: no transcript \"a/c\"".into()));
    let open = with_examples("```transcript a/b\n", &golden);
    assert_eq!(open, Err("line 1: the block of \"a/b\" is not closed".into()));
}
