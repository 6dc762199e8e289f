//! The socket's place in the file system: private, never stolen, cleaned up.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::served::{Served, dirty, eventually, is_alive};

/// Runs `dirty serve`, which must fail, and returns the one line that it says.
fn refusal(socket: &Path) -> String {
    let mut command = dirty();
    command.args(["serve", "--socket"]).arg(socket).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The end of its output, or the line that says that it listens, which it must not: then it would never end.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if !line.is_empty() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(line, "", "it serves where it must refuse");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn the_socket_and_its_directories_are_private() {
    let served = Served::start(&[]);
    assert_eq!(mode(&served.socket), 0o600);
    assert_eq!(mode(served.socket.parent().unwrap()), 0o700, "a directory that the arbiter made");
    let private = served.socket.with_extension("sock.d");
    assert_eq!(mode(&private), 0o700);
}

#[test]
fn a_live_socket_is_not_stolen() {
    let served = Served::start(&[]);
    let text = refusal(&served.socket);
    assert!(text.contains(&format!("an arbiter (pid {}) is already serving there", served.pid())), "{text}");
    assert!(served.connect().call("echo", "[1]").get("result").is_some(), "the first arbiter still serves");
}

#[test]
fn a_strangers_listening_socket_is_not_stolen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    assert!(refusal(&path).contains("another program is listening there"));
    assert!(path.exists());
}

#[test]
fn a_stale_socket_is_replaced() {
    let mut first = Served::start(&[]);
    let worker = first.connect().call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    first.signal(Signal::SIGKILL);
    first.wait();
    assert!(first.socket.exists(), "kill -9 leaves the socket file");
    eventually("the worker of a killed arbiter ends", || !is_alive(worker));
    let socket = first.socket.to_str().unwrap();
    let mut second = dirty()
        .args(["serve", "--socket", socket])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(second.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert_eq!(line, format!("listening on {socket}\n"));
    assert!(first.connect().call("echo", "[1]").get("result").is_some());
    second.kill().unwrap();
    second.wait().unwrap();
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    fs::write(&path, "data").unwrap();
    assert!(refusal(&path).contains("it exists and is not a socket"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let text = refusal(&directory.path().join("d.sock"));
    assert!(text.contains("has mode 0777, so other users can replace the socket"), "{text}");
}

#[test]
fn a_path_that_fits_no_address_is_refused_by_its_length() {
    let directory = tempfile::tempdir().unwrap();
    let text = refusal(&directory.path().join("x".repeat(120)));
    assert!(text.contains("fit a socket address"), "{text}");
}

#[test]
fn nothing_is_left_after_a_graceful_end() {
    let mut served = Served::start(&[]);
    let worker = served.connect().call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
    assert!(!is_alive(worker));
    let left: Vec<_> = fs::read_dir(served.socket.parent().unwrap()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
