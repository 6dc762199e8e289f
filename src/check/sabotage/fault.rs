//! What a saboteur may do to the frames of one role: events in, acts out, no input or output of its own.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;

use crate::check::value::{Object, Text, Value};
use crate::wire::{Limits, Members};

/// A connection that goes through the relay.
pub(super) type Line = u64;

/// Longer payloads are not looked into: no fault is about what they hold.
const LOOKED_INTO: usize = 4 * 1024 * 1024;

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// Their header announces a length out of the limits; all that follows on the connection comes like this.
    Length,
    /// The connection has ended inside the frame.
    Cut,
}

/// A fault. *Received* is what the peer sends to the honest role, *sent* is what the honest role sends to its peer.
/// Whatever a fault does not take care of, passes as it is.
pub(super) trait Fault: Send {
    /// Bytes have been read from the peer; gives those that go on.
    fn read(&mut self, _on: Line, bytes: Bytes) -> Bytes {
        bytes
    }

    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        hands.tell(on, message);
    }

    fn received_no_frame(&mut self, on: Line, bytes: Bytes, _why: NoFrame, hands: &mut Hands) {
        hands.tell_bytes(on, bytes);
    }

    fn received_end(&mut self, on: Line, hands: &mut Hands) {
        hands.end_honest(on);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        hands.say(on, message);
    }

    fn sent_end(&mut self, on: Line, hands: &mut Hands) {
        hands.end_peer(on);
    }

    /// The time of [`Hands::wake`] has come.
    fn woken(&mut self, _token: u64, _hands: &mut Hands) {}
}

type OnMessage<S> = fn(&mut S, Line, &Message, &mut Hands);

/// A fault in what is sent and what is received, with a state.
pub(super) struct Both<S> {
    state: S,
    received: OnMessage<S>,
    sent: OnMessage<S>,
}

impl<S: Send> Fault for Both<S> {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        (self.received)(&mut self.state, on, message, hands);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        (self.sent)(&mut self.state, on, message, hands);
    }
}

/// A fault in both directions.
pub(super) fn both<S: Default + Send + 'static>(
    received: OnMessage<S>,
    sent: OnMessage<S>,
) -> Box<dyn Fault> {
    Box::new(Both { state: S::default(), received, sent })
}

/// A fault in what is sent.
pub(super) fn sent<S: Default + Send + 'static>(sent: OnMessage<S>) -> Box<dyn Fault> {
    both(|_, on, message, hands| hands.tell(on, message), sent)
}

/// A fault in what is received.
pub(super) fn received<S: Default + Send + 'static>(received: OnMessage<S>) -> Box<dyn Fault> {
    both(received, |_, on, message, hands| hands.say(on, message))
}

/// A fault that rewrites what is sent.
pub(super) fn rewrites(rewrite: fn(&Message) -> Message) -> Box<dyn Fault> {
    Box::new(Both {
        state: rewrite,
        received: |_, on, message, hands| hands.tell(on, message),
        sent: |rewrite, on, message, hands| hands.say(on, &rewrite(message)),
    })
}

/// A fault that rewrites what is received.
pub(super) fn misreads(rewrite: fn(&Message) -> Message) -> Box<dyn Fault> {
    Box::new(Both {
        state: rewrite,
        received: |rewrite, on, message, hands| hands.tell(on, &rewrite(message)),
        sent: |_, on, message, hands| hands.say(on, message),
    })
}

/// What the relay is to do.
#[derive(Debug)]
pub(super) enum Act {
    /// Bytes to the honest role.
    Tell(Line, Bytes),
    /// Bytes to its peer.
    Say(Line, Bytes),
    /// No more bytes to the honest role.
    EndHonest(Line),
    /// No more bytes to its peer.
    EndPeer(Line),
    /// The connection ends, on both sides.
    Close(Line),
    /// Every connection ends, and no other is accepted.
    Crash,
    /// Call [`Fault::woken`] after a while.
    Wake(Duration, u64),
}

/// With what a fault acts.
#[derive(Debug, Default)]
pub(super) struct Hands {
    pub(super) acts: Vec<Act>,
    /// How many bytes wait until the peer reads, on each line.
    pub(super) backlog: BTreeMap<Line, usize>,
}

impl Hands {
    pub(super) fn tell(&mut self, on: Line, message: &Message) {
        self.tell_bytes(on, message.frame());
    }

    pub(super) fn tell_bytes(&mut self, on: Line, bytes: impl Into<Bytes>) {
        self.acts.push(Act::Tell(on, bytes.into()));
    }

    pub(super) fn say(&mut self, on: Line, message: &Message) {
        self.say_bytes(on, message.frame());
    }

    pub(super) fn say_bytes(&mut self, on: Line, bytes: impl Into<Bytes>) {
        self.acts.push(Act::Say(on, bytes.into()));
    }

    pub(super) fn end_honest(&mut self, on: Line) {
        self.acts.push(Act::EndHonest(on));
    }

    pub(super) fn end_peer(&mut self, on: Line) {
        self.acts.push(Act::EndPeer(on));
    }

    pub(super) fn close(&mut self, on: Line) {
        self.acts.push(Act::Close(on));
    }

    pub(super) fn crash(&mut self) {
        self.acts.push(Act::Crash);
    }

    pub(super) fn wake(&mut self, after: Duration, token: u64) {
        self.acts.push(Act::Wake(after, token));
    }
}

/// One frame.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) payload: Bytes,
    /// Its payload, when that is a JSON object without repeated members.
    members: Option<Object>,
}

impl Message {
    pub(super) fn new(payload: impl Into<Bytes>) -> Message {
        let payload = payload.into();
        let value = (payload.len() <= LOOKED_INTO).then(|| Value::parse(&payload));
        let members = match value {
            Some(Ok(Value::Object(members))) => Some(members),
            _ => None,
        };
        Message { payload, members }
    }

    fn of(members: Object) -> Message {
        let payload = Value::Object(members.clone()).to_string().into_bytes().into();
        Message { payload, members: Some(members) }
    }

    /// An error with this id, or null.
    pub(super) fn error(id: Option<&str>, error_type: &str) -> Message {
        let empty = Message::of(Object::new());
        let id = id.map_or(Value::Null, Value::string);
        let mut error = Object::new();
        error.insert("error_type".into(), Value::string(error_type));
        error.insert("message".into(), Value::string("sabotage"));
        error.insert("details".into(), Value::Object(Object::new()));
        empty.with("type", Value::string("error")).with("id", id).with("error", Value::Object(error))
    }

    /// A message with nothing but type, id and perhaps one member more.
    pub(super) fn plain(kind: &str, id: &str, more: Option<(&str, Value)>) -> Message {
        let plain =
            Message::of(Object::new()).with("type", Value::string(kind)).with("id", Value::string(id));
        more.map_or(plain.clone(), |(name, value)| plain.with(name, value))
    }

    /// A call of `echo`.
    pub(super) fn echo(id: &str) -> Message {
        let text = r#"{"app_path":"fixture:App","action":"echo","args":[],"kwargs":{},"type":"request"}"#;
        Message::new(text.as_bytes()).with("id", Value::string(id))
    }

    pub(super) fn frame(&self) -> Bytes {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &self.payload].concat().into()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.members.as_ref()?.get(name)
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Its `type`; empty when it has none.
    pub(super) fn kind(&self) -> &str {
        self.text("type")
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind() == kind
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.get("id").and_then(Value::as_str)
    }

    pub(super) fn action(&self) -> &str {
        self.text("action")
    }

    pub(super) fn is_terminal(&self) -> bool {
        ["response", "end", "error"].contains(&self.kind())
    }

    /// Its `error_type`; empty when it is no error.
    pub(super) fn error_type(&self) -> &str {
        self.get("error").and_then(|error| error.get("error_type")).and_then(Value::as_str).unwrap_or("")
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Text> {
        self.members.iter().flat_map(Object::keys)
    }

    /// The same with this member; a payload that is no object stays as it is.
    pub(super) fn with(&self, name: &str, value: Value) -> Message {
        let Some(mut members) = self.members.clone() else { return self.clone() };
        members.insert(name.into(), value);
        Message::of(members)
    }

    pub(super) fn without(&self, name: &str) -> Message {
        let Some(mut members) = self.members.clone() else { return self.clone() };
        members.shift_remove(name);
        Message::of(members)
    }

    /// The same with `change` made to the object `error`.
    pub(super) fn with_error(&self, change: impl FnOnce(&mut Object)) -> Message {
        match self.get("error") {
            Some(Value::Object(error)) => {
                let mut error = error.clone();
                change(&mut error);
                self.with("error", Value::Object(error))
            }
            _ => self.clone(),
        }
    }

    /// Whether the frame is a bad one (FRAME-10).
    pub(super) fn is_bad_frame(&self) -> bool {
        Members::read(&self.payload, &Limits::default()).is_err()
    }
}

/// The requests in flight.
#[derive(Debug, Default)]
pub(super) struct Calls(HashMap<(Line, String), Running>);

/// A request in flight.
#[derive(Debug, Clone, Default)]
pub(super) struct Running {
    pub(super) action: String,
    pub(super) chunks: usize,
    /// How many others were in flight when it came.
    pub(super) behind: usize,
}

impl Calls {
    /// Takes note of what the honest role receives.
    pub(super) fn received(&mut self, on: Line, message: &Message) {
        if let (true, Some(id)) = (message.is("request"), message.id()) {
            let running = Running { action: message.action().to_string(), chunks: 0, behind: self.0.len() };
            self.0.insert((on, id.to_string()), running);
        }
    }

    /// Takes note of what it sends; gives the request that it is about.
    pub(super) fn sent(&mut self, on: Line, message: &Message) -> Option<Running> {
        let key = (on, message.id()?.to_string());
        if message.is_terminal() {
            return self.0.remove(&key);
        }
        let running = self.0.get_mut(&key)?;
        running.chunks += usize::from(message.is("chunk"));
        Some(running.clone())
    }

    /// Takes note of what comes, and lets it pass.
    pub(super) fn tell(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        self.received(on, message);
        hands.tell(on, message);
    }

    /// Takes note of what is sent, and lets it pass.
    pub(super) fn say(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        self.sent(on, message);
        hands.say(on, message);
    }

    pub(super) fn has(&self, on: Line, id: &str) -> bool {
        self.0.contains_key(&(on, id.to_string()))
    }

    /// Whether one of this action is among them.
    pub(super) fn any(&self, action: &str) -> bool {
        self.0.values().any(|running| running.action == action)
    }

    /// The connections and ids of all of them.
    pub(super) fn keys(&self) -> Vec<(Line, String)> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
