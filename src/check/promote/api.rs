//! The lines that drive a client: what its caller must have asked for, and seen.

use std::collections::{BTreeMap, BTreeSet};

use super::template;
use crate::check::trace_file::{Event, What};
use crate::check::value::{Object, Text, Value};

/// The calls of each connection, by id.
#[derive(Debug, Default)]
pub(super) struct Calls {
    running: BTreeMap<(String, String), Call>,
    /// How many calls each connection has seen.
    counts: BTreeMap<String, usize>,
    /// Those that are answered by a stream.
    streams: BTreeSet<(String, String)>,
}

#[derive(Debug)]
struct Call {
    /// Its name, for all but the first of a connection.
    name: Option<String>,
}

impl Calls {
    /// The calls that a trace of these events holds.
    pub(super) fn of(events: &[&Event]) -> Calls {
        let streams = events.iter().filter_map(|event| {
            let What::Frame(text) = &event.what else { return None };
            let message = Value::parse(text.as_bytes()).ok()?;
            let streams = ["chunk", "end"].contains(&message.get("type")?.as_str()?);
            let id = message.get("id").filter(|_| streams)?.as_str()?;
            Some((event.on.clone(), id.to_string()))
        });
        Calls { streams: streams.collect(), ..Calls::default() }
    }

    /// The line that has a client send this request.
    pub(super) fn call(&mut self, on: &str, request: &Value) -> Vec<Object> {
        let (Some("request"), Some(id)) =
            (request.get("type").and_then(Value::as_str), request.get("id").and_then(Value::as_str))
        else {
            return Vec::new();
        };
        let count = self.counts.entry(on.to_string()).or_default();
        *count += 1;
        let call = Call { name: (*count > 1).then(|| format!("call-{count}")) };
        let mut line = call.line(on);
        let key = (on.to_string(), id.to_string());
        let method = if self.streams.contains(&key) { "stream" } else { "execute" };
        self.running.insert(key, call);
        let mut asked = Object::new();
        asked.insert(Text::from("method"), Value::string(method));
        for name in ["app_path", "action", "args", "kwargs"] {
            if let Some(value) = request.get(name) {
                asked.insert(Text::from(name), value.clone());
            }
        }
        line.insert(Text::from("call"), Value::Object(asked));
        vec![line]
    }

    /// The line that says what the caller sees of this reply.
    pub(super) fn seen(&mut self, on: &str, reply: &Value) -> Vec<Object> {
        let member = |name: &str| reply.get(name).and_then(Value::as_str);
        let (Some(kind), Some(id)) = (member("type"), member("id")) else { return Vec::new() };
        let Some(call) = self.running.get(&(on.to_string(), id.to_string())) else { return Vec::new() };
        let lit = |value: Option<&Value>| value.map_or(Value::Null, template::literal);
        let (name, value) = match kind {
            "chunk" => ("yields", lit(reply.get("data"))),
            "response" => ("returns", lit(reply.get("result"))),
            "end" => ("returns", Value::Null),
            "error" => {
                let kind = reply.get("error").and_then(|error| error.get("error_type"));
                let kind = kind.cloned().unwrap_or(Value::Null);
                ("raises", Value::Object([(Text::from("error_type"), kind)].into_iter().collect()))
            }
            _ => return Vec::new(),
        };
        let mut line = call.line(on);
        line.insert(Text::from(name), value);
        vec![line]
    }
}

impl Call {
    fn line(&self, on: &str) -> Object {
        let mut line = Object::new();
        line.insert(Text::from("on"), Value::string(on));
        if let Some(name) = &self.name {
            line.insert(Text::from("as"), Value::string(name));
        }
        line
    }
}
