//! The log file of `dirty serve`, and the signals that are about it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::served::{Served, dirty, eventually};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// An arbiter with one worker that logs to `log` in a directory of its own.
fn logging(arguments: &[&str]) -> (Served, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let served =
        Served::start(&[&["--workers", "1", "--log-file", path.to_str().unwrap()], arguments].concat());
    (served, directory)
}

/// Makes a line appear in the log: a worker's end is logged, with its exit code.
fn log_an_exit(served: &Served, code: u8) {
    served.connect().call("die", &format!("[{code}]"));
}

#[test]
fn the_log_goes_to_its_file_alone_and_others_cannot_read_it() {
    let (mut served, directory) = logging(&["--log-format", "json"]);
    let path = directory.path().join("log");
    assert!(served.connect().call("echo", "[1]").get("result").is_some());
    served.signal(Signal::SIGTERM);
    assert_eq!(served.log(), "", "nothing on standard error");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let log = read(&path);
    assert!(log.contains("serving fixture:App") && log.contains("the arbiter has ended"), "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn a_log_file_is_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let _served = Served::start(&["--log-file", path.to_str().unwrap()]);
    eventually("it logs", || read(&path).contains("serving fixture:App"));
    assert!(read(&path).starts_with("before\n"));
}

#[test]
fn sigusr1_reopens_the_log_file() {
    let (served, directory) = logging(&[]);
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    log_an_exit(&served, 7);
    eventually("the exit is logged", || read(&path).contains("exit code 7"));
    fs::rename(&path, &moved).unwrap();
    served.signal(Signal::SIGUSR1);
    eventually("the new file is in use", || read(&path).contains("reopened the log file"));
    let before = read(&moved);
    log_an_exit(&served, 8);
    eventually("the exit is logged", || read(&path).contains("exit code 8"));
    assert_eq!(read(&moved), before, "the old file is left alone");
}

#[test]
fn a_log_file_that_cannot_be_reopened_stays_in_use() {
    let (served, directory) = logging(&[]);
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    served.signal(Signal::SIGUSR1);
    eventually("the failure is logged", || read(&moved).contains("failed to reopen the log file"));
    log_an_exit(&served, 8);
    eventually("the exit is logged", || read(&moved).contains("exit code 8"));
    fs::remove_dir(&path).unwrap();
    served.signal(Signal::SIGUSR1);
    eventually("the next try succeeds", || read(&path).contains("reopened the log file"));
}

#[test]
fn sigusr1_and_sigusr2_end_neither_the_arbiter_nor_its_workers() {
    // At once: even before the event loop runs.
    let mut served = Served::start(&["--workers", "1"]);
    served.signal(Signal::SIGUSR1);
    served.signal(Signal::SIGUSR2);
    let mut peer = served.connect();
    let worker = peer.call("whoami", "[]");
    assert!(worker["result"]["pid"].is_number(), "{worker}");
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        served.signal(signal);
        assert_eq!(peer.call("whoami", "[]"), worker, "{signal}");
    }
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
    let log = served.log();
    assert!(log.contains("SIGUSR1, and there is no log file to reopen"), "{log}");
    assert!(log.contains("SIGUSR2 has no meaning here, ignored"), "{log}");
}

#[test]
fn a_log_file_that_cannot_be_opened_is_a_wrong_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    // Of a pipe that nobody reads from, the end of the opening would never come.
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let missing = directory.path().join("missing/log");
    for path in [directory.path(), &missing, &pipe] {
        let mut command = dirty();
        command.args(["serve", "--socket"]).arg(directory.path().join("d.sock")).arg("--log-file").arg(path);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("it refuses", || child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{text}");
        let start =
            format!("dirty serve: --log-file: dirty_log_file: failed to open {path:?} for appending: ");
        assert!(text.starts_with(&start), "{text}");
    }
}
