//! The pool as processes: reload, scaling, allocation, hung workers, and clients that leave.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::served::{Peer, Served, eventually, is_alive};

/// An arbiter whose workers' code is a file that the test writes.
pub struct Versioned {
    pub served: Served,
    code: PathBuf,
    _directory: tempfile::TempDir,
}

impl Versioned {
    pub fn start(arguments: &[&str]) -> Versioned {
        let directory = tempfile::tempdir().unwrap();
        let code = directory.path().join("code");
        fs::write(&code, "one").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/versioned.py");
        let command = format!("python3 {} {}", script.display(), code.display());
        let mut all = vec!["--worker-command", &command, "--app", "plain:App"];
        all.extend(arguments);
        Versioned { served: Served::start(&all), code, _directory: directory }
    }

    /// Waits until so many workers answer.
    pub fn await_ready(&self, workers: usize) {
        let mut peer = self.served.connect();
        let mut pids = BTreeSet::new();
        eventually("every worker answers", || {
            pids.insert(call(&mut peer, "plain:App", "whoami")["result"].to_string());
            pids.len() == workers
        });
    }

    fn set_code(&self, version: &str) {
        fs::write(&self.code, version).unwrap();
    }

    fn call(&self, action: &str) -> Value {
        call(&mut self.served.connect(), "plain:App", action)
    }
}

pub fn call(peer: &mut Peer, app_path: &str, action: &str) -> Value {
    peer.send(&format!(
        r#"{{"type":"request","id":"1","app_path":"{app_path}","action":"{action}","args":[0.02],"kwargs":{{}}}}"#
    ));
    peer.receive()
}

/// The processes that a process has started and that still run.
fn children(pid: u32) -> Vec<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<u64> = lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    pids.into_iter().filter(|pid| is_alive(*pid)).collect()
}

#[test]
fn sighup_loads_new_code_and_no_request_fails() {
    let arbiter = Versioned::start(&["--workers", "2"]);
    let stop = AtomicBool::new(false);
    let versions: Vec<Value> = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut peer = arbiter.served.connect();
                    let mut answers = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        answers.push(call(&mut peer, "plain:App", "sleep"));
                    }
                    answers
                })
            })
            .collect();
        arbiter.await_ready(2);
        let old = children(arbiter.served.pid());
        arbiter.set_code("two");
        arbiter.served.signal(Signal::SIGHUP);
        eventually_children(&arbiter.served, |pids| {
            pids.len() == 2 && pids.iter().all(|pid| !old.contains(pid))
        });
        assert_eq!(arbiter.call("version")["result"], "two");
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let answered = |version: &str| versions.iter().filter(|answer| answer["result"] == version).count();
    assert_eq!(answered("one") + answered("two"), versions.len(), "every request was answered: {versions:?}");
    assert!(answered("one") > 0 && answered("two") > 0, "{versions:?}");
}

pub fn eventually_children(served: &Served, mut condition: impl FnMut(&[u64]) -> bool) -> Vec<u64> {
    let mut now = Vec::new();
    eventually("the workers that are expected", || {
        now = children(served.pid());
        condition(&now)
    });
    now
}

#[test]
fn sighup_with_code_that_does_not_boot_keeps_the_old_workers() {
    let mut arbiter = Versioned::start(&["--workers", "2"]);
    arbiter.await_ready(2);
    let old = children(arbiter.served.pid());
    arbiter.set_code("broken");
    arbiter.served.signal(Signal::SIGHUP);
    // The one that was tried is seen to come and go.
    eventually_children(&arbiter.served, |pids| pids.len() == 3);
    eventually_children(&arbiter.served, |pids| pids.len() == 2);
    assert_eq!(children(arbiter.served.pid()), old);
    assert_eq!(arbiter.call("version")["result"], "one");
    // And when the code is mended, the next one succeeds.
    arbiter.set_code("two");
    arbiter.served.signal(Signal::SIGHUP);
    eventually("the new code serves", || arbiter.call("version")["result"] == "two");
    arbiter.served.signal(Signal::SIGTERM);
    let log = arbiter.served.log();
    assert!(log.contains("failed to reload: worker 3 failed to boot: exit code 3"), "{log}");
}

#[test]
fn several_sighups_at_once_end_in_the_newest_code() {
    let arbiter = Versioned::start(&["--workers", "2"]);
    arbiter.await_ready(2);
    for version in ["two", "three", "four"] {
        arbiter.set_code(version);
        arbiter.served.signal(Signal::SIGHUP);
    }
    let mut peers: Vec<Peer> = (0..2).map(|_| arbiter.served.connect()).collect();
    eventually("every worker has the newest code", || {
        peers.iter_mut().all(|peer| call(peer, "plain:App", "version")["result"] == "four")
            && children(arbiter.served.pid()).len() == 2
    });
}

#[test]
fn sigttin_and_sigttou_change_the_pool_by_one_but_never_to_nothing() {
    let served = Served::start(&["--workers", "1"]);
    let first = eventually_children(&served, |pids| pids.len() == 1);
    served.signal(Signal::SIGTTIN);
    eventually_children(&served, |pids| pids.len() == 2);
    // Two at once: each counts. In gunicorn two within a moment kill and start workers without end.
    served.signal(Signal::SIGTTIN);
    let three = eventually_children(&served, |pids| pids.len() == 3);
    served.signal(Signal::SIGTTOU);
    eventually_children(&served, |pids| pids.len() == 2);
    served.signal(Signal::SIGTTOU);
    eventually_children(&served, |pids| pids == first.as_slice());
    served.signal(Signal::SIGTTOU);
    assert!(served.connect().call("echo", "[1]").get("result").is_some());
    assert_eq!(children(served.pid()), first, "the last one stays: {three:?}");
}

#[test]
fn an_app_is_loaded_by_as_many_workers_as_the_configuration_or_its_class_says() {
    let holders = |app: &str, arguments: &[&str]| {
        let arbiter = Versioned::start(&[arguments, &["--workers", "3", "--app", app]].concat());
        arbiter.await_ready(3);
        let mut peer = arbiter.served.connect();
        let name = app.trim_end_matches(":2");
        // Calls one after the other go to the least recently used worker: to each in turn.
        let pids: BTreeSet<String> =
            (0..9).map(|_| call(&mut peer, name, "whoami")["result"].to_string()).collect();
        pids.len()
    };
    assert_eq!(holders("limited:App", &[]), 1, "its class says one");
    assert_eq!(holders("other:App:2", &[]), 2, "the configuration says two");
    assert_eq!(holders("limited:App:2", &[]), 2, "the configuration has the last word");
}

#[test]
fn a_worker_that_is_stopped_is_found_by_its_watchdog() {
    let served = Served::start(&["--workers", "1", "--watchdog", "1"]);
    let mut peer = served.connect();
    let pid = peer.call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    peer.request("1", "slow_count", r#""args":[1000,0.01],"kwargs":{}"#);
    peer.receive();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGSTOP).unwrap();
    let failed = loop {
        let message = peer.receive();
        if message["type"] != "chunk" {
            break message;
        }
    };
    assert_eq!(failed["error"]["error_type"], "DirtyWorkerError", "{failed}");
    assert!(!is_alive(pid));
    assert_ne!(peer.call("whoami", "[]")["result"]["pid"], json!(pid));
}

#[test]
fn a_client_that_leaves_cancels_its_call_where_that_is_configured() {
    let served = Served::start(&["--workers", "1", "--on-disconnect", "cancel"]);
    let mut gone = served.connect();
    gone.request("1", "slow_count", r#""args":[100000,0.01],"kwargs":{}"#);
    gone.receive();
    let mut other = served.connect();
    other.request("2", "echo", r#""args":[],"kwargs":{}"#);
    drop(gone);
    assert_eq!(other.receive()["id"], "2", "the slot is free long before the stream would have ended");
}

/// A client whose long call runs on the only worker of an arbiter that cancels for clients that leave.
fn caller_of_a_long_call() -> (Served, Peer) {
    let served = Served::start(&[
        "--workers",
        "1",
        "--on-disconnect",
        "cancel",
        "--timeout",
        "0",
        "--log-level",
        "debug",
    ]);
    let mut peer = served.connect();
    assert!(peer.call("echo", "[]").get("result").is_some());
    peer.request("long", "sleep", r#""args":[100000,"slept"],"kwargs":{}"#);
    // What is answered after it was read after it.
    peer.request("read", "echo", r#""args":[],"kwargs":{},"timeout":0.01"#);
    assert_eq!(peer.receive()["id"], "read");
    (served, peer)
}

#[test]
fn a_client_that_closes_during_a_call_is_gone_at_once() {
    let (served, gone) = caller_of_a_long_call();
    drop(gone);
    assert!(served.connect().call("echo", "[]").get("result").is_some(), "the slot is free");
}

#[test]
fn a_client_that_closes_after_it_has_ended_its_sending_side_is_gone_too() {
    let (served, gone) = caller_of_a_long_call();
    gone.0.shutdown(std::net::Shutdown::Write).unwrap();
    served.logs("a client sends nothing more");
    let mut other = served.connect();
    other.request("2", "echo", r#""args":[],"kwargs":{}"#);
    // Nothing is to be seen of it before it is gone.
    other.request("1", "echo", r#""args":[],"kwargs":{},"timeout":0.1"#);
    assert_eq!(other.receive()["id"], "1", "who has ended only its sending side still waits");
    drop(gone);
    assert_eq!(other.receive()["id"], "2", "the slot is free");
}

#[test]
fn an_answer_that_was_written_before_its_worker_died_is_delivered() {
    // It answers one call and is gone in the same breath.
    let script = r#"python3 -c '
import json, os, socket, struct
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["DIRTY_WORKER_SOCKET"]); s.listen()
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
c, _ = s.accept()
size = struct.unpack(">I", c.recv(4, socket.MSG_WAITALL))[0]
request = json.loads(c.recv(size, socket.MSG_WAITALL))
chunks = b""
for message in [{"type": "chunk", "id": request["id"], "data": i} for i in range(2000)] + [{"type": "end", "id": request["id"]}]:
    text = json.dumps(message).encode()
    chunks += struct.pack(">I", len(text)) + text
c.sendall(chunks)
os._exit(0)
'"#;
    let served = Served::start(&["--workers", "1", "--worker-command", script]);
    let mut peer = served.connect();
    let mut last = Vec::new();
    for _ in 0..10 {
        // The one that answered the last call is dead, and known to be.
        last = eventually_children(&served, |pids| pids.len() == 1 && pids != last.as_slice());
        peer.request("1", "any", r#""args":[],"kwargs":{}"#);
        for number in 0..2000 {
            let message = peer.receive();
            assert_eq!(message["data"], number, "{message}");
        }
        assert_eq!(peer.receive()["type"], "end");
    }
}
