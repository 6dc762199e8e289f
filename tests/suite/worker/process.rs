//! `dirty worker` as a process: its contract with the arbiter.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::peer::{PATIENCE, Peer};

/// A worker process, and the arbiter's ends of everything.
struct Process {
    child: Child,
    lifeline: Option<ChildStdin>,
    notify: UnixDatagram,
    socket: PathBuf,
    directory: tempfile::TempDir,
}

impl Process {
    fn spawn(variables: &[(&str, &str)]) -> Process {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("w.sock");
        let notify = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
        command
            .arg("worker")
            .env_clear()
            .env("DIRTY_WORKER_SOCKET", &socket)
            .env("DIRTY_APPS", r#"["fixture:App"]"#)
            .env("DIRTY_THREADS", "1")
            .env("DIRTY_WORKER_ID", "w7")
            .env("DIRTY_TIMEOUT", "300")
            .env("NOTIFY_SOCKET", directory.path().join("notify"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Process { lifeline: child.stdin.take(), child, notify, socket, directory }
    }

    fn ready(variables: &[(&str, &str)]) -> (Process, Peer) {
        let process = Process::spawn(variables);
        process.notified("READY=1");
        let peer = Peer::connect(&process.socket);
        (process, peer)
    }

    /// Waits for this notification.
    fn notified(&self, expected: &str) {
        let mut message = [0; 1024];
        loop {
            let length = self.notify.recv(&mut message).unwrap_or_else(|_| panic!("no {expected}"));
            let text = std::str::from_utf8(&message[..length]).unwrap();
            if text.lines().any(|line| line == expected) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end, and returns what it wrote to stdout and stderr.
    fn end(mut self) -> (ExitStatus, String, String) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        let (ended, guard) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if guard.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        drop(ended);
        (status, stdout, stderr)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn call(peer: &mut Peer, action: &str, args: Value) {
    peer.request("r", "fixture:App", action, args, json!({}));
}

#[test]
fn it_says_which_app_it_turns_to() {
    let process = Process::spawn(&[("DIRTY_APPS", r#"["fixture:App","demo:LLM"]"#)]);
    let mut said = Vec::new();
    while said.last().is_none_or(|line| line != "READY=1") {
        let mut message = [0; 1024];
        let length = process.notify.recv(&mut message).unwrap();
        said.extend(String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned));
    }
    let steps = ["fixture:App", "demo:LLM", "fixture:App", "demo:LLM", ""];
    let steps: Vec<String> = steps.iter().map(|app| format!("X_DIRTY_LOADING={app}")).collect();
    assert_eq!(said, [steps, vec!["READY=1".to_owned()]].concat());
}

#[test]
fn ready_means_that_it_serves() {
    let (_process, mut peer) = Process::ready(&[]);
    call(&mut peer, "echo", json!([1]));
    assert_eq!(peer.receive()["result"], json!({"args": [1], "kwargs": {}}));
    call(&mut peer, "whoami", json!([]));
    assert_eq!(peer.receive()["result"]["worker_id"], "w7");
}

#[test]
fn the_end_of_stdin_ends_it_at_once() {
    let (mut process, mut peer) = Process::ready(&[]);
    call(&mut peer, "hang", json!([]));
    drop(process.lifeline.take());
    let (status, _, stderr) = process.end();
    assert_eq!(status.code(), Some(0));
    assert!(stderr.contains("the arbiter is gone"), "{stderr}");
    peer.is_closed();
}

#[test]
fn sigterm_finishes_the_running_request() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (process, mut peer) = Process::ready(&[("DIRTY_THREADS", "2")]);
        let mut idle = Peer::connect(&process.socket);
        call(&mut peer, "slow_count", json!([4, 0.05]));
        assert_eq!(peer.receive()["data"], json!(0));
        process.signal(signal);
        process.notified("STOPPING=1");
        idle.is_closed();
        for n in 1..4 {
            assert_eq!(peer.receive()["data"], json!(n));
        }
        assert_eq!(peer.receive()["type"], "end");
        peer.is_closed();
        let socket = process.socket.clone();
        let keep = process.directory.path().to_owned();
        let (status, stdout, _) = process.end();
        assert_eq!((status.code(), stdout.as_str()), (Some(0), ""));
        assert!(!socket.exists(), "{}", keep.display());
    }
}

#[test]
fn sigterm_ends_an_idle_worker() {
    let (process, mut peer) = Process::ready(&[]);
    process.signal(Signal::SIGTERM);
    peer.is_closed();
    assert_eq!(process.end().0.code(), Some(0));
}

#[test]
fn sigquit_kills_at_once() {
    let (process, mut peer) = Process::ready(&[]);
    call(&mut peer, "hang", json!([]));
    process.signal(Signal::SIGQUIT);
    assert_eq!(process.end().0.signal(), Some(Signal::SIGQUIT as i32));
}

#[test]
fn sigabrt_says_what_every_slot_does_and_dies() {
    let (process, mut peer) = Process::ready(&[("DIRTY_THREADS", "2")]);
    call(&mut peer, "slow_count", json!([2, 1000]));
    peer.receive();
    process.signal(Signal::SIGABRT);
    let (status, stdout, stderr) = process.end();
    assert_eq!((status.signal(), stdout.as_str()), (Some(Signal::SIGABRT as i32), ""));
    let running = stderr.lines().filter(|line| line.contains("slow_count of fixture:App, request r, for "));
    assert_eq!(running.count(), 1, "{stderr}");
    assert_eq!(stderr.lines().filter(|line| line.ends_with(": idle")).count(), 1, "{stderr}");
}

#[test]
fn sigusr1_is_ignored() {
    let (process, mut peer) = Process::ready(&[]);
    process.signal(Signal::SIGUSR1);
    call(&mut peer, "echo", json!([]));
    assert_eq!(peer.receive()["type"], "response");
    process.signal(Signal::SIGTERM);
    assert_eq!(process.end().0.code(), Some(0));
}

#[test]
fn what_cannot_start_exits_with_3_and_says_why() {
    let cases = [
        (("DIRTY_APPS", r#"["no:App"]"#), r#"unknown app "no:App": expected one of fixture:App, demo:LLM"#),
        (("DIRTY_APPS", "fixture:App"), r#"DIRTY_APPS is "fixture:App": expected a JSON array of app paths"#),
        (("DIRTY_THREADS", "none"), r#"DIRTY_THREADS is "none": expected a number of slots"#),
        (("DIRTY_WORKER_SOCKET", ""), "DIRTY_WORKER_SOCKET is not set"),
        (("DIRTY_WORKER_SOCKET", "/nonexistent/w.sock"), "cannot listen on /nonexistent/w.sock"),
        (("NOTIFY_SOCKET", "/nonexistent/notify"), "cannot tell the arbiter that the worker is ready"),
    ];
    for (variable, reason) in cases {
        let process = Process::spawn(&[variable]);
        let notify = process.notify.try_clone().unwrap();
        let (status, stdout, stderr) = process.end();
        assert_eq!((status.code(), stdout.as_str()), (Some(3), ""), "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
        notify.set_nonblocking(true).unwrap();
        let mut message = [0; 1024];
        while let Ok(length) = notify.recv(&mut message) {
            let said = String::from_utf8_lossy(&message[..length]);
            assert!(said.starts_with("X_DIRTY_LOADING="), "{said}");
        }
    }
}

#[test]
fn it_shows_that_it_lives() {
    let (process, mut peer) = Process::ready(&[("WATCHDOG_USEC", "60000")]);
    call(&mut peer, "hang", json!([]));
    let start = std::time::Instant::now();
    for _ in 0..6 {
        process.notified("WATCHDOG=1");
    }
    // Twice a period would be 180 ms for 6; nothing but a broken interval takes ten times that.
    assert!(start.elapsed().as_millis() < 1800);
}

#[test]
fn die_ends_the_process_with_its_code() {
    let (process, mut peer) = Process::ready(&[]);
    call(&mut peer, "die", json!([7]));
    peer.is_closed();
    assert_eq!(process.end().0.code(), Some(7));
}

#[test]
fn it_logs_to_stderr_without_payloads_and_never_writes_to_stdout() {
    let (mut process, mut peer) = Process::ready(&[("DIRTY_LOG_LEVEL", "trace")]);
    call(&mut peer, "fail", json!(["secret"]));
    peer.receive();
    let mut stderr = BufReader::new(process.child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("a call failed") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no line about the call");
        assert!(!line.contains("secret"), "{line}");
    }
    assert!(line.contains("fixture:App") && line.contains("action=fail"), "{line}");
    process.child.stderr = Some(stderr.into_inner());
    process.signal(Signal::SIGTERM);
    let (status, stdout, stderr) = process.end();
    assert_eq!((status.code(), stdout.as_str()), (Some(0), ""));
    assert!(!stderr.contains("secret"), "{stderr}");
}
