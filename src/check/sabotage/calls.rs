//! Faults in ids, in the order of calls, in results, in cancellation and around dying workers.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::fault::{Calls, Fault, Hands, Line, Message, both, received, rewrites, sent};
use super::{SERVERS, Saboteur};
use crate::check::value::Value;
use crate::message::Role;

const ARBITER: &[Role] = &[Role::Arbiter];

/// How many requests run at the same time in the saboteur that runs the last first: the slots of the default setup.
const SLOTS: usize = 2;

/// What the saboteur that takes an id twice adds to the second.
const SECOND: &str = "-second";

/// What the saboteur that runs cancelled requests adds to the id of its own.
const GHOST: &str = "-ghost";

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "foreign-id",
        roles: SERVERS,
        does: "Answers with the id of another request.",
        breaks: &["CORR-1"],
        make: || {
            rewrites(|message| match message.id() {
                Some(_) => message.with("id", Value::string("the id of somebody else")),
                None => message.clone(),
            })
        },
    },
    Saboteur {
        name: "takes-duplicate-ids",
        roles: ARBITER,
        does: "Runs a request whose id is in flight already.",
        breaks: &["CORR-6"],
        make: || {
            both::<Calls>(
                |calls, on, message, hands| {
                    let again = message.is("request") && message.id().is_some_and(|id| calls.has(on, id));
                    calls.received(on, message);
                    match message.id().filter(|_| again) {
                        Some(id) => {
                            hands.tell(on, &message.with("id", Value::string(format!("{id}{SECOND}"))))
                        }
                        None => hands.tell(on, message),
                    }
                },
                |calls, on, message, hands| {
                    let id = message.id().and_then(|id| id.strip_suffix(SECOND));
                    let message = id.map_or(message.clone(), |id| message.with("id", Value::string(id)));
                    calls.sent(on, &message);
                    hands.say(on, &message);
                },
            )
        },
    },
    Saboteur {
        name: "ids-are-global",
        roles: ARBITER,
        does: "Refuses an id that is in flight on another connection.",
        breaks: &["CORR-7"],
        make: || {
            both::<Calls>(
                |calls, on, message, hands| {
                    let elsewhere =
                        |id: &str| calls.keys().iter().any(|(line, other)| *line != on && other == id);
                    if message.is("request") && message.id().is_some_and(elsewhere) {
                        hands.say(on, &Message::error(None, "DirtyProtocolError"));
                        return;
                    }
                    calls.received(on, message);
                    hands.tell(on, message);
                },
                Calls::say,
            )
        },
    },
    Saboteur {
        name: "mixes-connections",
        roles: ARBITER,
        does: "Sends every reply to the client that spoke last, and takes a cancel for one of all connections.",
        breaks: &["CORR-7", "CANCEL-2", "CORR-1"],
        make: || {
            both::<BTreeSet<(bool, Line)>>(
                |lines, on, message, hands| {
                    // The one that is marked spoke last.
                    let all: BTreeSet<Line> = lines.iter().map(|(_, line)| *line).chain([on]).collect();
                    *lines = all.iter().map(|line| (*line == on, *line)).collect();
                    match message.is("cancel") {
                        true => all.into_iter().for_each(|line| hands.tell(line, message)),
                        false => hands.tell(on, message),
                    }
                },
                |lines, on, message, hands| {
                    let last = lines.iter().find(|(last, _)| *last).map_or(on, |(_, line)| *line);
                    hands.say(last, message);
                },
            )
        },
    },
    Saboteur {
        name: "ids-are-used-once",
        roles: SERVERS,
        does: "Refuses an id that was used before on the same connection.",
        breaks: &["CORR-9"],
        make: || {
            received::<HashSet<(Line, String)>>(|used, on, message, hands| {
                let new = |id: &str| used.insert((on, id.to_string()));
                if message.is("request") && !message.id().is_none_or(new) {
                    hands.say(on, &Message::error(message.id(), "DirtyProtocolError"));
                } else {
                    hands.tell(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "result-as-a-stream",
        roles: SERVERS,
        does: "Answers a plain result with a chunk and an end.",
        breaks: &["CALL-2"],
        make: || {
            sent::<()>(|_, on, message, hands| match (message.get("result"), message.id()) {
                (Some(result), Some(id)) => {
                    hands.say(on, &Message::plain("chunk", id, Some(("data", result.clone()))));
                    hands.say(on, &Message::plain("end", id, None));
                }
                _ => hands.say(on, message),
            })
        },
    },
    Saboteur {
        name: "one-at-a-time",
        roles: SERVERS,
        does: "Starts a request when the one before it has ended.",
        breaks: &["CALL-3", "POOL-1", "POOL-13", "WORK-3"],
        make: || {
            Box::new(Queue {
                room: 1,
                take: VecDeque::pop_front,
                running: Calls::default(),
                waiting: VecDeque::new(),
            })
        },
    },
    Saboteur {
        name: "last-in-first-out",
        roles: ARBITER,
        does: "Runs the request that came last before those that came first.",
        breaks: &["POOL-2"],
        make: || {
            Box::new(Queue {
                room: SLOTS,
                take: VecDeque::pop_back,
                running: Calls::default(),
                waiting: VecDeque::new(),
            })
        },
    },
    Saboteur {
        name: "drops-pipelined-requests",
        roles: ARBITER,
        does: "Forgets a request that comes while another one of its connection runs.",
        breaks: &["CALL-3", "POOL-1", "CALL-1"],
        make: || {
            both::<Calls>(
                |calls, on, message, hands| {
                    if message.is("request") && calls.keys().iter().any(|(line, _)| *line == on) {
                        return;
                    }
                    calls.received(on, message);
                    hands.tell(on, message);
                },
                Calls::say,
            )
        },
    },
    Saboteur {
        name: "coroutine-not-awaited",
        roles: SERVERS,
        does: "Answers with the description of a coroutine instead of its result.",
        breaks: &["CALL-8"],
        make: || {
            replies(|_, action, message| match (action, message.get("result")) {
                ("whoami", Some(_)) => Some(message.with("result", Value::string("<coroutine object>"))),
                _ => None,
            })
        },
    },
    Saboteur {
        name: "new-process-for-every-call",
        roles: &[Role::Worker],
        does: "Runs every call in a process of its own.",
        breaks: &["WORK-9"],
        make: || {
            both::<u32>(
                |_, on, message, hands| hands.tell(on, message),
                |count, on, message, hands| match message.get("result").and_then(Value::as_object) {
                    Some(result) if result.contains_key("pid") => {
                        *count += 1;
                        let mut result = result.clone();
                        // Digits are a JSON text.
                        let pid = Value::parse(count.to_string().as_bytes()).unwrap_or(Value::Null);
                        result.insert("pid".into(), pid);
                        hands.say(on, &message.with("result", Value::Object(result)));
                    }
                    _ => hands.say(on, message),
                },
            )
        },
    },
    Saboteur {
        name: "ignores-cancel",
        roles: SERVERS,
        does: "Passes over cancel.",
        breaks: &["CANCEL-1", "CANCEL-4"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if !message.is("cancel") {
                    hands.tell(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "answers-unknown-cancel",
        roles: SERVERS,
        does: "Answers a cancel of a request that is not in flight with an error.",
        breaks: &["CANCEL-2"],
        make: || {
            both::<Calls>(
                |calls, on, message, hands| {
                    calls.received(on, message);
                    hands.tell(on, message);
                    if let (true, Some(id)) = (message.is("cancel"), message.id())
                        && !calls.has(on, id)
                    {
                        hands.say(on, &Message::error(Some(id), "DirtyProtocolError"));
                    }
                    if let (true, Some(id)) = (message.is("cancel"), message.id()) {
                        // It ends at once.
                        calls.sent(on, &Message::plain("end", id, None));
                    }
                },
                Calls::say,
            )
        },
    },
    Saboteur {
        name: "cancels-whatever-runs",
        roles: SERVERS,
        does: "Takes a cancel for one of the request that runs, whatever its id.",
        breaks: &["CANCEL-2", "CANCEL-1"],
        make: || {
            both::<Calls>(
                |calls, on, message, hands| {
                    calls.received(on, message);
                    let running = calls.keys().into_iter().find(|(line, _)| *line == on);
                    match running.filter(|_| message.is("cancel")) {
                        Some((_, id)) => hands.tell(on, &message.with("id", Value::string(id))),
                        None => hands.tell(on, message),
                    }
                },
                Calls::say,
            )
        },
    },
    Saboteur {
        name: "runs-cancelled-requests",
        roles: ARBITER,
        does: "Runs a request that was cancelled all the same, and throws its reply away.",
        breaks: &["CANCEL-3"],
        make: || {
            both::<Vec<(Line, Message)>>(
                |requests, on, message, hands| {
                    hands.tell(on, message);
                    if message.is("request") {
                        requests.push((on, message.clone()));
                    }
                    let cancelled = requests.iter().find(|(line, it)| *line == on && it.id() == message.id());
                    if let (true, Some((_, request)), Some(id)) =
                        (message.is("cancel"), cancelled, message.id())
                    {
                        hands.tell(on, &request.with("id", Value::string(format!("{id}{GHOST}"))));
                    }
                },
                |_, on, message, hands| {
                    if !message.id().is_some_and(|id| id.ends_with(GHOST)) {
                        hands.say(on, message);
                    }
                },
            )
        },
    },
    Saboteur {
        name: "swallows-queued-error",
        roles: ARBITER,
        does: "Loses the error of a request that waited in the queue.",
        breaks: &["CANCEL-1"],
        make: || {
            replies(|behind, _, message| {
                // An empty payload is not sent.
                (behind >= SLOTS && message.is("error")).then(|| Message::new(&b""[..]))
            })
        },
    },
    Saboteur {
        name: "fails-all-when-a-worker-dies",
        roles: ARBITER,
        does: "Fails every request in flight when one worker dies.",
        breaks: &["POOL-6"],
        make: || {
            both::<Calls>(Calls::tell, |calls, on, message, hands| {
                calls.sent(on, message);
                hands.say(on, message);
                if message.error_type() == "DirtyWorkerError" {
                    for (line, id) in calls.keys() {
                        hands.say(line, &message.with("id", Value::string(id)));
                    }
                    calls.clear();
                }
            })
        },
    },
    Saboteur {
        name: "retries-after-crash",
        roles: ARBITER,
        does: "Runs a request again and again while its workers die.",
        breaks: &["POOL-6"],
        make: || {
            both::<Vec<(Line, Message)>>(
                |requests, on, message, hands| {
                    hands.tell(on, message);
                    requests.push((on, message.clone()));
                },
                |requests, on, message, hands| {
                    let died = message.error_type() == "DirtyWorkerError";
                    let request = requests.iter().find(|(line, it)| *line == on && it.id() == message.id());
                    match request.filter(|_| died) {
                        Some((_, request)) => hands.tell(on, request),
                        None => hands.say(on, message),
                    }
                },
            )
        },
    },
    Saboteur {
        name: "never-replaces-workers",
        roles: ARBITER,
        does: "Has no workers any more when as many as there are have died.",
        breaks: &["POOL-7"],
        make: || {
            both::<usize>(
                |died, on, message, hands| match (*died >= SLOTS && message.is("request"), message.id()) {
                    (true, Some(id)) => {
                        hands.say(on, &Message::error(Some(id), "DirtyNoWorkersAvailableError"))
                    }
                    _ => hands.tell(on, message),
                },
                |died, on, message, hands| {
                    *died += usize::from(message.error_type() == "DirtyWorkerError");
                    hands.say(on, message);
                },
            )
        },
    },
];

/// Rewrites replies by the action that they answer, and by how many requests were in flight before it.
fn replies(rewrite: fn(usize, &str, &Message) -> Option<Message>) -> Box<dyn Fault> {
    Box::new(Replies { calls: Calls::default(), rewrite })
}

struct Replies {
    calls: Calls,
    rewrite: fn(usize, &str, &Message) -> Option<Message>,
}

impl Fault for Replies {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        self.calls.received(on, message);
        hands.tell(on, message);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let call = self.calls.sent(on, message);
        let other = call.and_then(|call| (self.rewrite)(call.behind, &call.action, message));
        match other {
            Some(nothing) if nothing.payload.is_empty() => {}
            Some(other) => hands.say(on, &other),
            None => hands.say(on, message),
        }
    }
}

type Waiting = VecDeque<(Line, Message)>;

/// Holds requests back while as many as there is room for run, on whatever connection.
struct Queue {
    room: usize,
    take: fn(&mut Waiting) -> Option<(Line, Message)>,
    running: Calls,
    waiting: Waiting,
}

impl Queue {
    fn start(&mut self, hands: &mut Hands) {
        while self.running.len() < self.room {
            let Some((on, message)) = (self.take)(&mut self.waiting) else { return };
            self.running.received(on, &message);
            hands.tell(on, &message);
        }
    }
}

impl Fault for Queue {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        if message.is("request") {
            self.waiting.push_back((on, message.clone()));
            self.start(hands);
        } else {
            hands.tell(on, message);
        }
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        hands.say(on, message);
        self.running.sent(on, message);
        self.start(hands);
    }
}
