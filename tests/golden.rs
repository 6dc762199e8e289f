//! Every golden transcript against the reference, over real sockets: one named test for each role that it judges.
//!
//! `cargo test --test golden -- framing` plays the transcripts of one area; `arbiter::` or `client-blocking::` one role.
//! A few subjects of each setup are shared by all tests, so that transcripts which wait do not wait for one another.

// What a test cannot unwrap is a failure of the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use dirty_arbiter::check::client::{ClientDriver, replay_client};
use dirty_arbiter::check::corpus;
use dirty_arbiter::check::delivery::Delivery;
use dirty_arbiter::check::drivers::{AsyncDriver, BlockingDriver};
use dirty_arbiter::check::replay::{Options, Outcome};
use dirty_arbiter::check::report;
use dirty_arbiter::check::requirements::Requirements;
use dirty_arbiter::check::run::{Played, SocketStage, Stage, Verdict};
use dirty_arbiter::check::spelling::Spelling;
use dirty_arbiter::check::subject::Source;
use dirty_arbiter::check::transcript::{Setup, Transcript};
use dirty_arbiter::message::Role;
use libtest_mimic::{Arguments, Failed, Trial};

/// Machines that run tests are busy: a conforming reply may take so many times longer than its step says.
const TIME_SCALE: f64 = 4.0;

/// A rewrite of a conversation that no conforming peer may notice.
type Rewrite = (Delivery, Spelling);

/// Each transcript as it is, and in every delivery and every spelling.
const REWRITES: [Rewrite; 5] = [
    (Delivery::Whole, Spelling::Plain),
    (Delivery::BytePerWrite, Spelling::Reversed),
    (Delivery::SplitHeader, Spelling::Spaced),
    (Delivery::Coalesced, Spelling::Escaped),
    (Delivery::Whole, Spelling::UnknownMembers),
];

/// How many subjects of one role and setup run at a time.
const SUBJECTS: usize = 4;

fn main() {
    let mut arguments = Arguments::from_args();
    // The tests wait more than they compute: for pauses that transcripts ask for.
    arguments.test_threads.get_or_insert(8);
    let pool = Arc::new(Pool::default());
    let mut trials = Vec::new();
    for transcript in corpus::transcripts().unwrap_or_else(|error| panic!("{error}")) {
        let transcript = Arc::new(transcript);
        for role in transcript.roles.clone() {
            match role {
                Role::Client => {
                    for rewrite in REWRITES {
                        trials.push(client(&transcript, "client-async", AsyncDriver, rewrite));
                        trials.push(client(&transcript, "client-blocking", BlockingDriver, rewrite));
                    }
                }
                Role::Arbiter | Role::Worker => {
                    trials.extend(REWRITES.map(|rewrite| subject(&pool, &transcript, role, rewrite)));
                }
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Subjects end before the process does: `exit` drops nothing.
    pool.end();
    conclusion.exit();
}

/// What is added to the name of a trial.
fn suffix((delivery, spelling): Rewrite) -> String {
    match (delivery, spelling) {
        (Delivery::Whole, Spelling::Plain) => String::new(),
        (Delivery::Whole, spelling) => format!("-{}", spelling.name()),
        (delivery, Spelling::Plain) => format!("-{}", delivery.name()),
        (delivery, spelling) => format!("-{}-{}", delivery.name(), spelling.name()),
    }
}

fn options((delivery, spelling): Rewrite) -> Options {
    Options { delivery, spelling, time_scale: TIME_SCALE }
}

fn subject(pool: &Arc<Pool>, transcript: &Arc<Transcript>, role: Role, rewrite: Rewrite) -> Trial {
    let (pool, transcript) = (Arc::clone(pool), Arc::clone(transcript));
    let name = format!("{role}{}::{}", suffix(rewrite), transcript.id);
    Trial::test(name, move || {
        let key = (role.as_str(), transcript.setup.clone());
        let mut stage = pool.take(&key, role);
        let options = options(rewrite);
        let played = stage.play(&transcript, &options);
        let verdict = match played {
            Ok(outcome) => judge(&transcript, outcome, stage.again(&transcript.id)),
            Err(error) => Err(error.to_string().into()),
        };
        if verdict.is_err() {
            stage.renew();
        }
        pool.give(key, stage);
        verdict
    })
}

fn client(
    transcript: &Arc<Transcript>,
    name: &str,
    mut driver: impl ClientDriver + Send + 'static,
    rewrite: Rewrite,
) -> Trial {
    let transcript = Arc::clone(transcript);
    let name = format!("{name}{}", suffix(rewrite));
    let again = format!("cargo test --test golden -- --exact {name}::{}", transcript.id);
    Trial::test(format!("{name}::{}", transcript.id), move || {
        let directory = tempfile::tempdir()?;
        let options = options(rewrite);
        let outcome = replay_client(&transcript, &mut driver, directory.path(), &options)?;
        judge(&transcript, outcome, again)
    })
}

fn judge(transcript: &Transcript, outcome: Outcome, again: String) -> Result<(), Failed> {
    let Outcome { trace, duration, failure, departures } = outcome;
    if let Some(departure) = departures.first() {
        // Whoever else may do without what a SHOULD asks for, the reference does it.
        return Err(
            format!("step {}: {} ({})", departure.step, departure.mismatch, departure.requirement).into()
        );
    }
    let Some(failure) = failure else { return Ok(()) };
    let requirements = Requirements::embedded()?;
    let verdict = Verdict::Failed(failure.clone());
    let played =
        Played { transcript: transcript.clone(), verdict, duration, trace: Some(trace), again, departures };
    Err(report::failure(&played, &failure, &requirements).into())
}

type Key = (&'static str, Setup);

/// Subjects that are free, and how many there are in all, by role and setup.
#[derive(Default)]
struct Pool {
    stages: Mutex<BTreeMap<Key, (Vec<SocketStage>, usize)>>,
    given: Condvar,
}

impl Pool {
    /// A free subject; one more, if there are not enough; else the next that is given back.
    fn take(&self, key: &Key, role: Role) -> SocketStage {
        let mut stages = self.stages.lock().unwrap();
        loop {
            let (free, count) = stages.entry(key.clone()).or_default();
            if let Some(stage) = free.pop() {
                return stage;
            }
            if *count < SUBJECTS {
                *count += 1;
                return SocketStage::new(role, Source::BuiltIn(PathBuf::from(env!("CARGO_BIN_EXE_dirty"))));
            }
            stages = self.given.wait(stages).unwrap();
        }
    }

    fn give(&self, key: Key, stage: SocketStage) {
        self.stages.lock().unwrap().entry(key).or_default().0.push(stage);
        self.given.notify_all();
    }

    fn end(&self) {
        self.stages.lock().unwrap().clear();
    }
}
