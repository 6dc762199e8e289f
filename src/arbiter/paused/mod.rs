//! The corpus on paused time: the arbiter's own event loop, connections in memory, and workers inside this process.
//!
//! When every task waits, the clock is moved to the next deadline. So a conversation takes as long as its bytes do, and it
//! runs the same whatever else the machine does.

// What a test cannot unwrap is a failure of the test.
#![allow(clippy::unwrap_used)]

pub(super) mod pipe;
mod player;
mod worker;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

use self::pipe::End;
use self::player::Player;
use self::worker::VirtualWorker;
use super::core::{AppAllocation, Event, WorkerExit, WorkerId};
use super::hooks::{ArbiterInfo, HookRunner};
use super::hub::{Hub, Order, WorkerStart};
use super::launcher::Launcher;
use super::socket::OwnedSocket;
use super::stream::Stream;
use super::{ArbiterConfig, client_link, slot_link, tasks};
use crate::check::corpus;
use crate::check::transcript::{Setup, Transcript};
use crate::message::Role;
use crate::wire::Codec;

/// What a transcript is played against.
enum Subject {
    Arbiter(Rc<Hub>),
    Worker(Rc<VirtualWorker>),
}

impl Subject {
    /// Makes the subject ready.
    fn start(role: Role, setup: &Setup, directory: &Path) -> Subject {
        if role == Role::Worker {
            let threads = usize::try_from(setup.threads).unwrap();
            return Subject::Worker(VirtualWorker::start(&directory.join("v"), &setup.apps, threads));
        }
        let mut config = ArbiterConfig::new(directory.join("a"), Vec::new());
        config.pool.apps = setup.apps.iter().map(AppAllocation::everywhere).collect();
        config.pool.workers = usize::try_from(setup.workers).unwrap();
        config.pool.threads = u32::try_from(setup.threads).unwrap();
        config.pool.timeout = setup.timeout;
        let (socket, _listener) = OwnedSocket::bind(&config.socket, &config.access).unwrap();
        let arbiter = ArbiterInfo { pid: 0, socket: config.socket.clone(), version: "" };
        let hooks = HookRunner::start(None, arbiter).unwrap();
        let (orders, ordered) = tokio::sync::mpsc::unbounded_channel();
        let hub = Hub::new(config, socket, Launcher::start().unwrap(), hooks, orders, None);
        hub.feed(Event::Start);
        let timers = Rc::clone(&hub);
        tasks::spawn(async move { timers.run_timers().await });
        tasks::spawn(obey(Rc::clone(&hub), ordered, directory.to_owned()));
        Subject::Arbiter(hub)
    }

    /// Opens a connection to the subject.
    fn connect(&self) -> End {
        let (ours, theirs) = pipe::pair();
        match self {
            Subject::Arbiter(hub) => {
                tasks::spawn(client_link::run(Rc::clone(hub), Stream::Memory(theirs)));
            }
            Subject::Worker(worker) => {
                tasks::spawn(Rc::clone(worker).serve(theirs));
            }
        }
        ours
    }
}

/// Starts workers and opens slots, as an arbiter's event loop does.
async fn obey(hub: Rc<Hub>, mut orders: UnboundedReceiver<Order>, directory: std::path::PathBuf) {
    let workers: Rc<RefCell<HashMap<WorkerId, Rc<VirtualWorker>>>> = Rc::default();
    while let Some(order) = orders.recv().await {
        match order {
            Order::StartWorker(WorkerStart { worker: id, apps, config, .. }) => {
                let socket = directory.join(format!("v{id}"));
                let worker = VirtualWorker::start(&socket, &apps, config.pool.threads as usize);
                workers.borrow_mut().insert(id, Rc::clone(&worker));
                hub.feed(Event::Spawned(id));
                hub.feed(Event::Ready(id));
                let hub = Rc::clone(&hub);
                tasks::spawn(async move {
                    worker.died.notified().await;
                    let exit = worker.exit().map_or(WorkerExit::Unknown, WorkerExit::Code);
                    hub.feed(Event::Exited { worker: id, exit });
                });
            }
            Order::OpenSlot(slot) => {
                let worker = workers.borrow().get(&slot.worker).cloned().unwrap();
                let (arbiter, ours) = pipe::pair();
                tasks::spawn(worker.serve(ours));
                tasks::spawn(slot_link::serve(Rc::clone(&hub), slot, Stream::Memory(arbiter)));
            }
            Order::Reload => hub.reload(None),
        }
    }
}

/// Plays a transcript on a clock of its own.
fn play(transcript: &Transcript, role: Role, codec: Codec) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let played = LocalSet::new().block_on(&runtime, async {
        let subject = Subject::start(role, &transcript.setup, directory.path());
        Player::new(transcript, role, codec, &subject).play().await
    });
    // Launcher threads hold handles of the runtime.
    runtime.shutdown_background();
    played
}

fn play_all(role: Role) {
    let begun = std::time::Instant::now();
    let transcripts: Vec<Transcript> = corpus::transcripts().unwrap();
    let judged: Vec<&Transcript> = transcripts.iter().filter(|transcript| transcript.judges(role)).collect();
    let failures: Vec<String> = judged
        .iter()
        .filter_map(|transcript| {
            Some(format!("{}: {}", transcript.id, play(transcript, role, Codec::Json).err()?))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), judged.len(), failures.join("\n"));
    assert!(judged.len() > 100, "only {} transcripts judge {role}", judged.len());
    println!("{} transcripts on the {role}: {:?}", judged.len(), begun.elapsed());
}

#[test]
fn every_transcript_of_an_arbiter_passes_on_paused_time() {
    play_all(Role::Arbiter);
}

#[test]
fn every_transcript_of_a_worker_passes_on_paused_time() {
    play_all(Role::Worker);
}

/// What is otherwise in the binary codec, and why.
const OTHERWISE_IN_GD: [(&str, &str); 6] = [
    ("correlation/id-in-flight-refused", "an id in details is the number (GD-9)"),
    ("correlation/id-of-a-running-stream-refused", "an id in details is the number (GD-9)"),
    ("errors/result-nan", "its client reads NaN (GD-12)"),
    ("values/big-integers", "its client reads hints (GD-12)"),
    ("values/bytes-without-hints", "its client reads bytes (GD-12)"),
    ("values/hinted-argument-without-accept-hints", "its client reads bytes (GD-12)"),
];

/// Every transcript that is about messages, by a client of the binary codec (GD-10): the rules are the same.
#[test]
fn every_transcript_of_messages_passes_in_the_binary_codec() {
    let transcripts = corpus::transcripts().unwrap();
    let mut played = 0;
    let mut failures = Vec::new();
    for transcript in transcripts.iter().filter(|it| it.judges(Role::Arbiter) && !it.malformed) {
        let otherwise = OTHERWISE_IN_GD.iter().any(|(id, _)| *id == transcript.id);
        match play(transcript, Role::Arbiter, Codec::Gd) {
            Err(_) if otherwise => continue,
            Ok(()) if otherwise => failures.push(format!("{}: passes, but is listed", transcript.id)),
            Err(problem) if problem.ends_with(player::NOT_IN_CODEC) => continue,
            Err(problem) => failures.push(format!("{}: {problem}", transcript.id)),
            Ok(()) => (),
        }
        played += 1;
    }
    assert!(failures.is_empty(), "{} of {played} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(played > 90, "only {played} transcripts can be played");
    println!("{played} transcripts in gd/1");
}
