//! From a trace to a transcript: what was seen once becomes what is expected ever after.
//!
//! Ids become variables. What cannot be the same the next time (process numbers, UUIDs, times, the text of errors) is
//! expected to be alike. Everything else is expected as it was. What the conversation shows is for its author to say.

use std::collections::{BTreeMap, BTreeSet};

use super::blame;
use super::layout::canonical;
use super::lint::UNWRITTEN;
use super::trace_file::{Closing, Event, TraceFile, What, hex};
use super::transcript::{FORMAT, Level};
use super::value::{Object, Text, Value};
use crate::message::Role;
use crate::wire::HEADER_LEN;

mod api;
mod template;

use template::Templates;

/// A pause shorter than this, in microseconds, is no part of what was said.
const PAUSE_US: u64 = 20_000;

/// Padding shorter than this, in bytes, is written out.
const PAD: usize = 64;

/// An answer that took longer than this, in microseconds, is given more time than usual.
const SLOW_US: u64 = 2_500_000;

/// What the author chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The transcript's id, `<area>/<name>`.
    pub id: String,
    /// Whom it judges; the listener of the trace when empty.
    pub roles: Vec<Role>,
    /// What it proves; what can be told from the messages when empty.
    pub proves: Vec<String>,
}

/// Why a trace makes no transcript.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromoteError {
    /// Nothing was said.
    #[error(
        "nothing was said in this trace: expected at least one frame, other bytes, or the end of a connection"
    )]
    Empty,
    /// The roles do not take part.
    #[error("{role} takes no part in this trace: expected {expected}")]
    Role {
        /// The role.
        role: Role,
        /// Those that do.
        expected: String,
    },
}

/// Makes the text of a transcript out of a trace.
///
/// # Errors
/// [`PromoteError`] when there is nothing to make one of.
pub fn promote(trace: &TraceFile, promotion: &Promotion) -> Result<String, PromoteError> {
    let listener = trace.header.listener;
    let connector = if listener == Role::Worker { Role::Arbiter } else { Role::Client };
    let roles = if promotion.roles.is_empty() { vec![listener] } else { promotion.roles.clone() };
    // An arbiter's conversation with a client also judges a worker in its place.
    let able: &[Role] = match connector {
        Role::Client => &[Role::Client, Role::Arbiter, Role::Worker],
        _ => &[Role::Worker],
    };
    if let Some(role) = roles.iter().find(|role| !able.contains(role)) {
        let expected: Vec<&str> = able.iter().map(|role| role.as_str()).collect();
        return Err(PromoteError::Role { role: *role, expected: expected.join(", ") });
    }
    let mut events: Vec<&Event> = trace.events.iter().collect();
    events.sort_by_key(|event| event.at_us);
    let mut writer = Writer {
        connector,
        drives_client: roles.contains(&Role::Client),
        steps: Vec::new(),
        templates: Templates::default(),
        kinds: BTreeSet::new(),
        malformed: false,
        spoken_us: BTreeMap::new(),
        calls: api::Calls::of(&events),
    };
    let last_from_listener: BTreeMap<&str, usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.from == listener && !matches!(event.what, What::Close(_)))
        .map(|(index, event)| (event.on.as_str(), index))
        .collect();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    let mut half_closed: BTreeSet<&str> = BTreeSet::new();
    for (index, event) in events.iter().enumerate() {
        let on = event.on.as_str();
        if ended.contains(on) {
            continue;
        }
        match &event.what {
            What::Open(_) => {}
            What::Close(Closing::Refused) => {
                ended.insert(on);
            }
            What::Close(_) if event.from == connector && last_from_listener.get(on) > Some(&index) => {
                // A replayer can only close both directions: it does so when it has heard everything.
                half_closed.insert(on);
            }
            What::Close(_) => {
                // When a client under test ends its connections is its own affair.
                if event.from != connector || !writer.drives_client {
                    writer.close(event);
                }
                ended.insert(on);
            }
            What::Frame(text) => writer.frame(event, text),
            What::Raw(bytes) => writer.raw(event, bytes),
        }
        if half_closed.contains(on) && last_from_listener.get(on) == Some(&index) {
            writer.close_of(connector, on);
            ended.insert(on);
        }
    }
    writer.finish(promotion, roles, !half_closed.is_empty())
}

/// Writes steps.
struct Writer {
    connector: Role,
    /// Whether lines for the client's caller are written too.
    drives_client: bool,
    steps: Vec<Object>,
    templates: Templates,
    kinds: BTreeSet<String>,
    malformed: bool,
    /// When each connection was last spoken on, in microseconds.
    spoken_us: BTreeMap<String, u64>,
    calls: api::Calls,
}

impl Writer {
    fn frame(&mut self, event: &Event, text: &str) {
        let value = match Value::parse(text.as_bytes()) {
            Ok(value) if template::is_portable(&value) => value,
            // No template can hold it: the very bytes can.
            _ => return self.raw(event, &event.bytes()),
        };
        if blame::check_shape(text.as_bytes()).is_err() {
            self.malformed = true;
        }
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_string();
        let asks = event.from == self.connector;
        if self.drives_client && asks {
            let call = self.calls.call(&event.on, &value);
            self.steps.extend(call);
        }
        let mut step = self.step(event);
        step.insert(Text::from("msg"), self.templates.message(&value, !asks));
        self.steps.push(step);
        if self.drives_client && !asks {
            let seen = self.calls.seen(&event.on, &value);
            self.steps.extend(seen);
        }
        self.kinds.insert(kind);
    }

    fn raw(&mut self, event: &Event, bytes: &[u8]) {
        // A header stays in sight.
        let last = bytes.last().copied().unwrap_or_default();
        let run = bytes.iter().skip(HEADER_LEN).rev().take_while(|byte| **byte == last).count();
        let pad = if run >= PAD { run } else { 0 };
        let mut step = self.step(event);
        step.insert(Text::from("raw"), Value::string(hex(&bytes[..bytes.len() - pad])));
        if pad > 0 {
            let padding = [("byte", number(u64::from(last))), ("count", number(pad as u64))];
            let padding = padding.into_iter().map(|(name, value)| (Text::from(name), value));
            step.insert(Text::from("pad"), Value::Object(padding.collect()));
        }
        self.steps.push(step);
    }

    fn close(&mut self, event: &Event) {
        let mut step = self.step(event);
        step.insert(Text::from("close"), Value::Bool(true));
        self.steps.push(step);
    }

    fn close_of(&mut self, from: Role, on: &str) {
        let mut step = named(on, from);
        step.insert(Text::from("close"), Value::Bool(true));
        self.steps.push(step);
    }

    /// The start of a step, with its pause or its patience.
    fn step(&mut self, event: &Event) -> Object {
        let mut step = named(&event.on, event.from);
        let before = self.spoken_us.insert(event.on.clone(), event.at_us);
        let since = before.map_or(0, |before| event.first_us.unwrap_or(event.at_us).saturating_sub(before));
        let waited = before.map_or(0, |before| event.at_us.saturating_sub(before));
        if event.from == self.connector && since >= PAUSE_US {
            step.insert(Text::from("after_ms"), number((since / 1000).min(600_000)));
        } else if event.from != self.connector && waited >= SLOW_US {
            step.insert(Text::from("within_ms"), number((waited / 1000 * 2).min(600_000)));
        }
        step
    }

    fn finish(
        mut self,
        promotion: &Promotion,
        roles: Vec<Role>,
        half_closed: bool,
    ) -> Result<String, PromoteError> {
        // A replayer closes what is open at the end: there is no need to say so.
        let closes = |step: &Object| {
            step.contains_key("close")
                && step.get("from").and_then(Value::as_str) == Some(self.connector.as_str())
        };
        while self.steps.len() > 1 && self.steps.last().is_some_and(closes) {
            self.steps.pop();
        }
        if self.steps.is_empty() {
            return Err(PromoteError::Empty);
        }
        let steps = in_any_order(self.steps, self.connector);
        let strings = |items: &[&str]| Value::Array(items.iter().map(|item| Value::string(*item)).collect());
        let mut proves: Vec<&str> = promotion.proves.iter().map(String::as_str).collect();
        if proves.is_empty() {
            let told = [("response", "CALL-1"), ("chunk", "STREAM-1"), ("error", "ERR-1")];
            proves = told.iter().filter(|(kind, _)| self.kinds.contains(*kind)).map(|(_, id)| *id).collect();
        }
        if proves.is_empty() {
            proves.push("FRAME-1");
        }
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        let mut document = Object::new();
        let mut member = |name: &str, value: Value| document.insert(Text::from(name), value);
        member("format", Value::string(FORMAT));
        member("id", Value::string(&promotion.id));
        member("title", Value::string(format!("{UNWRITTEN} what this conversation shows, in one sentence.")));
        member("proves", strings(&proves));
        member("roles", strings(&roles));
        let streams = ["chunk", "end", "cancel"].iter().any(|kind| self.kinds.contains(*kind));
        member("level", Value::string(if streams { Level::L2 } else { Level::L1 }.name()));
        let vars = self.templates.vars();
        if !vars.is_empty() {
            member("vars", Value::Object(vars));
        }
        if half_closed {
            let note =
                "Recorded with a client that closed its direction first; here it closes when all has come.";
            member("note", Value::string(note));
        }
        if self.malformed {
            member("malformed", Value::Bool(true));
        }
        member("steps", Value::Array(steps.into_iter().map(Value::Object).collect()));
        Ok(canonical(&Value::Object(document)))
    }
}

/// Terminal messages of several requests that came one after the other on one connection may come in any order.
fn in_any_order(steps: Vec<Object>, connector: Role) -> Vec<Object> {
    let id = |step: &Object| -> Option<Value> {
        let message = step.get("msg").filter(|_| step.len() == 3)?;
        let ends = ["response", "error"].contains(&message.get("type")?.as_str()?);
        let answers = step.get("from")?.as_str()? != connector.as_str();
        message.get("id").filter(|id| ends && answers && id.get("$var").is_some()).cloned()
    };
    let mut out = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        let (on, mut ids) = (step.get("on").cloned(), Vec::from_iter(id(&step)));
        let mut group = vec![step];
        while let Some(next) = steps.peek()
            && !ids.is_empty()
            && next.get("on") == on.as_ref()
            && let Some(next_id) = id(next)
            && !ids.contains(&next_id)
        {
            ids.push(next_id);
            group.extend(steps.next());
        }
        if group.len() < 2 {
            out.extend(group);
            continue;
        }
        let mut whole = group[0].clone();
        whole.shift_remove("msg");
        let inner = Value::Array(group.into_iter().map(Value::Object).collect());
        whole.insert(Text::from("unordered"), inner);
        out.push(whole);
    }
    out
}

fn named(on: &str, from: Role) -> Object {
    let members = [("on", on), ("from", from.as_str())];
    members.into_iter().map(|(name, value)| (Text::from(name), Value::string(value))).collect()
}

fn number(number: u64) -> Value {
    Value::Number(super::number::Number::from_text(&number.to_string()))
}
