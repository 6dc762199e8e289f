//! A defect of the arbiter ends it as a whole (LIFE-18), and what is no defect does not end it.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dirty_arbiter::arbiter::{Arbiter, ArbiterConfig};
use nix::sys::signal::Signal;

use crate::served::{Peer, Served, dirty, eventually, is_alive};

/// Names the socket of [`the_arbiter_whose_loader_panics`].
const SOCKET: &str = "SOCKET_OF_THE_ARBITER_WHOSE_LOADER_PANICS";

/// Killed on drop.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_panic_in_any_task_ends_the_arbiter_and_its_workers() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("run/d.sock");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "panics::the_arbiter_whose_loader_panics", "--ignored", "--nocapture"])
        .env(SOCKET, &socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut arbiter = Child(command.spawn().unwrap());
    eventually("it listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let mut peer = Peer::connect(&socket);
    let worker = peer.call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    // What the reload of a control connection runs into is the end of everything, and not of that connection.
    assert!(!dirty().args(["reload", "--socket"]).arg(&socket).output().unwrap().status.success());
    eventually("the arbiter's end", || arbiter.0.try_wait().unwrap().is_some());
    assert_eq!(peer.receive_text(), None);
    let mut log = String::new();
    arbiter.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(arbiter.0.wait().unwrap().signal(), Some(Signal::SIGABRT as i32), "{log}");
    assert!(log.contains("ERROR the arbiter cannot go on: the loader is broken (LIFE-18)"), "{log}");
    eventually("the worker's end", || !is_alive(worker));
}

#[test]
#[ignore = "the arbiter of the test above, in a process of its own"]
fn the_arbiter_whose_loader_panics() {
    let Some(socket) = std::env::var_os(SOCKET).map(PathBuf::from) else { return };
    let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    logs.without_time().init();
    let worker = [env!("CARGO_BIN_EXE_dirty"), "worker"].map(Into::into).to_vec();
    let mut config = ArbiterConfig::new(socket, worker);
    config.pool.apps.push("fixture:App".parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = async {
        let arbiter = Arbiter::bind(config).unwrap();
        arbiter.with_reload(|| panic!("the loader is {}", "broken")).run().await.unwrap();
    };
    runtime.block_on(run);
}

#[test]
fn an_arbiter_whose_log_nobody_reads_any_more_goes_on() {
    // Its standard error is a pipe that is closed on the other side.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"{ "$0" "$@" 2>&1 >&3 | :; } 3>&1"#, env!("CARGO_BIN_EXE_dirty")]);
    let served = Served::start_by(shell, &["--workers", "1"]);
    let mut peer = served.connect();
    for _ in 0..3 {
        assert_eq!(peer.call("die", "[1]")["error"]["error_type"], "DirtyWorkerError");
        assert!(peer.call("echo", "[]").get("result").is_some(), "a new worker serves");
    }
    assert!(dirty().args(["drain", "--wait", "--socket"]).arg(&served.socket).status().unwrap().success());
}
