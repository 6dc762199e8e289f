//! Faults in errors.

use super::fault::{Message, rewrites, sent};
use super::{SERVERS, Saboteur};
use crate::check::value::{Object, Value};
use crate::message::Role;

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "unknown-app-as-no-workers",
        roles: SERVERS,
        does: "Says of an app that is not served that it has no workers.",
        breaks: &["CALL-4"],
        make: || renames(&["DirtyAppNotFoundError"], "DirtyNoWorkersAvailableError"),
    },
    Saboteur {
        name: "cancel-as-app-error",
        roles: SERVERS,
        does: "Ends what was cancelled as if the app had failed.",
        breaks: &["CANCEL-1", "CANCEL-4"],
        make: || renames(&["DirtyCancelledError"], "DirtyAppError"),
    },
    Saboteur {
        name: "invents-error-types",
        roles: SERVERS,
        does: "Uses error types that are not registered.",
        breaks: &["ERR-1"],
        make: || renames(&[], "OopsError"),
    },
    Saboteur {
        name: "answers-failures-with-null",
        roles: SERVERS,
        does: "Answers what fails in the app with the result null.",
        breaks: &["CALL-5", "CALL-6", "CALL-7", "ERR-3", "ERR-7", "ERR-8", "VAL-7"],
        make: || {
            rewrites(|message| match (message.error_type(), message.id()) {
                ("DirtyAppError", Some(id)) => Message::plain("response", id, Some(("result", Value::Null))),
                _ => message.clone(),
            })
        },
    },
    Saboteur {
        name: "closes-after-an-error",
        roles: SERVERS,
        does: "Closes the connection of every request that fails.",
        breaks: &["CALL-11", "WORK-3"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                hands.say(on, message);
                if message.is("error") && message.id().is_some() {
                    hands.close(on);
                }
            })
        },
    },
    Saboteur {
        name: "rewrites-worker-errors",
        roles: &[Role::Arbiter],
        does: "Puts words of its own before the message of a worker's error.",
        breaks: &["ERR-3"],
        make: || {
            rewrites(|message| {
                message.with_error(|error| {
                    let text = error.get("message").and_then(Value::as_str).unwrap_or("").to_string();
                    error.insert("message".into(), Value::string(format!("the worker said: {text}")));
                })
            })
        },
    },
    Saboteur {
        name: "errors-without-details",
        roles: SERVERS,
        does: "Leaves the details of errors empty.",
        breaks: &["CALL-4", "CALL-5", "CALL-7", "CORR-6", "ERR-6", "STREAM-8", "TIME-1"],
        make: || {
            rewrites(|message| {
                message.with_error(|error| drop(error.insert("details".into(), Value::Object(Object::new()))))
            })
        },
    },
    Saboteur {
        name: "ill-typed-details",
        roles: SERVERS,
        does: "Writes the app path in details as a list.",
        breaks: &["ERR-9"],
        make: || with_detail("app_path", || Value::Array(Vec::new())),
    },
    Saboteur {
        name: "traceback-on-wire",
        roles: SERVERS,
        does: "Sends a traceback with every error.",
        breaks: &["ERR-5"],
        make: || with_detail("traceback", || Value::string("Traceback (most recent call last)")),
    },
    Saboteur {
        name: "swallows-worker-death",
        roles: &[Role::Arbiter],
        does: "Says nothing to the clients of a worker that has died.",
        breaks: &["ERR-6"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                if message.error_type() != "DirtyWorkerError" {
                    hands.say(on, message);
                }
            })
        },
    },
];

struct Renames {
    from: &'static [&'static str],
    to: &'static str,
}

/// Gives errors of these types, or of all when none is named, another type.
fn renames(from: &'static [&'static str], to: &'static str) -> Box<dyn super::Fault> {
    Box::new(Renames { from, to })
}

impl super::Fault for Renames {
    fn sent(&mut self, on: super::fault::Line, message: &Message, hands: &mut super::fault::Hands) {
        if self.from.is_empty() || self.from.contains(&message.error_type()) {
            let to = Value::string(self.to);
            hands.say(on, &message.with_error(|error| drop(error.insert("error_type".into(), to))));
        } else {
            hands.say(on, message);
        }
    }
}

struct WithDetail {
    name: &'static str,
    value: fn() -> Value,
}

/// Puts a member into the details of every error.
fn with_detail(name: &'static str, value: fn() -> Value) -> Box<dyn super::Fault> {
    Box::new(WithDetail { name, value })
}

impl super::Fault for WithDetail {
    fn sent(&mut self, on: super::fault::Line, message: &Message, hands: &mut super::fault::Hands) {
        let message = message.with_error(|error| {
            if let Some(Value::Object(details)) = error.get_mut("details") {
                details.insert(self.name.into(), (self.value)());
            }
        });
        hands.say(on, &message);
    }
}
