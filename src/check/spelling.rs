//! How messages are written: rewrites of their JSON that no conforming peer may notice (FRAME-11, MSG-3).

use std::fmt::Write as _;

use super::value::{Object, Text, Value};

/// A member that no peer knows.
const UNKNOWN: &str = "x-nobody-knows";

/// A way to write the same message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// Compact, members in the order of the transcript.
    #[default]
    Plain,
    /// The members of every object in the reverse order.
    Reversed,
    /// White space of every kind wherever it may stand.
    Spaced,
    /// Every character of every name and string that can be escaped is.
    Escaped,
    /// Two more members in the message, which nobody knows.
    UnknownMembers,
}

impl Spelling {
    /// All of them.
    pub const ALL: [Spelling; 5] =
        [Spelling::Plain, Spelling::Reversed, Spelling::Spaced, Spelling::Escaped, Spelling::UnknownMembers];

    /// Its name on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Spelling::Plain => "plain",
            Spelling::Reversed => "reversed",
            Spelling::Spaced => "spaced",
            Spelling::Escaped => "escaped",
            Spelling::UnknownMembers => "unknown-members",
        }
    }

    /// The message in this spelling.
    pub fn write(self, message: &Value) -> String {
        match self {
            Spelling::Plain => message.to_string(),
            Spelling::Reversed => reversed(message).to_string(),
            Spelling::Spaced => {
                let mut out = String::new();
                spaced(message, &mut out);
                out
            }
            Spelling::Escaped => {
                let mut out = String::new();
                escaped(message, &mut out);
                out
            }
            Spelling::UnknownMembers => with_unknown(message).to_string(),
        }
    }
}

impl std::str::FromStr for Spelling {
    type Err = String;

    fn from_str(name: &str) -> Result<Spelling, String> {
        let found = Spelling::ALL.into_iter().find(|spelling| spelling.name() == name);
        found.ok_or_else(|| {
            let names = Spelling::ALL.map(Spelling::name).join(", ");
            format!("{name:?} is no spelling: expected one of {names}")
        })
    }
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(reversed).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        other => other.clone(),
    }
}

fn with_unknown(message: &Value) -> Value {
    let Value::Object(members) = message else { return message.clone() };
    let mut more = Object::new();
    let inner = Value::Object([("type".into(), Value::string("request"))].into_iter().collect());
    more.insert(UNKNOWN.into(), Value::Array(vec![Value::Null, inner]));
    more.extend(members.clone());
    more.insert(format!("{UNKNOWN}-either").as_str().into(), Value::Bool(false));
    Value::Object(more)
}

fn spaced(value: &Value, out: &mut String) {
    const SPACE: &str = " \t\r\n";
    out.push_str(SPACE);
    match value {
        Value::Array(items) => {
            out.push('[');
            list(items.iter(), out, spaced);
            out.push_str(SPACE);
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            list(members.iter(), out, |(name, value), out| {
                let _ = write!(out, "{SPACE}{name}{SPACE}:");
                spaced(value, out);
            });
            out.push_str(SPACE);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
    out.push_str(SPACE);
}

fn escaped(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => escape(text, out),
        Value::Array(items) => {
            out.push('[');
            list(items.iter(), out, escaped);
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            list(members.iter(), out, |(name, value), out| {
                escape(name, out);
                out.push(':');
                escaped(value, out);
            });
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn escape(text: &Text, out: &mut String) {
    let units = match text {
        Text::Unicode(text) => text.encode_utf16().collect(),
        Text::Units(units) => units.clone(),
    };
    out.push('"');
    for unit in units {
        let _ = write!(out, "\\u{unit:04x}");
    }
    out.push('"');
}

fn list<T>(items: impl Iterator<Item = T>, out: &mut String, mut write: impl FnMut(T, &mut String)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_but_the_one_with_more_members_is_the_same_value() {
        let text = r#"{"type":"request","é\"":[1.50,{"b":null,"a":"\ud800 😀"}],"args":[[],{}]}"#;
        let message = Value::parse(text.as_bytes()).unwrap();
        for spelling in Spelling::ALL {
            let written = spelling.write(&message);
            let mut read =
                Value::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
            if spelling == Spelling::UnknownMembers {
                let Value::Object(members) = &mut read else { panic!("{written}") };
                assert_eq!(members.len(), 5);
                members.retain(|name, _| !name.lossy().starts_with(UNKNOWN));
            }
            assert_eq!(read, message, "{}", spelling.name());
            if spelling != Spelling::Plain {
                assert_ne!(written, message.to_string());
            }
            assert_eq!(spelling.name().parse(), Ok(spelling));
        }
        assert!("other".parse::<Spelling>().unwrap_err().contains("plain, reversed"));
    }
}
