//! `dirty status`, `scale`, `reload` and `drain` as programs.

use std::os::unix::net::UnixListener;
use std::path::Path;

use dirty_arbiter::control::{PoolStatus, control_socket};
use serde_json::Value;

use super::schema::validator;
use crate::scripted::{Listener, Peer};
use crate::served::{Served, dirty, eventually};

/// What a command printed on stdout and stderr, and its exit code.
fn run(socket: &Path, arguments: &[&str]) -> (String, String, i32) {
    let output = dirty().args(arguments).arg("--socket").arg(socket).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// What a command does when the arbiter's control socket does this.
fn scripted(arguments: &[&str], script: impl FnOnce(&mut Peer) + Send + 'static) -> (String, String, i32) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("d.sock");
    std::fs::create_dir(control_socket(&socket).parent().unwrap()).unwrap();
    let listener = Listener::from(UnixListener::bind(control_socket(&socket)).unwrap());
    let thread = std::thread::spawn(move || script(&mut listener.accept()));
    let outcome = run(&socket, arguments);
    thread.join().unwrap();
    outcome
}

#[test]
fn status_is_a_report_for_people_and_an_object_for_programs() {
    let served = Served::start(&["--workers", "1"]);
    assert!(served.connect().call("echo", "[]").get("result").is_some());
    let (report, stderr, code) = run(&served.socket, &["status"]);
    assert_eq!((stderr.as_str(), code), ("", 0));
    for piece in
        ["arbiter   pid ", "1 worker wanted, 1 process, generation 0", "\nfixture:App  ready  1 of all "]
    {
        assert!(report.contains(piece), "no {piece:?} in\n{report}");
    }
    let (text, stderr, code) = run(&served.socket, &["status", "--json"]);
    assert_eq!((stderr.as_str(), code, text.lines().count()), ("", 0, 1));
    let value: Value = serde_json::from_str(&text).unwrap();
    validator("PoolStatus").validate(&value).unwrap_or_else(|error| panic!("{error}"));
    let status: PoolStatus = serde_json::from_value(value).unwrap();
    assert_eq!(status.arbiter.pid, served.pid());
}

#[test]
fn the_commands_change_the_pool_and_say_what_they_did() {
    let mut served = Served::start(&["--workers", "1"]);
    let socket = served.socket.clone();
    let said = |arguments: &[&str]| run(&socket, arguments);
    let line = |text: &str| (format!("{text}\n"), String::new(), 0);
    assert_eq!(said(&["scale", "2"]), line("2 workers wanted, 2 processes"));
    assert_eq!(said(&["scale", "+1"]), line("3 workers wanted, 3 processes"));
    let (stdout, _, code) = said(&["scale", "-2"]);
    assert!(stdout.starts_with("1 worker wanted, ") && code == 0, "{stdout}");
    let refused = "dirty scale: expected at least 1 worker, found 1 and 1 fewer\n";
    assert_eq!(said(&["scale", "-1"]), (String::new(), refused.to_owned(), 1));
    assert_eq!(said(&["reload", "--wait"]), line("generation 1 of the workers is ready"));
    assert_eq!(said(&["reload"]), line("generation 2 of the workers is on its way"));
    assert_eq!(said(&["drain", "--wait"]), line("the arbiter has ended"));
    assert_eq!(served.wait().code(), Some(0));
    let (stdout, stderr, code) = said(&["status"]);
    assert_eq!((stdout.as_str(), code), ("", 3));
    assert!(
        stderr.starts_with("dirty status: failed to reach the arbiter: there is no control socket"),
        "{stderr}"
    );
}

#[test]
fn a_drain_that_is_not_waited_for_ends_the_arbiter_too() {
    let mut served = Served::start(&["--workers", "1"]);
    let (stdout, _, code) = run(&served.socket, &["drain"]);
    assert_eq!((stdout.as_str(), code), ("the arbiter drains\n", 0));
    assert_eq!(served.wait().code(), Some(0));
    eventually("the socket is gone", || !served.socket.exists());
}

#[test]
fn the_exit_code_says_why_there_is_no_answer() {
    let status = r#"{"type":"status","id":"1"}"#;
    let error = |error_type: &str| {
        format!(
            r#"{{"type":"error","id":null,"error":{{"error_type":"{error_type}","message":"no","details":{{}}}}}}"#
        )
    };
    for (error_type, expected) in [("DirtyOverloadedError", 5), ("DirtyProtocolError", 1)] {
        let answer = error(error_type);
        let (_, stderr, code) = scripted(&["status"], move |peer| {
            peer.expect(status);
            peer.send(&answer);
        });
        assert_eq!(
            (stderr, code),
            (format!("dirty status: the arbiter refused: {error_type}: no\n"), expected)
        );
    }
    let (_, stderr, code) = scripted(&["status", "--timeout", "0.5"], |peer| {
        peer.expect(status);
        peer.expect_close();
    });
    assert_eq!(
        (stderr.as_str(), code),
        ("dirty status: failed to get an answer from the arbiter within 0.5 s\n", 4)
    );
    let (_, stderr, code) = scripted(&["status"], |peer| peer.expect(status));
    assert!(stderr.contains("the connection ended before it") && code == 3, "{stderr}");
    for (answer, expected) in [
        (r#"{"type":"response","id":"2","result":{}}"#, "response message that answers nothing (CORR-4)"),
        (r#"{"type":"chunk","id":"1","data":1}"#, "chunk message that answers nothing (CORR-4)"),
        (
            r#"{"type":"request","id":"1","app_path":"a","action":"b"}"#,
            "request message that answers nothing (CORR-4)",
        ),
        (r#"{"type":"response","id":"1","result":{}}"#, "missing field `arbiter`"),
        ("[]", "payload is an array: expected an object (FRAME-10)"),
    ] {
        let (_, stderr, code) = scripted(&["status"], move |peer| {
            peer.expect(status);
            peer.send(answer);
        });
        assert!(stderr.contains(expected) && code == 1, "{answer}: {stderr}");
    }
}

#[test]
fn what_is_sent_is_what_was_asked_for() {
    let done = r#"{"type":"response","id":"1","result":{"success":true,"operation":"add","target_workers":1,"total_workers":1}}"#;
    for (arguments, message) in [
        (&["scale", "7"][..], r#"{"type":"manage","id":"1","op":"scale","count":7}"#),
        (&["scale", "+2"], r#"{"type":"manage","id":"1","op":"add","count":2}"#),
        (&["scale", "-3"], r#"{"type":"manage","id":"1","op":"remove","count":3}"#),
        (&["reload"], r#"{"type":"manage","id":"1","op":"reload"}"#),
        (&["reload", "--wait"], r#"{"type":"manage","id":"1","op":"reload","wait":true}"#),
        (&["drain", "--wait"], r#"{"type":"manage","id":"1","op":"drain","wait":true}"#),
    ] {
        let (_, stderr, code) = scripted(arguments, move |peer| {
            peer.expect(message);
            peer.send(done);
        });
        assert_eq!((stderr.as_str(), code), ("", 0), "{arguments:?}");
    }
    let (_, stderr, code) = run(Path::new("d.sock"), &["scale", "many"]);
    assert!(stderr.contains("expected a number of workers, +N or -N") && code == 2, "{stderr}");
}
