//! Faults in streams.

use std::collections::HashMap;
use std::time::Duration;

use super::fault::{Calls, Fault, Hands, Line, Message, both, sent};
use super::{SERVERS, Saboteur};
use crate::check::value::Value;
use crate::message::Role;

/// More than this unread on one connection holds up the saboteur that waits for slow readers, in bytes.
const FULL: usize = 64 * 1024;

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "chunks-out-of-order",
        roles: SERVERS,
        does: "Sends the first chunk of a stream behind the next message of it.",
        breaks: &["STREAM-1"],
        make: || {
            both::<(Calls, HashMap<(Line, String), Message>)>(
                |(calls, _), on, message, hands| {
                    calls.received(on, message);
                    hands.tell(on, message);
                },
                |(calls, held), on, message, hands| {
                    let first = calls.sent(on, message).is_some_and(|call| call.chunks == 1);
                    let key = (on, message.id().unwrap_or("").to_string());
                    if message.is("chunk") && first {
                        held.insert(key, message.clone());
                        return;
                    }
                    hands.say(on, message);
                    held.remove(&key).into_iter().for_each(|late| hands.say(on, &late));
                },
            )
        },
    },
    Saboteur {
        name: "loses-a-chunk",
        roles: SERVERS,
        does: "Loses the second chunk of a stream.",
        breaks: &["STREAM-1"],
        make: || {
            both::<Calls>(Calls::tell, |calls, on, message, hands| {
                let second = calls.sent(on, message).is_some_and(|call| call.chunks == 2);
                if !(second && message.is("chunk")) {
                    hands.say(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "empty-stream-as-null",
        roles: SERVERS,
        does: "Answers an empty stream with a response whose result is null.",
        breaks: &["STREAM-2"],
        make: || {
            ends_with(|chunks, message| match (message.kind(), chunks) {
                ("end", 0) => Some("response"),
                _ => None,
            })
        },
    },
    Saboteur {
        name: "end-instead-of-error",
        roles: SERVERS,
        does: "Ends what fails as if it had succeeded, with end.",
        breaks: &["STREAM-3", "STREAM-8"],
        make: || ends_with(|_, message| message.is("error").then_some("end")),
    },
    Saboteur {
        name: "response-in-stream",
        roles: SERVERS,
        does: "Ends a stream with a response.",
        breaks: &["STREAM-5"],
        make: || ends_with(|chunks, message| (chunks > 0 && message.is_terminal()).then_some("response")),
    },
    Saboteur {
        name: "missing-end",
        roles: SERVERS,
        does: "Never sends the terminal message.",
        breaks: &["CALL-1"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                if !message.is_terminal() || message.id().is_none() {
                    hands.say(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "double-end",
        roles: SERVERS,
        does: "Sends every terminal message twice.",
        breaks: &["CALL-1"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                hands.say(on, message);
                if message.is_terminal() {
                    hands.say(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "chunk-after-end",
        roles: SERVERS,
        does: "Sends one more chunk after the terminal message.",
        breaks: &["CALL-1"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                hands.say(on, message);
                if let (true, Some(id)) = (message.is_terminal(), message.id()) {
                    hands.say(on, &Message::plain("chunk", id, Some(("data", Value::Null))));
                }
            })
        },
    },
    Saboteur {
        name: "async-streams-collected",
        roles: SERVERS,
        does: "Answers an asynchronous generator with one response, the list of its items.",
        breaks: &["STREAM-4"],
        make: || collects(|call| call == "count_async"),
    },
    Saboteur {
        name: "collects-chunks",
        roles: SERVERS,
        does: "Sends the chunks of a stream when the stream ends.",
        breaks: &["STREAM-9"],
        make: || {
            sent::<HashMap<(Line, String), Vec<Message>>>(|held, on, message, hands| {
                let key = (on, message.id().unwrap_or("").to_string());
                if message.is("chunk") {
                    held.entry(key).or_default().push(message.clone());
                } else {
                    held.remove(&key).into_iter().flatten().for_each(|chunk| hands.say(on, &chunk));
                    hands.say(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "waits-for-slow-readers",
        roles: &[Role::Arbiter],
        does: "Writes nothing to anybody while one client does not read.",
        breaks: &["STREAM-10"],
        make: || Box::new(Waits::default()),
    },
];

/// Replaces terminal messages by those of another type, empty ones.
fn ends_with(kind: fn(usize, &Message) -> Option<&'static str>) -> Box<dyn Fault> {
    Box::new(EndsWith { calls: Calls::default(), kind })
}

struct EndsWith {
    calls: Calls,
    kind: fn(usize, &Message) -> Option<&'static str>,
}

impl Fault for EndsWith {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        self.calls.received(on, message);
        hands.tell(on, message);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let chunks = self.calls.sent(on, message).map_or(0, |call| call.chunks);
        match ((self.kind)(chunks, message), message.id()) {
            (Some(kind), Some(id)) => {
                let result = (kind == "response").then_some(("result", Value::Null));
                hands.say(on, &Message::plain(kind, id, result));
            }
            _ => hands.say(on, message),
        }
    }
}

/// Answers the streams of some actions with one response.
fn collects(which: fn(&str) -> bool) -> Box<dyn Fault> {
    Box::new(Collects { calls: Calls::default(), items: HashMap::new(), which })
}

struct Collects {
    calls: Calls,
    items: HashMap<(Line, String), Vec<Value>>,
    which: fn(&str) -> bool,
}

impl Fault for Collects {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        self.calls.received(on, message);
        hands.tell(on, message);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let concerned = self.calls.sent(on, message).is_some_and(|call| (self.which)(&call.action));
        let Some(id) = message.id().filter(|_| concerned) else { return hands.say(on, message) };
        let key = (on, id.to_string());
        match (message.kind(), message.get("data")) {
            ("chunk", Some(data)) => self.items.entry(key).or_default().push(data.clone()),
            ("end", _) => {
                let items = Value::Array(self.items.remove(&key).unwrap_or_default());
                hands.say(on, &Message::plain("response", id, Some(("result", items))));
            }
            _ => hands.say(on, message),
        }
    }
}

/// Holds what is for others while one connection is full, or about to be.
#[derive(Default)]
struct Waits {
    calls: Calls,
    held: Vec<(Line, Message)>,
}

impl Waits {
    /// Whether one client has not read all that it has asked for. The reply of `big` counts from its request on, so that
    /// it does not matter how long the reply takes.
    fn full(&self, hands: &Hands) -> bool {
        self.calls.any("big") || hands.backlog.values().any(|bytes| *bytes > FULL)
    }
}

impl Fault for Waits {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        self.calls.received(on, message);
        hands.tell(on, message);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let big = message.payload.len() > FULL;
        if big {
            // Too long to be looked into: it is the one that everybody waits for.
            self.calls.clear();
        }
        if !big && (self.full(hands) || !self.held.is_empty()) {
            self.held.push((on, message.clone()));
            hands.wake(Duration::from_millis(20), 0);
        } else {
            hands.say(on, message);
        }
    }

    fn woken(&mut self, _token: u64, hands: &mut Hands) {
        if self.full(hands) {
            hands.wake(Duration::from_millis(20), 0);
        } else {
            self.held.drain(..).for_each(|(on, message)| hands.say(on, &message));
        }
    }
}
