//! The core's vocabulary: who is who, what can happen, and what is to be done about it.

use std::time::Duration;

use super::config::CoreConfig;
use crate::message::ErrorType;

/// A client connection, numbered by the shell; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// One incarnation of a worker process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

/// One connection to a worker, carrying one request at a time (WORK-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId {
    /// The worker it leads to.
    pub worker: WorkerId,
    /// Its number among that worker's slots, from 0.
    pub index: u32,
}

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for SlotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.worker, self.index)
    }
}

/// What a worker's frame is, as far as the core cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// One item of a stream.
    Chunk,
    /// The one result of a plain call.
    Response,
    /// The end of a stream.
    End,
    /// An error, which ends a call or a stream.
    Error,
}

/// How a worker process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerExit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It could not be started, or its end could not be observed.
    Unknown,
}

/// Exit code of a worker that failed to boot (WORK-6).
pub const BOOT_FAILURE_EXIT: i32 = 3;

/// Something that happened. `F` is a frame: the core moves frames and never looks into them.
#[derive(Debug)]
pub enum Event<'a, F> {
    /// The arbiter listens: bring the pool up.
    Start,
    /// A client connected.
    Connected(ConnId),
    /// A client sent a well-formed request.
    Request {
        /// The connection it came on.
        conn: ConnId,
        /// Its id (MSG-7).
        id: &'a str,
        /// The app it names (MSG-8).
        app_path: &'a str,
        /// The action it names (MSG-9).
        action: &'a str,
        /// Its own limit, which may only shorten the pool's (TIME-2).
        timeout: Option<Duration>,
        /// The whole frame, to be relayed.
        frame: F,
    },
    /// A client asked for the end of a request.
    Cancel {
        /// The connection it came on.
        conn: ConnId,
        /// The id of the request.
        id: &'a str,
    },
    /// A client does not read: too much waits for it already (`true`), or it has caught up (`false`).
    Congested(ConnId, bool),
    /// A client will send nothing more; it may still read.
    HalfClosed(ConnId),
    /// A client is gone in both directions.
    Disconnected(ConnId),
    /// A worker process runs.
    Spawned(WorkerId),
    /// A worker that boots says which app it turns to (WORK-17).
    Loading {
        /// The worker.
        worker: WorkerId,
        /// The app; `None` when it is done with them all.
        app_path: Option<&'a str>,
    },
    /// A worker says which of its apps it serves, because it does not serve them all (WORK-14). Before its READY.
    Serves {
        /// The worker.
        worker: WorkerId,
        /// App paths; those it was not asked for are ignored.
        apps: &'a [String],
    },
    /// A worker said READY: every `init()` is done (WORK-2).
    Ready(WorkerId),
    /// A worker showed that it is alive (WORK-8).
    Alive(WorkerId),
    /// A slot's connection is established.
    SlotOpened(SlotId),
    /// A worker sent a well-formed reply, or some chunks of one stream, one after the other.
    Reply {
        /// The slot it came on.
        slot: SlotId,
        /// What it is.
        kind: ReplyKind,
        /// The id it carries; only an error may have none.
        id: Option<&'a str>,
        /// The type of an error, for the counters.
        error_type: Option<&'a str>,
        /// How many frames these are: more than one only of chunks.
        frames: u32,
        /// The whole frame, to be relayed; of several, all of them.
        frame: F,
    },
    /// A worker sent a frame that holds a bad message: the frames around it can still be told apart.
    BadReply {
        /// The slot it came on.
        slot: SlotId,
        /// What it was meant to be, if that can be told.
        kind: Option<ReplyKind>,
        /// The id it carries, if it can be read.
        id: Option<&'a str>,
        /// What is wrong with it.
        violation: Violation,
    },
    /// A worker sent a well-formed reply that its client's codec cannot carry (GD-11).
    Unrelayable {
        /// The slot it came on.
        slot: SlotId,
        /// What it is.
        kind: ReplyKind,
        /// The id it carries.
        id: &'a str,
        /// Which value it is about, and why it cannot be relayed.
        problem: String,
    },
    /// A slot's connection ended, or its worker broke the protocol on it.
    SlotBroken {
        /// The slot.
        slot: SlotId,
        /// What was wrong; `None` for an end of file.
        violation: Option<Violation>,
    },
    /// A worker process ended.
    Exited {
        /// The worker.
        worker: WorkerId,
        /// How.
        exit: WorkerExit,
    },
    /// Nothing but the passing of time: see [`Core::next_wakeup`](super::Core::next_wakeup).
    Tick,
    /// Finish what was accepted, then exit (LIFE-1); a second one hurries.
    Drain,
    /// Exit at once (LIFE-2).
    Quit,
    /// Replace every worker by one of this configuration, without losing a request (POOL-9).
    Reload(Box<CoreConfig>),
    /// Have so many workers (LIFE-5, POOL-10).
    Scale(usize),
}

/// How a worker broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The requirement it broke.
    pub requirement: &'static str,
    /// What it did.
    pub what: String,
}

/// What the shell is to do, in order.
#[derive(Debug, PartialEq)]
pub enum Action<F> {
    /// Relay a worker's frame to a client, unchanged.
    Forward {
        /// The client's connection.
        conn: ConnId,
        /// The slot it came from.
        slot: SlotId,
        /// More will come from this slot for this client: its reading pauses while the client's buffer is full.
        more: bool,
        /// The frame.
        frame: F,
    },
    /// Send an error of the arbiter's own making to a client.
    Answer {
        /// The client's connection.
        conn: ConnId,
        /// The id of the request it answers; `None` when it answers none.
        id: Option<String>,
        /// What went wrong.
        failure: Failure,
    },
    /// Close a client's connection once everything for it is written.
    CloseConn(ConnId),
    /// Relay a client's request to a worker, unchanged.
    Dispatch {
        /// The slot, which was idle.
        slot: SlotId,
        /// The frame.
        frame: F,
    },
    /// Tell a worker to end a request.
    SendCancel {
        /// The slot that runs it.
        slot: SlotId,
        /// Its id.
        id: String,
    },
    /// Start a worker process.
    Spawn {
        /// The new worker's id.
        worker: WorkerId,
        /// The apps it loads.
        apps: Vec<String>,
        /// Those of them that the configuration gives to this worker: their class has no say in it (WORK-14).
        fixed: Vec<String>,
        /// Its place in the pool, from 0.
        seat: usize,
        /// The generation of the configuration to start it with.
        generation: u64,
    },
    /// From here on the configuration of this generation is in force (LIFE-3).
    Adopt {
        /// The generation, given by the reload that began it.
        generation: u64,
    },
    /// Connect all slots of a worker that is ready.
    OpenSlots {
        /// The worker.
        worker: WorkerId,
        /// How many.
        slots: u32,
    },
    /// Drop a slot's connection.
    CloseSlot(SlotId),
    /// Send a signal to a worker process.
    Signal {
        /// The worker.
        worker: WorkerId,
        /// Which signal.
        signal: WorkerSignal,
    },
    /// Write to the log.
    Log(Note),
    /// A reload has ended: every seat has a ready worker of the new generation, or the reason why not.
    ReloadEnded {
        /// The generation that it brought, or would have brought.
        generation: u64,
        /// Why a worker of it could not start; the old ones stay (POOL-9).
        failure: Option<String>,
    },
    /// Everything is drained and every worker is gone: exit.
    Finished,
}

/// The signals that a worker understands (WORK-4, WORK-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerSignal {
    /// SIGTERM: finish what runs, close the apps, exit 0.
    Terminate,
    /// SIGABRT: dump stacks and die.
    Abort,
    /// SIGKILL.
    Kill,
}

/// Where a request was when its time ran out; `details.phase` on the wire (ERR-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In the queue, with ready workers busy.
    Queue,
    /// In the queue, with no worker ready yet.
    Boot,
    /// Running, no message yet.
    Run,
    /// Streaming.
    Stream,
}

impl Phase {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Queue => "queue",
            Phase::Boot => "boot",
            Phase::Run => "run",
            Phase::Stream => "stream",
        }
    }
}

/// An app and an action, for error details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The request's `app_path`.
    pub app_path: String,
    /// The request's `action`.
    pub action: String,
}

/// Why the arbiter itself ends a request or refuses it.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// No such app is configured (CALL-4).
    AppNotFound(Target),
    /// The app's queue is full (POOL-3).
    Overloaded {
        /// What was called.
        target: Target,
        /// The queue's bound.
        bound: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// No worker can be had for the app (POOL-5), or none any more (LIFE-1).
    NoWorkers {
        /// What was called.
        target: Target,
        /// Why not.
        reason: &'static str,
    },
    /// A limit passed (TIME-1, TIME-2, TIME-7).
    Timeout {
        /// What was called.
        target: Target,
        /// Where the request was.
        phase: Phase,
        /// The limit that passed.
        limit: Duration,
        /// The worker that ran it.
        worker: Option<WorkerId>,
    },
    /// The client asked for it (CANCEL-1).
    Cancelled(Target),
    /// The worker died under the request (ERR-6).
    WorkerDied {
        /// What was called.
        target: Target,
        /// The worker.
        worker: WorkerId,
        /// How it died, once known.
        exit: WorkerExit,
    },
    /// The worker broke the protocol under the request.
    WorkerBroke {
        /// What was called.
        target: Target,
        /// The worker.
        worker: WorkerId,
        /// What it did.
        violation: Violation,
    },
    /// A value of the request or of its result is none in the codec of who is to receive it (GD-11).
    Unrelayable {
        /// What was called.
        target: Target,
        /// Which value, and why.
        problem: String,
    },
    /// The id is in flight on this connection (CORR-6).
    DuplicateId(String),
}

/// Why no worker can be had while the arbiter ends.
pub(super) const SHUTTING_DOWN: &str = "the arbiter is shutting down";
/// Why no worker can be had for an app that a reload has taken away.
pub(super) const SERVED_NO_MORE: &str = "no worker serves it any more";
/// Why no worker can be had for an app that has failed.
pub(super) const FAILING_TO_BOOT: &str = "its workers fail to boot";

impl Failure {
    /// The type of the error that a client reads.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Failure::AppNotFound(_) => ErrorType::DirtyAppNotFoundError,
            Failure::Overloaded { .. } => ErrorType::DirtyOverloadedError,
            Failure::NoWorkers { .. } => ErrorType::DirtyNoWorkersAvailableError,
            Failure::Timeout { .. } => ErrorType::DirtyTimeoutError,
            Failure::Cancelled(_) => ErrorType::DirtyCancelledError,
            Failure::WorkerDied { .. } | Failure::WorkerBroke { .. } => ErrorType::DirtyWorkerError,
            Failure::Unrelayable { .. } | Failure::DuplicateId(_) => ErrorType::DirtyProtocolError,
        }
    }
}

/// What is worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A worker's frame matched nothing in flight on its slot and was dropped (CORR-5).
    StaleFrame {
        /// The slot.
        slot: SlotId,
        /// The id it carried.
        id: Option<String>,
    },
    /// A worker broke the protocol and is replaced.
    Violation {
        /// The slot.
        slot: SlotId,
        /// What it did.
        violation: Violation,
    },
    /// A worker process ended.
    WorkerExited {
        /// The worker.
        worker: WorkerId,
        /// How.
        exit: WorkerExit,
        /// Whether it had been asked to.
        expected: bool,
    },
    /// A worker failed to boot; its seat, or the app that it failed at, is tried again after a pause.
    BootFailed {
        /// The worker.
        worker: WorkerId,
        /// How it ended.
        exit: WorkerExit,
        /// The app that it failed at, if it said so: the others are served without it (POOL-15).
        app: Option<String>,
        /// How long until the next try.
        retry_in: Duration,
        /// Whether its seat, or the app there, counts as failed (POOL-5).
        failed: bool,
    },
    /// A request outlived its limit and then the cancel grace: its worker is aborted (TIME-5).
    Aborting {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker is ready.
    WorkerReady(WorkerId),
    /// A worker has shown no sign of life for the length of its watchdog: it is aborted (WORK-10).
    Hung {
        /// The worker.
        worker: WorkerId,
        /// How long.
        silent: Duration,
    },
    /// The new worker of a seat failed to boot; the old one stays (POOL-9).
    ReplacementFailed {
        /// The new worker.
        worker: WorkerId,
        /// How it ended.
        exit: WorkerExit,
        /// The app that it failed at, if it said so.
        app: Option<String>,
    },
    /// The pool is meant to have another number of workers (LIFE-5).
    Scaled {
        /// How many it had.
        from: usize,
        /// How many it is to have.
        to: usize,
    },
}
