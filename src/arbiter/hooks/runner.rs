//! The thread that runs the hooks, one after another (LIFE-13).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::sync::{mpsc, oneshot};

use super::{ArbiterInfo, Hook, HookResult, Hooks, WorkerInfo};

/// How long hooks may take to end when the arbiter waits no longer.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// A hook that is due.
enum Due {
    Starting(oneshot::Sender<Result<(), String>>),
    PostFork(WorkerInfo, oneshot::Sender<bool>),
    WorkerInit(WorkerInfo, oneshot::Sender<bool>),
    WorkerExit(WorkerInfo),
    /// No hook: tells that those before it have ended.
    Settle(oneshot::Sender<()>),
}

/// A handle to the thread; without hooks there is none, and everything passes at once.
pub(in crate::arbiter) struct HookRunner(Option<Running>);

struct Running {
    hooks: Arc<dyn Hooks>,
    due: mpsc::UnboundedSender<Due>,
}

/// A hook that a worker waits for; whether it succeeded.
pub(in crate::arbiter) type Pending = oneshot::Receiver<bool>;

impl HookRunner {
    /// Starts the thread.
    pub fn start(hooks: Option<Arc<dyn Hooks>>, arbiter: ArbiterInfo) -> io::Result<HookRunner> {
        let Some(hooks) = hooks else { return Ok(HookRunner(None)) };
        let (due, mut inbox) = mpsc::unbounded_channel();
        let runs = Arc::clone(&hooks);
        std::thread::Builder::new().name("hooks".to_owned()).spawn(move || {
            while let Some(due) = inbox.blocking_recv() {
                run(&*runs, &arbiter, due);
            }
        })?;
        Ok(HookRunner(Some(Running { hooks, due })))
    }

    /// Runs `on_dirty_starting` to its end.
    pub async fn starting(&self) -> Result<(), String> {
        let Some(running) = self.using(Hook::OnDirtyStarting) else { return Ok(()) };
        let (done, ended) = oneshot::channel();
        running.give(Due::Starting(done));
        ended.await.unwrap_or_else(|_| Err("its thread has ended".to_owned()))
    }

    /// Whether workers are to wait for `dirty_post_fork`.
    pub fn gates_workers(&self) -> bool {
        self.using(Hook::DirtyPostFork).is_some()
    }

    /// Makes `dirty_post_fork` due, if there is one. It is left out if the receiver is dropped before its turn.
    pub fn post_fork(&self, worker: &WorkerInfo) -> Option<Pending> {
        let running = self.using(Hook::DirtyPostFork)?;
        let (done, ended) = oneshot::channel();
        running.give(Due::PostFork(worker.clone(), done));
        Some(ended)
    }

    /// Makes `dirty_worker_init` due, if there is one. It is left out if the receiver is dropped before its turn.
    pub fn worker_init(&self, worker: &WorkerInfo) -> Option<Pending> {
        let running = self.using(Hook::DirtyWorkerInit)?;
        let (done, ended) = oneshot::channel();
        running.give(Due::WorkerInit(worker.clone(), done));
        Some(ended)
    }

    /// Makes `dirty_worker_exit` due, if there is one.
    pub fn worker_exit(&self, worker: WorkerInfo) {
        if let Some(running) = self.using(Hook::DirtyWorkerExit) {
            running.give(Due::WorkerExit(worker));
        }
    }

    /// Waits until every hook that is due has ended.
    pub async fn settled(&self) {
        let Some(running) = &self.0 else { return };
        let (done, ended) = oneshot::channel();
        running.give(Due::Settle(done));
        // An error is an end too.
        let _ = ended.await;
    }

    /// Asks the hook that runs, and those that are due, to give up, and gives them a moment for it.
    pub async fn abort(&self) {
        if let Some(running) = &self.0 {
            running.hooks.abort();
            let _ = tokio::time::timeout(ABORT_GRACE, self.settled()).await;
        }
    }

    fn using(&self, hook: Hook) -> Option<&Running> {
        self.0.as_ref().filter(|running| running.hooks.uses(hook))
    }
}

impl Running {
    fn give(&self, due: Due) {
        // The thread lives as long as this handle.
        let _ = self.due.send(due);
    }
}

impl fmt::Debug for HookRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookRunner").field("has_hooks", &self.0.is_some()).finish()
    }
}

/// Runs one hook. Whoever waited for it may have given up.
fn run(hooks: &dyn Hooks, arbiter: &ArbiterInfo, due: Due) {
    match due {
        Due::Starting(done) => {
            let _ = done.send(guarded(|| hooks.on_dirty_starting(arbiter)));
        }
        // Its worker is gone; nobody is there to be prepared.
        Due::PostFork(_, done) | Due::WorkerInit(_, done) if done.is_closed() => (),
        Due::PostFork(worker, done) => {
            let passed = about(Hook::DirtyPostFork, &worker, || hooks.dirty_post_fork(arbiter, &worker));
            let _ = done.send(passed);
        }
        Due::WorkerInit(worker, done) => {
            let passed = about(Hook::DirtyWorkerInit, &worker, || hooks.dirty_worker_init(&worker));
            let _ = done.send(passed);
        }
        Due::WorkerExit(worker) => {
            about(Hook::DirtyWorkerExit, &worker, || hooks.dirty_worker_exit(arbiter, &worker));
        }
        Due::Settle(done) => {
            let _ = done.send(());
        }
    }
}

/// Runs a hook that is about a worker, and logs its failure; whether it succeeded.
fn about(hook: Hook, worker: &WorkerInfo, run: impl FnOnce() -> HookResult) -> bool {
    let result = guarded(run);
    if let Err(error) = &result {
        tracing::error!(worker = %worker.id, pid = worker.pid, "hook {hook} failed: {error} (LIFE-14)");
    }
    result.is_ok()
}

/// A hook that panics has failed; the thread goes on.
fn guarded(run: impl FnOnce() -> HookResult) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}
