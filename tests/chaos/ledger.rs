//! Who asked for what, and what came back: every message is checked, every request accounted for.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// What a request asks for, and so which answers are right.
#[derive(Debug, Clone)]
pub enum Ask {
    /// The token back.
    Echo,
    /// The token back after a pause, in seconds.
    Sleep(f64),
    /// The numbers from 0, so many.
    Count(u64),
    /// The same with a pause between them.
    SlowCount(u64, f64),
    /// So many numbers, then the failure "boom".
    CountThenFail(u64),
    /// A text of this length.
    Big(u64),
    /// A failure with the token as its text.
    Fail,
    /// The worker's end.
    Die,
    /// Nothing, until the request's own time is over.
    Hang,
    /// An app that nobody has.
    NoApp,
}

/// A request in flight.
#[derive(Debug)]
pub struct Open {
    ask: Ask,
    /// Chunks received.
    chunks: u64,
    pub cancelled: bool,
}

/// How requests ended, by outcome; what never may happen is kept word by word.
#[derive(Debug, Default)]
pub struct Tally {
    pub asked: u64,
    pub outcomes: BTreeMap<String, u64>,
    pub wrong: Vec<String>,
}

impl Tally {
    pub fn count(&mut self, outcome: &str) {
        *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: Tally) {
        self.asked += other.asked;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.wrong.extend(other.wrong);
    }

    pub fn to_json(&self) -> Value {
        json!({"asked": self.asked, "outcomes": self.outcomes, "wrong": self.wrong})
    }

    pub fn from_json(value: &Value) -> Tally {
        let outcomes = value["outcomes"].as_object().into_iter().flatten();
        Tally {
            asked: value["asked"].as_u64().unwrap(),
            outcomes: outcomes.map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect(),
            wrong: serde_json::from_value(value["wrong"].clone()).unwrap(),
        }
    }
}

/// One connection's requests.
#[derive(Debug)]
pub struct Ledger {
    random: StdRng,
    name: String,
    next: u64,
    pub open: BTreeMap<String, Open>,
    pub tally: Tally,
}

impl Ledger {
    /// `name` is unique among all connections of the test, so that a reply to somebody else is told apart.
    pub fn new(name: String, seed: u64) -> Ledger {
        Ledger {
            random: StdRng::seed_from_u64(seed),
            name,
            next: 0,
            open: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.random.random_range(0..1000) < per_mille
    }

    /// Makes up a request; returns its id and its text.
    pub fn ask(&mut self) -> (String, String) {
        let random = &mut self.random;
        let ask = match random.random_range(0..1000) {
            0..450 => Ask::Echo,
            450..500 => Ask::NoApp,
            500..600 => Ask::Sleep(f64::from(random.random_range(0..50u32)) / 1000.0),
            600..750 => Ask::Count(random.random_range(0..200)),
            750..800 => Ask::SlowCount(random.random_range(1..8), 0.005),
            800..850 => Ask::CountThenFail(random.random_range(0..20)),
            850..880 => Ask::Big(random.random_range(1..300_000)),
            880..970 => Ask::Fail,
            970..978 => Ask::Die,
            978..985 => Ask::Hang,
            _ => Ask::NoApp,
        };
        self.next += 1;
        let id = format!("{}-{}", self.name, self.next);
        let (action, args) = match &ask {
            Ask::Echo => ("echo", json!([id])),
            Ask::Sleep(seconds) => ("sleep", json!([seconds, id])),
            Ask::Count(n) => ("count", json!([n])),
            Ask::SlowCount(n, seconds) => ("slow_count", json!([n, seconds])),
            Ask::CountThenFail(n) => ("count_then_fail", json!([n])),
            Ask::Big(n) => ("big", json!([n])),
            Ask::Fail => ("fail", json!([id])),
            Ask::Die => ("die", json!([7])),
            Ask::Hang => ("hang", json!([])),
            Ask::NoApp => ("echo", json!([])),
        };
        let app_path = if matches!(ask, Ask::NoApp) { "no:App" } else { "fixture:App" };
        let mut request = json!({"type": "request", "id": id, "app_path": app_path, "action": action, "args": args, "kwargs": {}});
        if matches!(ask, Ask::Hang) {
            request["timeout"] = json!(0.2);
        }
        self.open.insert(id.clone(), Open { ask, chunks: 0, cancelled: false });
        self.tally.asked += 1;
        (id, request.to_string())
    }

    /// Checks a message that came; counts it when it ends a request.
    pub fn receive(&mut self, message: &Value) {
        let id = message["id"].as_str().unwrap_or_default().to_owned();
        let Some(open) = self.open.get_mut(&id) else {
            // Every name is unique: a reply to somebody else, or a second end.
            return self.tally.wrong.push(format!("crossed or doubled: {}", clipped(message)));
        };
        let verdict = match message["type"].as_str().unwrap_or_default() {
            "chunk" => {
                let expected = open.chunks;
                open.chunks += 1;
                match open.ask {
                    Ask::Count(n) | Ask::SlowCount(n, _) | Ask::CountThenFail(n)
                        if message["data"] == expected && expected < n =>
                    {
                        return;
                    }
                    _ => Err("a chunk that is not the next one"),
                }
            }
            "response" => match &open.ask {
                Ask::Echo if message["result"]["args"] == json!([id]) => Ok("response".to_owned()),
                Ask::Sleep(_) if message["result"] == id => Ok("response".to_owned()),
                Ask::Big(n) if message["result"].as_str().is_some_and(|text| text.len() as u64 == *n) => {
                    Ok("response".to_owned())
                }
                _ => Err("a response that is not its own"),
            },
            "end" => match open.ask {
                Ask::Count(n) | Ask::SlowCount(n, _) if open.chunks == n => Ok("end".to_owned()),
                _ => Err("an end before the end"),
            },
            "error" => error(open, &id, &message["error"]),
            _ => Err("an unknown message"),
        };
        match verdict {
            Ok(outcome) => self.tally.count(&outcome),
            Err(problem) => {
                let message = clipped(message);
                self.tally.wrong.push(format!("{problem}: {message} for {open:?}"));
            }
        }
        self.open.remove(&id);
    }
}

/// Whether an error is one that this request may end with, while workers are killed and stopped.
fn error(open: &Open, id: &str, error: &Value) -> Result<String, &'static str> {
    let kind = error["error_type"].as_str().unwrap_or_default();
    let message = error["message"].as_str().unwrap_or_default();
    let own = match (&open.ask, kind) {
        (Ask::Fail, "DirtyAppError") => message == id,
        (Ask::CountThenFail(n), "DirtyAppError") => message == "boom" && open.chunks == *n,
        (Ask::NoApp, "DirtyAppNotFoundError") => true,
        (Ask::Hang, "DirtyTimeoutError") => error["details"]["timeout"] == 0.2,
        (_, "DirtyCancelledError") => open.cancelled,
        // Workers are killed, and stopped ones run into the pool's limits.
        (Ask::NoApp, _) => false,
        (_, "DirtyWorkerError" | "DirtyTimeoutError" | "DirtyOverloadedError") => true,
        _ => false,
    };
    if own { Ok(kind.to_owned()) } else { Err("an error of the wrong kind") }
}

fn clipped(message: &Value) -> String {
    message.to_string().chars().take(300).collect()
}
