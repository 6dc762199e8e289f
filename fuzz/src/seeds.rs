//! The payloads of all golden transcripts and vectors, as seeds.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Every message and every raw payload under `root`, as bytes.
pub fn payloads(root: &Path) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for directory in ["golden", "schemas/vectors"] {
        walk(&root.join(directory), &mut payloads);
    }
    payloads.sort();
    payloads.dedup();
    payloads
}

/// Every frame of the vectors of `gd/1` under `root`.
pub fn gd_frames(root: &Path) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for name in ["valid.json", "invalid.json"] {
        let text = fs::read_to_string(root.join("schemas/vectors/gd").join(name)).unwrap_or_default();
        let vectors = serde_json::from_str(&text).unwrap_or(Value::Null);
        let frame = |vector: &Value| bytes(vector["frame"].as_str()?);
        frames.extend(vectors.as_array().into_iter().flatten().filter_map(frame));
    }
    frames
}

fn walk(directory: &Path, payloads: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, payloads);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            collect(&serde_json::from_str(&text).unwrap_or(Value::Null), payloads);
        }
    }
}

fn collect(value: &Value, payloads: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, payloads)),
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("msg" | "message" | "want" | "got", Value::Object(_)) => {
                        payloads.push(value.to_string().into_bytes())
                    }
                    ("text", Value::String(text)) => payloads.push(text.clone().into_bytes()),
                    ("raw", Value::String(hex)) => {
                        payloads.extend(bytes(hex).and_then(|raw| raw.get(4..).map(<[u8]>::to_vec)))
                    }
                    _ => collect(value, payloads),
                }
            }
        }
        _ => (),
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
