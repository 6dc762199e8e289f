//! The lines of the contract: one JSON object each.

use super::CONTRACT;
use crate::check::client::ClientEvent;
use crate::check::fields::{Fields, Read, fault, text};
use crate::check::number::Number;
use crate::check::transcript::{ApiCall, CLIENT_FEATURES, Method};
use crate::check::value::{Object, Pointer, Text, Value};

/// The first line of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) lacks: Vec<String>,
}

/// Any other line of an adapter: the number of a call, and what happened to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) call: u64,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Seen(ClientEvent, Object),
    Unsupported(String),
}

impl Hello {
    pub(super) fn read(line: &[u8]) -> Result<Hello, String> {
        let value = parse(line)?;
        let root = Pointer::default();
        let read = || -> Read<Hello> {
            let mut outer = Fields::new(&value, &root)?;
            let at = root.join("hello");
            let mut fields = Fields::new(outer.required("hello")?, &at)?;
            let adapter = fields.required_string("adapter")?;
            if adapter != CONTRACT {
                return fault(&at.join("adapter"), format!("{adapter:?}: expected {CONTRACT:?}"));
            }
            Ok(Hello {
                name: fields.required_string("name")?,
                version: fields.required_string("version")?,
                lacks: fields.list("lacks", feature)?,
            })
        };
        read().map_err(|fault| format!("{} at {}", fault.problem, fault.pointer))
    }

    pub(super) fn text(&self) -> String {
        let lacks = self.lacks.iter().map(Value::string).collect();
        let hello = object([
            ("adapter", Value::string(CONTRACT)),
            ("name", Value::string(&self.name)),
            ("version", Value::string(&self.version)),
            ("lacks", Value::Array(lacks)),
        ]);
        object([("hello", hello)]).to_string()
    }
}

impl Event {
    pub(super) fn read(line: &[u8]) -> Result<Event, String> {
        let value = parse(line)?;
        event(&value).map_err(|fault| format!("{} at {}", fault.problem, fault.pointer))
    }

    pub(super) fn text(&self) -> String {
        let (name, value, hints) = match &self.what {
            What::Unsupported(feature) => ("unsupported", Value::string(feature), None),
            What::Seen(ClientEvent::Yields(value), hints) => ("yields", value.clone(), Some(hints)),
            What::Seen(ClientEvent::Returns(value), hints) => ("returns", value.clone(), Some(hints)),
            What::Seen(raises @ ClientEvent::Raises { .. }, _) => ("raises", raises.value(), None),
        };
        let mut line = vec![("call", number(self.call)), (name, value)];
        if let Some(hints) = hints.filter(|hints| !hints.is_empty()) {
            line.push(("hints", Value::Object(hints.clone())));
        }
        object(line).to_string()
    }
}

fn event(value: &Value) -> Read<Event> {
    let root = Pointer::default();
    let mut fields = Fields::new(value, &root)?;
    let Some(call) = fields.number("call")? else {
        return fault(&root, "no member \"call\": expected the number of the call");
    };
    const KINDS: [&str; 4] = ["yields", "returns", "raises", "unsupported"];
    let found: Vec<&'static str> = KINDS.into_iter().filter(|name| fields.has(name)).collect();
    let &[kind] = found.as_slice() else {
        return fault(&root, format!("{} of {}: expected one of them", found.len(), KINDS.join(", ")));
    };
    let value = fields.required(kind)?;
    let at = root.join(kind);
    let hints = match fields.get("hints") {
        None => Object::new(),
        Some(Value::Object(hints)) => hints.clone(),
        Some(other) => return fault(&root.join("hints"), format!("{}: expected an object", other.kind())),
    };
    let what = match kind {
        "yields" => What::Seen(ClientEvent::Yields(value.clone()), hints),
        "returns" => What::Seen(ClientEvent::Returns(value.clone()), hints),
        "raises" => What::Seen(raises(value, &at)?, hints),
        _ => What::Unsupported(feature(value, &at)?),
    };
    Ok(Event { call, what })
}

fn raises(value: &Value, at: &Pointer) -> Read<ClientEvent> {
    let mut fields = Fields::new(value, at)?;
    let error_type = fields.required_string("error_type")?;
    let message = fields.required_string("message")?;
    let details = fields.required("details")?.clone();
    if details.as_object().is_none() {
        return fault(&at.join("details"), format!("{}: expected an object", details.kind()));
    }
    Ok(ClientEvent::Raises { error_type, message, details })
}

fn feature(value: &Value, at: &Pointer) -> Read<String> {
    let name = text(value, at)?;
    if CLIENT_FEATURES.contains(&name.as_str()) {
        return Ok(name);
    }
    let known = CLIENT_FEATURES.join(", ");
    fault(at, format!("{name:?} is no feature that a client may lack: expected one of {known}"))
}

/// The line that starts a call.
pub(super) fn call_line(number_of_call: u64, on: &str, call: &ApiCall) -> String {
    let mut line = vec![
        ("call", number(number_of_call)),
        ("on", Value::string(on)),
        ("method", Value::string(call.method.name())),
        ("app_path", Value::string(&call.app_path)),
        ("action", Value::string(&call.action)),
        ("args", Value::Array(call.args.clone())),
        ("kwargs", Value::Object(call.kwargs.clone())),
    ];
    if let Some(take) = call.take {
        line.push(("take", number(take)));
    }
    if let Some(timeout) = call.timeout {
        line.push(("timeout", Value::Number(Number::from_text(&timeout.as_secs_f64().to_string()))));
    }
    if !call.hints.is_empty() {
        line.push(("hints", Value::Object(call.hints.clone())));
    }
    object(line).to_string()
}

/// What a line tells an adapter to call: the number, the label, the call.
pub(super) fn read_call(line: &[u8]) -> Result<(u64, String, ApiCall), String> {
    let value = parse(line)?;
    let root = Pointer::default();
    let read = || -> Read<(u64, String, ApiCall)> {
        let mut fields = Fields::new(&value, &root)?;
        let Some(number) = fields.number("call")? else {
            return fault(&root, "no member \"call\": expected the number of the call");
        };
        let method = match fields.required_string("method")?.as_str() {
            "execute" => Method::Execute,
            "stream" => Method::Stream,
            other => return fault(&root.join("method"), format!("{other:?}: expected execute or stream")),
        };
        let members = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let timeout = match fields.get("timeout") {
            Some(Value::Number(seconds)) => std::time::Duration::try_from_secs_f64(seconds.as_f64()).ok(),
            _ => None,
        };
        let call = ApiCall {
            method,
            app_path: fields.required_string("app_path")?,
            action: fields.required_string("action")?,
            args: fields.list("args", |value, _| Ok(value.clone()))?,
            kwargs: members(fields.get("kwargs")),
            take: fields.number("take")?,
            timeout,
            hints: members(fields.get("hints")),
        };
        Ok((number, fields.required_string("on")?, call))
    };
    read().map_err(|fault| format!("{} at {}", fault.problem, fault.pointer))
}

fn parse(line: &[u8]) -> Result<Value, String> {
    Value::parse(line).map_err(|error| error.to_string())
}

fn number(value: u64) -> Value {
    Value::Number(Number::from_text(&value.to_string()))
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (Text::from(name), value)).collect())
}
