//! Faults in payloads.

use super::fault::{Calls, Message, both, misreads, received, rewrites};
use super::{SERVERS, Saboteur};
use crate::check::value::{Object, Value};
use crate::message::Role;
use crate::wire::{Limits, Members};

/// How deep the saboteur goes that does not go deep, in levels.
const SHALLOW: usize = 32;

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "quotes-results",
        roles: SERVERS,
        does: "Sends the text of a result, as a string, in its place.",
        breaks: &["CALL-2", "VAL-1", "VAL-4", "VAL-8"],
        make: || {
            rewrites(|message| {
                let text = match Members::read(&message.payload, &Limits::default()) {
                    Ok(members) => members.get("result").map(|result| result.value.to_string()),
                    Err(_) => None,
                };
                match (text, message.id()) {
                    (Some(text), Some(id)) => {
                        Message::plain("response", id, Some(("result", Value::string(text))))
                    }
                    (Some(_), None) => {
                        Message::plain("response", "r1", Some(("result", Value::string("a result"))))
                    }
                    _ => message.clone(),
                }
            })
        },
    },
    Saboteur {
        name: "reencodes-payloads",
        roles: &[Role::Arbiter],
        does: "Decodes what it relays, its numbers as doubles, and encodes it again.",
        breaks: &["VAL-1", "VAL-4"],
        make: || {
            both::<()>(
                |(), on, message, hands| hands.tell(on, &reencoded(message)),
                |(), on, message, hands| hands.say(on, &reencoded(message)),
            )
        },
    },
    Saboteur {
        name: "nan-on-wire",
        roles: SERVERS,
        does: "Writes the literal NaN.",
        breaks: &["VAL-2", "ERR-7"],
        make: || {
            both::<Calls>(Calls::tell, |calls, on, message, hands| match calls.sent(on, message) {
                Some(call) if call.action == "nan" => {
                    let id = message.get("id").map(ToString::to_string).unwrap_or_default();
                    hands.say(on, &Message::new(format!(r#"{{"type":"response","id":{id},"result":NaN}}"#)));
                }
                _ => hands.say(on, message),
            })
        },
    },
    Saboteur {
        name: "takes-nan",
        roles: SERVERS,
        does: "Reads NaN and the infinities as null.",
        breaks: &["VAL-2"],
        make: || {
            misreads(|message| {
                let members = Members::read(&message.payload, &Limits::default());
                if members.is_ok_and(|members| members.summary().non_finite.is_some()) {
                    let text = String::from_utf8_lossy(&message.payload).into_owned();
                    let text = text.replace("-Infinity", "null").replace("Infinity", "null");
                    return Message::new(text.replace("NaN", "null"));
                }
                message.clone()
            })
        },
    },
    Saboteur {
        name: "shallow-depth-limit",
        roles: SERVERS,
        does: "Refuses messages of more than 32 levels.",
        breaks: &["VAL-3"],
        make: || {
            misreads(|message| match Members::read(&message.payload, &Limits::default()) {
                Ok(members) if members.summary().depth > SHALLOW => message.with("args", Value::Null),
                _ => message.clone(),
            })
        },
    },
    Saboteur {
        name: "ignores-hints",
        roles: SERVERS,
        does: "Neither reads nor writes hints.",
        breaks: &["VAL-5", "VAL-9"],
        make: || {
            both::<()>(
                |(), on, message, hands| hands.tell(on, &message.without("hints")),
                |(), on, message, hands| hands.say(on, &message.without("hints")),
            )
        },
    },
    Saboteur {
        name: "refuses-hints",
        roles: SERVERS,
        does: "Answers bytes, NaN and large integers as if nobody accepted hints.",
        breaks: &["VAL-5", "VAL-9"],
        make: || misreads(|message| message.without("accept_hints").without("hints")),
    },
    Saboteur {
        name: "hints-for-everyone",
        roles: SERVERS,
        does: "Takes every request for one that accepts hints, and writes hints where none are needed.",
        breaks: &["VAL-6", "VAL-7"],
        make: || {
            both::<()>(
                |(), on, message, hands| match message.is("request") {
                    true => hands.tell(on, &message.with("accept_hints", Value::Bool(true))),
                    false => hands.tell(on, message),
                },
                |(), on, message, hands| {
                    let mut hints = Object::new();
                    hints.insert("/result".into(), Value::string("int"));
                    match message.is("response") && message.get("hints").is_none() {
                        true => hands.say(on, &message.with("hints", Value::Object(hints))),
                        false => hands.say(on, message),
                    }
                },
            )
        },
    },
    Saboteur {
        name: "dies-of-depth",
        roles: SERVERS,
        does: "Ends with all its connections on a message of more than 512 levels.",
        breaks: &["VAL-3", "SEC-6"],
        make: || {
            received::<()>(|_, on, message, hands| {
                match Members::read(&message.payload, &Limits::default()) {
                    Ok(members) if members.summary().depth > Limits::DEFAULT_MAX_DEPTH => hands.crash(),
                    _ => hands.tell(on, message),
                }
            })
        },
    },
];

/// The message as a program that parses JSON into its language's values, and all numbers into doubles, writes it again.
fn reencoded(message: &Message) -> Message {
    let text = String::from_utf8_lossy(&message.payload).replace("\\ud", "\\u0fd");
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(mut value) => {
            to_doubles(&mut value);
            Message::new(value.to_string())
        }
        Err(_) => message.clone(),
    }
}

fn to_doubles(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => {
            if let Some(double) = number.as_f64().filter(|double| double.fract() == 0.0) {
                // Far below the limits of an i128; what does not fit into 64 bits stays a double.
                *number = serde_json::Number::from_i128(double as i128).unwrap_or(number.clone());
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(to_doubles),
        serde_json::Value::Object(members) => members.values_mut().for_each(to_doubles),
        _ => {}
    }
}
