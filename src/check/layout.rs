//! The canonical layout of a transcript: members of the header one per line, then the steps one per line.

use std::fmt::Write as _;

use super::value::Value;

/// The members of a transcript, in the order in which they stand.
pub const MEMBERS: [&str; 14] = [
    "format",
    "id",
    "title",
    "proves",
    "roles",
    "level",
    "needs",
    "setup",
    "vars",
    "since",
    "note",
    "malformed",
    "seen",
    "steps",
];

/// The text of the transcript `document`, laid out. Members keep their values, and stand in the order of [`MEMBERS`];
/// unknown ones, which no reader accepts, follow.
pub fn canonical(document: &Value) -> String {
    let Some(members) = document.as_object() else { return spaced(document) + "\n" };
    let rank = |name: &str| MEMBERS.iter().position(|known| *known == name).unwrap_or(MEMBERS.len());
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| rank(&name.lossy()));
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| match value.as_array() {
            Some(steps) if name.lossy() == "steps" && !steps.is_empty() => {
                let steps: Vec<String> = steps.iter().map(|step| format!("    {}", spaced(step))).collect();
                format!("  {name}: [\n{}\n  ]", steps.join(",\n"))
            }
            _ => format!("  {name}: {}", spaced(value)),
        })
        .collect();
    format!("{{\n{}\n}}\n", members.join(",\n"))
}

/// JSON on one line, with a space behind every comma and colon.
pub fn spaced(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Its depth is bounded by that of values.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                let _ = write!(out, "{}{name}: ", if index > 0 { ", " } else { "" });
                write(value, out);
            }
            out.push('}');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}
