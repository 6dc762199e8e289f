//! Faults of clients: what they make of what they read, and what they forget to send.

use std::collections::{HashMap, HashSet};

use super::fault::{Message, both, misreads, received, sent};
use super::{Line, Saboteur};
use crate::check::blame;
use crate::check::value::{Object, Value};
use crate::message::{ErrorType, Role};

const CLIENT: &[Role] = &[Role::Client];

/// The members of details that the saboteur knows which knows few.
const DETAILS: [&str; 5] = ["app_path", "action", "timeout", "worker_id", "traceback"];

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "ignores-bad-replies",
        roles: CLIENT,
        does: "Passes over bad messages, and goes on waiting.",
        breaks: &["MSG-1", "MSG-2", "MSG-12", "MSG-14", "ERR-10", "VAL-3"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if message.is_bad_frame() || blame::check(&message.payload, Role::Arbiter).is_ok() {
                    hands.tell(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "returns-foreign-replies",
        roles: CLIENT,
        does: "Takes every reply for one to the request that it sent last.",
        breaks: &["CORR-2"],
        make: || {
            both::<HashMap<Line, String>>(
                |last, on, message, hands| match last.get(&on) {
                    Some(id) => hands.tell(on, &message.with("id", Value::string(id))),
                    None => hands.tell(on, message),
                },
                |last, on, message, hands| {
                    if let (true, Some(id)) = (message.is("request"), message.id()) {
                        last.insert(on, id.to_string());
                    }
                    hands.say(on, message);
                },
            )
        },
    },
    Saboteur {
        name: "late-replies-are-foreign",
        roles: CLIENT,
        does: "Takes the late reply to a request that it no longer waits for for one that it never sent.",
        breaks: &["CORR-3", "CORR-2"],
        make: || {
            both::<HashSet<(Line, String)>>(
                |left, on, message, hands| match message.id() {
                    Some(id) if left.contains(&(on, id.to_string())) => {
                        hands.tell(on, &message.with("id", Value::string("never sent")));
                    }
                    _ => hands.tell(on, message),
                },
                |left, on, message, hands| {
                    if let (true, Some(id)) = (message.is("cancel"), message.id()) {
                        left.insert((on, id.to_string()));
                    }
                    hands.say(on, message);
                },
            )
        },
    },
    Saboteur {
        name: "drops-foreign-replies",
        roles: CLIENT,
        does: "Passes over a reply with an id that it never sent.",
        breaks: &["CORR-4"],
        make: || {
            both::<HashSet<(Line, String)>>(
                |known, on, message, hands| {
                    if message.id().is_none_or(|id| known.contains(&(on, id.to_string()))) {
                        hands.tell(on, message);
                    }
                },
                |known, on, message, hands| {
                    known.extend(message.id().map(|id| (on, id.to_string())));
                    hands.say(on, message);
                },
            )
        },
    },
    Saboteur {
        name: "null-errors-answer-calls",
        roles: CLIENT,
        does: "Takes an error with the id null for the reply to its request.",
        breaks: &["CORR-10", "CORR-2"],
        make: || {
            both::<HashMap<Line, String>>(
                |last, on, message, hands| match last.get(&on) {
                    Some(id) if message.is("error") && message.id().is_none() => {
                        let error = message.with("id", Value::string(id));
                        hands.tell(
                            on,
                            &error.with_error(|error| {
                                error.insert("error_type".into(), Value::string("DirtyAppError"));
                            }),
                        );
                    }
                    _ => hands.tell(on, message),
                },
                |last, on, message, hands| {
                    last.extend(message.id().map(|id| (on, id.to_string())));
                    hands.say(on, message);
                },
            )
        },
    },
    Saboteur {
        name: "first-chunk-is-the-result",
        roles: CLIENT,
        does: "Returns the first item of a stream as a result, and null for an empty one.",
        breaks: &["CALL-9"],
        make: || {
            misreads(|message| match (message.kind(), message.id()) {
                ("chunk" | "end", Some(id)) => {
                    let result = message.get("data").cloned().unwrap_or(Value::Null);
                    Message::plain("response", id, Some(("result", result)))
                }
                _ => message.clone(),
            })
        },
    },
    Saboteur {
        name: "plain-result-is-an-empty-stream",
        roles: CLIENT,
        does: "Ends a stream that is answered with a plain result, without an item.",
        breaks: &["STREAM-6"],
        make: || {
            misreads(|message| match (message.kind(), message.id()) {
                ("response", Some(id)) => Message::plain("end", id, None),
                _ => message.clone(),
            })
        },
    },
    Saboteur {
        name: "response-ends-a-stream",
        roles: CLIENT,
        does: "Takes a response inside a stream for the end of it.",
        breaks: &["ERR-10", "STREAM-11"],
        make: || {
            received::<HashSet<(Line, String)>>(|streams, on, message, hands| {
                let stream = message.id().map(|id| (on, id.to_string()));
                match (message.kind(), message.id()) {
                    ("response", Some(id)) if stream.as_ref().is_some_and(|it| streams.contains(it)) => {
                        hands.tell(on, &Message::plain("end", id, None));
                    }
                    ("chunk", _) => {
                        streams.extend(stream);
                        hands.tell(on, message);
                    }
                    _ => hands.tell(on, message),
                }
            })
        },
    },
    Saboteur {
        name: "leaves-without-cancel",
        roles: CLIENT,
        does: "Never sends cancel.",
        breaks: &["STREAM-7", "CALL-9"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                if !message.is("cancel") {
                    hands.say(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "one-error-for-all",
        roles: CLIENT,
        does: "Raises one and the same error, without message and details, whatever the arbiter says.",
        breaks: &["ERR-1", "ERR-2", "ERR-9"],
        make: || {
            misreads(|message| {
                message.with_error(|error| {
                    error.insert("error_type".into(), Value::string("DirtyError"));
                    error.insert("message".into(), Value::string("failed"));
                    error.insert("details".into(), Value::Object(Object::new()));
                })
            })
        },
    },
    Saboteur {
        name: "refuses-unknown-errors",
        roles: CLIENT,
        does: "Takes an error of a type that it does not know for a bad message.",
        breaks: &["ERR-2"],
        make: || {
            misreads(|message| {
                let known = ErrorType::REGISTERED.contains(&message.error_type());
                if message.is("error") && !known {
                    message.with("error", Value::Null)
                } else {
                    message.clone()
                }
            })
        },
    },
    Saboteur {
        name: "refuses-unknown-details",
        roles: CLIENT,
        does: "Takes an error with details that it does not know for a bad message.",
        breaks: &["EXT-3"],
        make: || {
            misreads(|message| {
                let details = message.get("error").and_then(|error| error.get("details"));
                let mut names = details.and_then(Value::as_object).into_iter().flat_map(Object::keys);
                if names.all(|name| DETAILS.contains(&name.lossy().as_ref())) {
                    message.clone()
                } else {
                    message.with("error", Value::Null)
                }
            })
        },
    },
];
