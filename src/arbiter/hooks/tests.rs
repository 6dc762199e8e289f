//! Hooks that are Rust code: what commands cannot show.

use std::sync::{Arc, Mutex, mpsc};

use super::*;
use crate::arbiter::core::{WorkerExit, WorkerId};

/// Records what runs, can be made to wait, and has some odd workers.
struct Recorder {
    record: Arc<Mutex<Vec<String>>>,
    /// `on_dirty_starting` ends with this channel.
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Hooks for Recorder {
    fn on_dirty_starting(&self, arbiter: &ArbiterInfo) -> HookResult {
        self.record.lock().unwrap().push(format!("starting {}", arbiter.pid));
        let _ = self.gate.lock().unwrap().recv();
        Ok(())
    }

    fn dirty_post_fork(&self, _: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
        self.record.lock().unwrap().push(format!("fork {}", worker.id));
        match worker.id.0 {
            13 => panic!("an unlucky number"),
            14 => Err("refused".into()),
            _ => Ok(()),
        }
    }

    fn dirty_worker_exit(&self, _: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
        self.record.lock().unwrap().push(format!("exit {} {:?}", worker.id, worker.exit));
        Ok(())
    }

    fn uses(&self, hook: Hook) -> bool {
        hook != Hook::DirtyWorkerInit
    }
}

fn runner() -> (HookRunner, mpsc::Sender<()>, Arc<Mutex<Vec<String>>>) {
    let (gate, receiver) = mpsc::channel();
    let record = Arc::default();
    let hooks = Recorder { record: Arc::clone(&record), gate: Mutex::new(receiver) };
    let arbiter = ArbiterInfo { pid: 1, socket: "d.sock".into(), version: "0" };
    (HookRunner::start(Some(Arc::new(hooks)), arbiter).unwrap(), gate, record)
}

fn worker(id: u64) -> WorkerInfo {
    WorkerInfo { id: WorkerId(id), pid: 2, apps: Vec::new(), seat: 0, exit: None }
}

#[tokio::test]
async fn hooks_run_one_after_another_and_those_nobody_waits_for_are_left_out() {
    let (runner, gate, record) = runner();
    let later = async {
        let first = runner.post_fork(&worker(1)).unwrap();
        drop(runner.post_fork(&worker(2)));
        runner.worker_exit(WorkerInfo { exit: Some(WorkerExit::Signal(9)), ..worker(2) });
        let last = runner.post_fork(&worker(3)).unwrap();
        // All of them are due, and none runs before the first has ended.
        assert_eq!(*record.lock().unwrap(), ["starting 1"]);
        drop(gate);
        assert_eq!((first.await, last.await), (Ok(true), Ok(true)));
    };
    let started = async {
        let starting = runner.starting();
        tokio::pin!(starting);
        // Makes it due.
        tokio::select! {
            biased;
            _ = &mut starting => panic!("it waits"),
            () = async { while record.lock().unwrap().is_empty() { tokio::task::yield_now().await } } => (),
        }
        tokio::join!(starting, later).0
    };
    assert_eq!(started.await, Ok(()));
    runner.settled().await;
    assert_eq!(*record.lock().unwrap(), ["starting 1", "fork 1", "exit 2 Some(Signal(9))", "fork 3"]);
}

#[tokio::test]
async fn a_hook_that_panics_or_refuses_has_failed_and_the_next_one_runs() {
    let (runner, gate, _) = runner();
    drop(gate);
    for (id, passes) in [(13, false), (14, false), (15, true)] {
        assert_eq!(runner.post_fork(&worker(id)).unwrap().await, Ok(passes));
    }
}

#[tokio::test]
async fn what_does_nothing_is_not_waited_for() {
    let (with, _gate, _) = runner();
    assert!(with.gates_workers() && with.worker_init(&worker(1)).is_none());
    let arbiter = ArbiterInfo { pid: 1, socket: "d.sock".into(), version: "0" };
    let without = HookRunner::start(None, arbiter).unwrap();
    assert!(!without.gates_workers() && without.post_fork(&worker(1)).is_none());
    assert_eq!(without.starting().await, Ok(()));
    without.worker_exit(worker(1));
    without.settled().await;
    without.abort().await;
}

#[tokio::test]
async fn a_hook_that_does_not_give_up_is_left_behind() {
    let (runner, gate, _) = runner();
    tokio::time::timeout(std::time::Duration::ZERO, runner.starting()).await.unwrap_err();
    tokio::time::pause();
    // Its moment passes at once: the hook still runs.
    runner.abort().await;
    drop(gate);
}

#[test]
fn a_handle_that_is_kept_replaces_the_commands_of_a_running_arbiter() {
    let kept = CommandHooks::new().with_dirty_worker_exit("exit 1");
    let running: Box<dyn Hooks> = Box::new(kept.clone());
    let arbiter = ArbiterInfo { pid: 1, socket: "d.sock".into(), version: "0" };
    assert!(running.dirty_worker_exit(&arbiter, &worker(1)).is_err());
    kept.replace(&CommandHooks::new().with_dirty_post_fork("exit 2"));
    assert!(running.dirty_worker_exit(&arbiter, &worker(1)).is_ok());
    assert!(running.uses(Hook::DirtyPostFork) && !running.uses(Hook::DirtyWorkerExit));
    let error = running.dirty_post_fork(&arbiter, &worker(1)).unwrap_err();
    assert_eq!(error.to_string(), "exit code 2");
}
