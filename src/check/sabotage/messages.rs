//! Faults in messages: their members, and what becomes of bad ones.

use super::fault::{Message, misreads, received, rewrites, sent};
use super::{EVERYONE, SERVERS, Saboteur};
use crate::check::blame;
use crate::check::value::{Object, Text, Value};
use crate::message::Role;
use crate::wire::{Limits, Members};

/// The members that a peer without any extension knows.
const KNOWN: [&str; 9] = ["type", "id", "app_path", "action", "args", "kwargs", "result", "data", "error"];

/// The longest name of the saboteur that cuts them, in characters.
const SHORT_NAME: usize = 64;

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "type-missing",
        roles: EVERYONE,
        does: "Leaves the member type out of every message.",
        breaks: &["MSG-1"],
        make: || rewrites(|message| message.without("type")),
    },
    Saboteur {
        name: "omits-members",
        roles: EVERYONE,
        does: "Leaves out kwargs, result, data and details.",
        breaks: &["MSG-2"],
        make: || {
            rewrites(|message| {
                let less = message.without("kwargs").without("result").without("data");
                less.with_error(|error| drop(error.shift_remove("details")))
            })
        },
    },
    Saboteur {
        name: "closes-on-unknown-member",
        roles: EVERYONE,
        does: "Closes the connection of a message that has a member it does not know, those of extensions among them.",
        breaks: &["MSG-3", "EXT-3"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if message.names().all(|name| KNOWN.contains(&name.lossy().as_ref())) {
                    hands.tell(on, message);
                } else {
                    hands.close(on);
                }
            })
        },
    },
    Saboteur {
        name: "requires-args",
        roles: SERVERS,
        does: "Refuses a request without args or kwargs.",
        breaks: &["MSG-4"],
        make: || {
            misreads(|message| {
                let whole = message.get("args").is_some() && message.get("kwargs").is_some();
                if message.is("request") && !whole {
                    message.with("args", Value::Null)
                } else {
                    message.clone()
                }
            })
        },
    },
    Saboteur {
        name: "ignores-bad-messages",
        roles: SERVERS,
        does: "Passes over bad messages.",
        breaks: &["MSG-5", "MSG-11"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if message.is_bad_frame() || !is_bad_request(message) {
                    hands.tell(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "takes-bad-messages",
        roles: SERVERS,
        does: "Makes something of bad messages: a call of echo.",
        breaks: &[
            "MSG-5", "MSG-6", "MSG-7", "MSG-8", "MSG-9", "MSG-10", "MSG-11", "MSG-12", "VAL-2", "VAL-3",
            "VAL-5", "VAL-6", "TIME-2", "SEC-6",
        ],
        make: || {
            received::<()>(|_, on, message, hands| {
                if message.is_bad_frame() || !is_bad_request(message) {
                    hands.tell(on, message);
                } else {
                    hands
                        .tell(on, &Message::echo(message.id().filter(|id| !id.is_empty()).unwrap_or("none")));
                }
            })
        },
    },
    Saboteur {
        name: "closes-on-bad-message",
        roles: SERVERS,
        does: "Closes the connection of a bad message as it does that of a bad frame.",
        breaks: &["MSG-5", "EXT-1"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                hands.say(on, message);
                if message.error_type() == "DirtyProtocolError" {
                    hands.close(on);
                }
            })
        },
    },
    Saboteur {
        name: "last-duplicate-wins",
        roles: EVERYONE,
        does: "Takes the last of two members of the same name.",
        breaks: &["MSG-6"],
        make: || misreads(last_of_each),
    },
    Saboteur {
        name: "cuts-long-names",
        roles: SERVERS,
        does: "Cuts ids, app paths and actions at 64 characters.",
        breaks: &["MSG-7", "MSG-8", "MSG-9", "CORR-1", "CALL-4", "CALL-5"],
        make: || {
            misreads(|message| {
                let cut = |message: Message, name: &str| match message.get(name).and_then(Value::as_str) {
                    Some(text) if text.chars().count() > SHORT_NAME => {
                        message.with(name, Value::string(text.chars().take(SHORT_NAME).collect::<String>()))
                    }
                    _ => message,
                };
                ["id", "app_path", "action"].into_iter().fold(message.clone(), cut)
            })
        },
    },
    Saboteur {
        name: "normalises-ids",
        roles: SERVERS,
        does: "Writes ids in lower case, without white space around them, and in ASCII.",
        breaks: &["MSG-7", "CORR-1"],
        make: || {
            rewrites(|message| match message.id() {
                Some(id) => {
                    let id: String = id.trim().to_lowercase().chars().filter(char::is_ascii).collect();
                    message.with("id", Value::string(id))
                }
                None => message.clone(),
            })
        },
    },
    Saboteur {
        name: "numeric-ids",
        roles: &[Role::Client],
        does: "Sends numbers for ids.",
        breaks: &["MSG-7"],
        make: || {
            sent::<u8>(|count, on, message, hands| {
                *count += 1;
                // A digit is a JSON text.
                let id = Value::parse(count.to_string().as_bytes()).unwrap_or(Value::Null);
                hands.say(on, &message.with("id", id));
            })
        },
    },
    Saboteur {
        name: "constant-ids",
        roles: &[Role::Client],
        does: "Sends every request with the same id.",
        breaks: &["CORR-8", "MSG-7"],
        make: || rewrites(|message| message.with("id", Value::string("1"))),
    },
    Saboteur {
        name: "parses-app-paths",
        roles: SERVERS,
        does: "Reads an app path as module and class, whatever is written around them.",
        breaks: &["MSG-8", "CALL-4"],
        make: || {
            misreads(|message| match message.get("app_path").and_then(Value::as_str) {
                Some(path) if path.to_lowercase().contains("fixture") => {
                    message.with("app_path", Value::string("fixture:App"))
                }
                _ => message.clone(),
            })
        },
    },
    Saboteur {
        name: "error-as-text",
        roles: SERVERS,
        does: "Writes the text of an error in place of the object.",
        breaks: &["MSG-12"],
        make: || {
            rewrites(|message| match message.get("error").and_then(|error| error.get("message")) {
                Some(text) => message.with("error", text.clone()),
                None => message.clone(),
            })
        },
    },
    Saboteur {
        name: "serves-control-to-clients",
        roles: &[Role::Arbiter],
        does: "Answers status, manage and stash on the call socket.",
        breaks: &["EXT-1"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if ["status", "manage", "stash"].contains(&message.kind()) {
                    let result = Some(("result", Value::Object(Object::new())));
                    hands.say(on, &Message::plain("response", message.id().unwrap_or("none"), result));
                } else {
                    hands.tell(on, message);
                }
            })
        },
    },
];

/// Whether an arbiter or a worker takes this for a bad message.
fn is_bad_request(message: &Message) -> bool {
    blame::check(&message.payload, Role::Client).is_err()
}

/// The message with the last of each member.
fn last_of_each(message: &Message) -> Message {
    let Ok(members) = Members::read(&message.payload, &Limits::default()) else { return message.clone() };
    if members.first_duplicate().is_none() {
        return message.clone();
    }
    let mut last: indexmap::IndexMap<&str, &str> = indexmap::IndexMap::new();
    for member in members.iter() {
        last.insert(&member.key, member.value);
    }
    let members: Vec<String> =
        last.into_iter().map(|(name, value)| format!("{}:{value}", Text::from(name))).collect();
    Message::new(format!("{{{}}}", members.join(",")))
}
