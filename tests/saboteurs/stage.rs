//! Honest subjects to put relays before: shared by all plays, idle at the start of each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dirty_arbiter::check::client::replay_client;
use dirty_arbiter::check::drivers::AsyncDriver;
use dirty_arbiter::check::replay::{Options, Outcome, replay};
use dirty_arbiter::check::sabotage::{Sabotaged, Saboteur};
use dirty_arbiter::check::subject::{Running, Source};
use dirty_arbiter::check::transcript::{Setup, Transcript};
use dirty_arbiter::client::blocking::Client;
use dirty_arbiter::control::{ControlClient, WorkerState};
use dirty_arbiter::message::Role;

/// How long a subject may take to end what the play before has left running. Else another is started.
const SETTLE: Duration = Duration::from_millis(300);

/// An honest subject on a busy machine may take so many times longer than a step says.
const PATIENCE: f64 = 4.0;

/// The shortest time that a step waits for a saboteur which says nothing.
const SHORTEST: Duration = Duration::from_millis(400);

type Key = (&'static str, Setup);

#[derive(Default)]
pub struct Stages {
    idle: Mutex<BTreeMap<Key, Vec<Running>>>,
    /// How long each transcript takes when nothing is wrong.
    times: Mutex<BTreeMap<(String, &'static str), Duration>>,
}

impl Stages {
    /// Plays against the honest role behind a saboteur, or behind a relay that changes nothing.
    pub fn play(
        &self,
        transcript: &Transcript,
        role: Role,
        saboteur: Option<&'static Saboteur>,
        time_scale: f64,
    ) -> Outcome {
        let options = Options { time_scale, ..Options::default() };
        if role == Role::Client {
            let directory = tempfile::tempdir().unwrap();
            let mut driver = Sabotaged::new(AsyncDriver, saboteur);
            return replay_client(transcript, &mut driver, directory.path(), &options).unwrap();
        }
        let key = (role.as_str(), transcript.setup.clone());
        let mut running = self.take(&key, role);
        running.sabotage(saboteur, role).unwrap();
        let outcome = replay(transcript, role, running.socket(), &options);
        running.stop_sabotage();
        self.idle.lock().unwrap().entry(key).or_default().push(running);
        outcome
    }

    /// Whether the transcript catches the saboteur in one of so many tries.
    pub fn catches(
        &self,
        transcript: &Transcript,
        role: Role,
        saboteur: &'static Saboteur,
        tries: usize,
    ) -> bool {
        // No longer than an honest subject may need: most faults show in silence.
        let honest = self.honest_time(transcript, role).unwrap_or_default();
        let within = dirty_arbiter::check::transcript::DEFAULT_WITHIN;
        let scale = (SHORTEST + 2 * honest).as_secs_f64() / within.as_secs_f64();
        (0..tries).any(|_| self.play(transcript, role, Some(saboteur), scale.min(1.0)).failure.is_some())
    }

    /// How long it takes behind a relay that changes nothing, or why it fails there.
    pub fn honest_time(&self, transcript: &Transcript, role: Role) -> Result<Duration, String> {
        let key = (transcript.id.clone(), role.as_str());
        if let Some(time) = self.times.lock().unwrap().get(&key) {
            return Ok(*time);
        }
        let outcome = self.play(transcript, role, None, PATIENCE);
        match outcome.failure {
            Some(failure) => Err(failure.to_string()),
            None => Ok(*self.times.lock().unwrap().entry(key).or_insert(outcome.duration)),
        }
    }

    fn take(&self, key: &Key, role: Role) -> Running {
        loop {
            let found = self.idle.lock().unwrap().entry(key.clone()).or_default().pop();
            let Some(mut running) = found else { break };
            if settles(&mut running, role) {
                return running;
            }
        }
        let source = Source::BuiltIn(PathBuf::from(env!("CARGO_BIN_EXE_dirty")));
        let mut running = source.start(role, &key.1).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !settles(&mut running, role) {
            assert!(Instant::now() < deadline, "a fresh {role} does not become idle");
        }
        running
    }

    pub fn end(&self) {
        self.idle.lock().unwrap().clear();
    }
}

/// Waits until nothing runs there any more.
fn settles(running: &mut Running, role: Role) -> bool {
    let deadline = Instant::now() + SETTLE;
    while running.is_alive() && Instant::now() < deadline {
        let idle = match role {
            Role::Arbiter => arbiter_is_idle(running),
            _ => worker_is_idle(running),
        };
        if idle {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn arbiter_is_idle(running: &Running) -> bool {
    let status = ControlClient::new(running.socket()).limit(SETTLE).status();
    status.is_ok_and(|status| {
        status.apps.iter().all(|app| app.running + app.queued == 0)
            && status.workers.len() as u64 == status.arbiter.target_workers
            && status.workers.iter().all(|worker| worker.state == WorkerState::Ready && worker.busy == 0)
    })
}

fn worker_is_idle(running: &Running) -> bool {
    let client = Client::connect(running.socket());
    let call = client.call("fixture:App", "echo").timeout(SETTLE);
    call.execute::<Box<serde_json::value::RawValue>>().is_ok()
}
