//! Chaos: an arbiter under load, while its workers are killed and stopped, its pool is reloaded and resized, clients vanish
//! and strangers send garbage. Every request is accounted for: answered correctly, or failed with the right type; none
//! lost, none crossed; and in the end everything is as it was.
//!
//! `CHAOS_SEED=n` repeats a run, `CHAOS_SECONDS=n` makes it longer. The order in which processes are scheduled is not part
//! of the seed.

// What a test cannot unwrap is a failure of the test.
#![allow(clippy::unwrap_used)]

mod client;
mod ledger;
mod storm;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dirty_arbiter::control::{ControlClient, WorkerState};
use ledger::Tally;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use storm::Storm;

/// Each of the tests wants the machine for itself.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_is_lost_crossed_or_leaked() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    chaos().unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn kill_9_under_load_leaves_nothing_and_the_path_is_free() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    kill_9_under_load().unwrap_or_else(|problem| panic!("{problem}"));
}

/// The client processes are this program again, told by the variable what to do.
#[test]
fn client_process() {
    if let Ok(order) = std::env::var(CLIENT) {
        let words: Vec<&str> = order.splitn(3, ' ').collect();
        let [name, seed, socket] = words[..] else { panic!("{order}") };
        client::run(Path::new(socket), name, seed.parse().unwrap());
    }
}

const CLIENT: &str = "CHAOS_CLIENT";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The arbiter under test, in a directory of its own.
struct Arbiter {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    _directory: tempfile::TempDir,
}

impl Arbiter {
    fn start() -> Arbiter {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("run/d.sock");
        let log = directory.path().join("log");
        let child = Arbiter::spawn(&socket, &log);
        Arbiter { child, socket, log, _directory: directory }
    }

    fn spawn(socket: &Path, log: &Path) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
        command.args([
            "serve",
            "--workers",
            "3",
            "--threads",
            "2",
            "--timeout",
            "3",
            "--cancel-grace",
            "0.3",
        ]);
        command.args([
            "--queue",
            "200",
            "--queue-timeout",
            "10",
            "--graceful-timeout",
            "10",
            "--watchdog",
            "2",
        ]);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        command.arg("--socket").arg(socket).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on"), "{line}");
        child
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        send_signal(u64::from(self.pid()), signal);
    }

    /// Its worker processes.
    fn workers(&self) -> Vec<u64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let pids: Vec<u64> = children
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        pids.into_iter().filter(|pid| runs(*pid)).collect()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Sockets and whatever else lies in the directory of its socket: two of every worker are there.
    fn files(&self) -> usize {
        fn count(directory: &Path) -> usize {
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            entries.map(|entry| 1 + count(&entry.path())).sum()
        }
        count(self.socket.parent().unwrap())
    }

    /// What it still holds of anybody's, by its own account; `None` when it is at rest, with all its workers ready.
    fn unrest(&self) -> Option<String> {
        let status = match ControlClient::new(&self.socket).limit(Duration::from_secs(5)).status() {
            Ok(status) => status,
            Err(error) => return Some(error.to_string()),
        };
        let requests: u64 = status.apps.iter().map(|app| app.queued + app.running).sum();
        let ready = status.workers.iter().filter(|worker| worker.state == WorkerState::Ready).count();
        let (workers, connections) = (status.workers.len(), status.arbiter.connections);
        let reloading = status.arbiter.reloading;
        let at_rest = (requests, connections, ready, workers, reloading) == (0, 0, 3, 3, false);
        (!at_rest).then(|| {
            format!(
                "{requests} requests, {connections} connections, {ready} of {workers} workers ready, reloading: {reloading}"
            )
        })
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
    }
}

impl Drop for Arbiter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that may be gone already.
fn send_signal(pid: u64, signal: Signal) {
    let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal);
}

/// Whether a process runs (a zombie does not).
fn runs(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Result<Duration, String> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > limit {
            return Err(format!("not within {limit:?}: {what}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(start.elapsed())
}

/// Client processes under way.
struct Clients(Vec<Child>);

impl Clients {
    fn start(socket: &Path, count: u64, seed: u64) -> Clients {
        let start = |number: u64| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "client_process", "--nocapture"]);
            command.env(CLIENT, format!("c{number} {} {}", seed + number, socket.display()));
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        Clients((0..count).map(start).collect())
    }

    /// Lets them finish what they have asked for, and adds up what became of it.
    fn stop(mut self) -> Result<Tally, String> {
        self.0.iter_mut().for_each(|client| drop(client.stdin.take()));
        let mut all = Tally::default();
        for client in &mut self.0 {
            let mut text = String::new();
            client.stdout.take().unwrap().read_to_string(&mut text).map_err(|error| error.to_string())?;
            let line = text.lines().find(|line| line.starts_with('{')).unwrap_or(&text);
            let tally =
                serde_json::from_str(line).map_err(|error| format!("a client broke: {error}: {text}"))?;
            all.add(Tally::from_json(&tally));
        }
        Ok(all)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for client in &mut self.0 {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

fn chaos() -> Result<(), String> {
    let seed = number("CHAOS_SEED", u64::from(std::process::id()));
    let seconds = number("CHAOS_SECONDS", 15);
    let arbiter = Arbiter::start();
    within(Duration::from_secs(20), "three ready workers", || {
        let log = std::fs::read_to_string(&arbiter.log).unwrap_or_default();
        log.matches("worker is ready").count() == 3
    })?;
    // What one quiet round of calls leaves behind is the base.
    Clients::start(&arbiter.socket, 1, seed).stop()?;
    let base = within(Duration::from_secs(10), "a quiet arbiter", || arbiter.workers().len() == 3)
        .map(|_| (arbiter.descriptors(), arbiter.resident_kib(), arbiter.files()))?;
    let clients = Clients::start(&arbiter.socket, 3, seed);
    let mut storm = Storm::new(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        storm.strike(&arbiter);
    }
    storm.calm(&arbiter);
    let tally = clients.stop()?;
    let outcomes: Vec<String> =
        tally.outcomes.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let ended: u64 = tally.outcomes.values().sum();
    println!("seed {seed}, {seconds} s");
    println!("requests: {} asked, {ended} ended: {}", tally.asked, outcomes.join(", "));
    println!("storm: {}", storm.summary());
    let problem = |what: &str| format!("{what} (CHAOS_SEED={seed} CHAOS_SECONDS={seconds})");
    if let Some(first) = tally.wrong.first() {
        return Err(problem(&format!("{} wrong, the first: {first}", tally.wrong.len())));
    }
    if tally.asked != ended {
        return Err(problem(&format!("{} requests have no end", tally.asked - ended)));
    }
    within(Duration::from_secs(20), "three workers again", || arbiter.workers().len() == 3)
        .map_err(|e| problem(&e))?;
    within(Duration::from_secs(20), "rest", || arbiter.unrest().is_none())
        .map_err(|error| problem(&format!("{error}: {}", arbiter.unrest().unwrap_or_default())))?;
    within(Duration::from_secs(10), "the files of the beginning", || arbiter.files() == base.2)
        .map_err(|error| problem(&format!("{error}: {} and not {}", arbiter.files(), base.2)))?;
    within(Duration::from_secs(10), "the descriptors of the beginning", || arbiter.descriptors() <= base.0)
        .map_err(|error| problem(&format!("{error}: {} and not {}", arbiter.descriptors(), base.0)))?;
    let grown = arbiter.resident_kib().saturating_sub(base.1);
    println!("in the end: {} descriptors as before, {grown} KiB more resident", base.0);
    if grown > 48 * 1024 {
        return Err(problem(&format!("{grown} KiB were not given back")));
    }
    graceful_end(arbiter).map_err(|error| problem(&error))
}

/// SIGTERM: exit code 0, no process and no file left.
fn graceful_end(mut arbiter: Arbiter) -> Result<(), String> {
    let workers = arbiter.workers();
    arbiter.signal(Signal::SIGTERM);
    let status = arbiter.child.wait().map_err(|error| error.to_string())?;
    if status.code() != Some(0) {
        let log = std::fs::read_to_string(&arbiter.log).unwrap_or_default();
        return Err(format!("it ended with {status}: {}", log.lines().last().unwrap_or_default()));
    }
    within(Duration::from_secs(2), "no worker is left", || !workers.iter().any(|pid| runs(*pid)))?;
    let left: Vec<_> = std::fs::read_dir(arbiter.socket.parent().unwrap()).unwrap().flatten().collect();
    if left.is_empty() { Ok(()) } else { Err(format!("files are left: {left:?}")) }
}

fn kill_9_under_load() -> Result<(), String> {
    let mut arbiter = Arbiter::start();
    within(Duration::from_secs(20), "three workers", || arbiter.workers().len() == 3)?;
    let clients = Clients::start(&arbiter.socket, 2, 1);
    let mut busy = BTreeMap::new();
    within(Duration::from_secs(10), "load", || {
        busy = arbiter.workers().into_iter().map(|pid| (pid, ())).collect();
        arbiter.descriptors() > 15
    })?;
    arbiter.signal(Signal::SIGKILL);
    let gone = within(Duration::from_secs(2), "all workers are gone", || !busy.keys().any(|pid| runs(*pid)))?;
    drop(clients);
    let _ = arbiter.child.wait();
    arbiter.child = Arbiter::spawn(&arbiter.socket, &arbiter.log);
    let tally = {
        let clients = Clients::start(&arbiter.socket, 1, 2);
        within(Duration::from_secs(20), "three workers again", || arbiter.workers().len() == 3)?;
        clients.stop()?
    };
    println!(
        "{} workers were gone {gone:?} after the SIGKILL; the next arbiter took the same path",
        busy.len()
    );
    match tally.wrong.first() {
        None => graceful_end(arbiter),
        Some(first) => Err(format!("after the restart: {first}")),
    }
}
