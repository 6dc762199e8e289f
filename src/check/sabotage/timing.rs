//! Faults around time limits, and what comes after them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::Saboteur;
use super::fault::{Fault, Hands, Line, Message, misreads, received};
use crate::check::value::Value;
use crate::message::Role;

const ARBITER: &[Role] = &[Role::Arbiter];

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "ignores-timeouts",
        roles: ARBITER,
        does: "Never ends a request for taking too long.",
        breaks: &["TIME-1", "TIME-2", "TIME-3"],
        make: || misreads(|message| message.without("timeout")),
    },
    Saboteur {
        name: "times-out-at-once",
        roles: ARBITER,
        does: "Ends every request that has a timeout at once.",
        breaks: &["TIME-1", "TIME-2"],
        make: || {
            received::<()>(|_, on, message, hands| match (message.get("timeout"), message.id()) {
                (Some(_), Some(id)) => hands.say(on, &Message::error(Some(id), "DirtyTimeoutError")),
                _ => hands.tell(on, message),
            })
        },
    },
    Saboteur {
        name: "late-reply",
        roles: ARBITER,
        does: "Delivers the replies of a request that has timed out or was cancelled, behind its error.",
        breaks: &["TIME-9", "CALL-1"],
        make: || Box::new(Limiter::new(Late::Delivered)),
    },
    Saboteur {
        name: "dead-slot-reused",
        roles: ARBITER,
        does: "Sends the next request to the slot of one that has timed out or was cancelled, and takes the late reply for its own.",
        breaks: &["TIME-4", "TIME-9", "CORR-9"],
        make: || Box::new(Limiter::new(Late::TakenForTheNext)),
    },
    Saboteur {
        name: "timeout-bounds-the-stream",
        roles: ARBITER,
        does: "Applies a timeout to a stream as a whole.",
        breaks: &["TIME-1"],
        make: || Box::new(Limiter::new(Late::Dropped)),
    },
];

/// What becomes of the reply to a request that was ended.
#[derive(Clone, Copy, PartialEq)]
enum Late {
    Dropped,
    Delivered,
    TakenForTheNext,
}

/// Keeps limits and cancellation from the honest arbiter, and applies them itself.
struct Limiter {
    late: Late,
    /// Requests with a limit, by the token of their alarm.
    alarms: BTreeMap<u64, (Line, String)>,
    next: u64,
    /// Requests that run; whether they were ended.
    running: HashMap<(Line, String), bool>,
    /// The request that waits for the late reply, on each line.
    waits: HashMap<Line, Vec<String>>,
}

impl Limiter {
    fn new(late: Late) -> Limiter {
        let (alarms, running, waits) = Default::default();
        Limiter { late, alarms, next: 0, running, waits }
    }

    fn end(&mut self, on: Line, id: &str, error_type: &str, hands: &mut Hands) {
        if let Some(ended) = self.running.get_mut(&(on, id.to_string()))
            && !*ended
        {
            *ended = true;
            hands.say(
                on,
                &Message::error(Some(id), error_type).with_error(|error| {
                    if error_type == "DirtyTimeoutError"
                        && let (Some(Value::Object(details)), Ok(timeout)) =
                            (error.get_mut("details"), Value::parse(b"0.15"))
                    {
                        details.insert("timeout".into(), timeout);
                        details.insert("phase".into(), Value::string("run"));
                    }
                }),
            );
        }
    }
}

impl Fault for Limiter {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let Some(id) = message.id().map(str::to_string) else { return hands.tell(on, message) };
        if message.is("cancel") && self.late != Late::Dropped {
            return self.end(on, &id, "DirtyCancelledError", hands);
        }
        if message.is("request") {
            let ended = self.running.iter().any(|((line, _), ended)| *line == on && *ended);
            if self.late == Late::TakenForTheNext && ended {
                self.waits.entry(on).or_default().push(id);
                return;
            }
            self.running.insert((on, id.clone()), false);
        }
        let limit = message.get("timeout").map(ToString::to_string).and_then(|text| text.parse().ok());
        let limit = limit.and_then(|limit: f64| Duration::try_from_secs_f64(limit).ok());
        match limit {
            Some(limit) => {
                self.next += 1;
                self.alarms.insert(self.next, (on, id));
                hands.wake(limit, self.next);
                hands.tell(on, &message.without("timeout"));
            }
            None => hands.tell(on, message),
        }
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let key = (on, message.id().unwrap_or("").to_string());
        let ended = self.running.get(&key).copied().unwrap_or(false);
        if message.is_terminal() {
            self.running.remove(&key);
        }
        match (ended, self.late) {
            (false, _) | (true, Late::Delivered) => hands.say(on, message),
            (true, Late::Dropped) => {}
            (true, Late::TakenForTheNext) => {
                let waits = self.waits.entry(on).or_default();
                if !waits.is_empty() {
                    hands.say(on, &message.with("id", Value::string(waits.remove(0))));
                }
            }
        }
    }

    fn woken(&mut self, token: u64, hands: &mut Hands) {
        if let Some((on, id)) = self.alarms.remove(&token) {
            self.end(on, &id, "DirtyTimeoutError", hands);
        }
    }
}
