//! `dirty call` and `dirty stream` against a scripted arbiter: what they send, print and return.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use crate::scripted::{Peer, Script};

fn dirty(command: &str, socket: &std::path::Path, args: &[&str]) -> Command {
    let mut dirty = Command::new(env!("CARGO_BIN_EXE_dirty"));
    dirty.args([command, "a:B", "echo"]).args(args).arg("--socket").arg(socket);
    dirty
}

/// What the command printed and returned, when the arbiter did `script`.
fn run(
    command: &str,
    args: &[&str],
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (String, String, i32) {
    let script = Script::run(|listener| script(&mut listener.accept()));
    let outcome = shown(dirty(command, &script.path(), args).output().unwrap());
    script.finish();
    outcome
}

fn shown(output: Output) -> (String, String, i32) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

const REQUEST: &str =
    r#"{"type":"request","id":"$1","app_path":"a:B","action":"echo","args":[],"kwargs":{}}"#;

fn error(error_type: &str, details: &str) -> String {
    format!(
        r#"{{"type":"error","id":"$1","error":{{"error_type":"{error_type}","message":"oh no","details":{details}}}}}"#
    )
}

#[test]
fn a_result_is_printed_as_the_text_that_was_sent_on_one_line() {
    let (stdout, stderr, code) = run(
        "call",
        &["1.10", r#""x""#, "-2", "-k", "a=[1, 2]", "-k", "b={}", "--timeout", "9"],
        |peer| {
            peer.expect(concat!(
                r#"{"type":"request","id":"$1","app_path":"a:B","action":"echo","args":[1.10,"x",-2],"#,
                r#""kwargs":{"a":[1, 2],"b":{}},"timeout":9}"#
            ));
            peer.send("{\"type\":\"response\",\"id\":\"$1\",\"result\":{ \"n\":1.10,\r\n\"e\":1e400,\"s\":\"\\ud83d\\n\" }}");
        },
    );
    assert_eq!(stdout, "{ \"n\":1.10,  \"e\":1e400,\"s\":\"\\ud83d\\n\" }\n");
    assert_eq!((stderr.as_str(), code), ("", 0));
}

#[test]
fn items_are_printed_when_they_come_one_a_line() {
    let (seen, next) = std::sync::mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        for number in 0..3 {
            peer.send(&format!(r#"{{"type":"chunk","id":"$1","data":{number}}}"#));
            next.recv().unwrap();
        }
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let mut child = dirty("stream", &script.path(), &[]).stdout(Stdio::piped()).spawn().unwrap();
    for (number, line) in (0..).zip(BufReader::new(child.stdout.take().unwrap()).lines()) {
        assert_eq!(line.unwrap(), number.to_string());
        seen.send(()).unwrap();
    }
    assert!(child.wait().unwrap().success());
    script.finish();
}

#[test]
fn the_exit_code_says_what_kind_of_error_it_was() {
    for (error_type, expected) in [
        ("DirtyError", 1),
        ("DirtyTimeoutError", 4),
        ("DirtyConnectionError", 3),
        ("DirtyWorkerError", 1),
        ("DirtyAppError", 6),
        ("DirtyAppNotFoundError", 1),
        ("DirtyNoWorkersAvailableError", 1),
        ("DirtyProtocolError", 1),
        ("DirtyOverloadedError", 5),
        ("DirtyCancelledError", 1),
        ("DirtyWeatherError", 1),
    ] {
        let (stdout, stderr, code) = run("call", &[], move |peer| {
            peer.expect(REQUEST);
            peer.send(&error(error_type, r#"{"retry_after":0.5,"traceback":"at line 1\n"}"#));
        });
        assert_eq!(stdout, "");
        assert_eq!(stderr, format!("dirty call: {error_type}: oh no\n  try again in 0.5 s\nat line 1\n"));
        assert_eq!(code, expected, "{error_type}");
    }
}

#[test]
fn an_error_of_a_stream_comes_after_its_items() {
    let (stdout, stderr, code) = run("stream", &[], |peer| {
        peer.expect(REQUEST);
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
        peer.send(&error("DirtyAppError", "{}"));
    });
    assert_eq!((stdout.as_str(), stderr.as_str(), code), ("0\n", "dirty stream: DirtyAppError: oh no\n", 6));
}

#[test]
fn with_json_an_error_is_data() {
    let (stdout, stderr, code) = run("stream", &["--json"], |peer| {
        peer.expect(REQUEST);
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
        peer.send(&error("DirtyAppError", r#"{"action":"echo","mm":12}"#));
    });
    let object = r#"{"error_type":"DirtyAppError","message":"oh no","details":{"action":"echo","mm":12}}"#;
    assert_eq!(stdout, format!("0\n{object}\n"));
    assert_eq!((stderr.as_str(), code), ("", 6));
}

#[test]
fn a_reader_that_has_had_enough_ends_the_stream() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        while peer.try_send(r#"{"type":"chunk","id":"$1","data":"some text"}"#) {}
    });
    let mut child = dirty("stream", &script.path(), &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), r#""some text""#);
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    script.finish();
}

#[test]
fn a_wrong_command_line_is_explained_and_nothing_is_sent() {
    let nowhere = std::path::Path::new("/nowhere/d.sock");
    for (args, expected) in [
        (&["hello"][..], r#"to pass it as a text, write '"hello"'"#),
        (&["NaN"], "not JSON"),
        (&["-k", "a"], "expected KEY=JSON"),
        (&["-k", "a=b"], r#"write '"b"'"#),
        (&["-k", "a=1", "-k", "a=2"], "the named argument \"a\" is given twice"),
        (&["--timeout", "soon"], "expected a number of seconds"),
    ] {
        let (stdout, stderr, code) = shown(dirty("call", nowhere, args).output().unwrap());
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
        assert_eq!((stdout.as_str(), code), ("", 2), "{args:?}");
    }
}

#[test]
fn an_arbiter_that_cannot_be_reached_is_said_to_be_so() {
    let nowhere = std::path::Path::new("/nowhere/d.sock");
    let (_, stderr, code) = shown(dirty("call", nowhere, &[]).output().unwrap());
    assert!(stderr.starts_with("dirty call: DirtyConnectionError: no socket at /nowhere/d.sock"), "{stderr}");
    assert_eq!(code, 3);
    let mut unnamed = Command::new(env!("CARGO_BIN_EXE_dirty"));
    unnamed.args(["call", "a:B", "echo"]).env_remove("DIRTY_SOCKET").env_remove("GUNICORN_DIRTY_SOCKET");
    let (_, stderr, code) = shown(unnamed.env("XDG_RUNTIME_DIR", "").output().unwrap());
    assert!(
        stderr.contains("DIRTY_SOCKET is not set") && stderr.contains("XDG_RUNTIME_DIR is empty"),
        "{stderr}"
    );
    assert_eq!(code, 2);
}

#[test]
fn the_limit_of_a_call_is_an_exit_code_of_its_own() {
    let (stdout, stderr, code) = run("call", &["--timeout", "0.05"], |peer| {
        peer.expect(&REQUEST.replace("{}}", r#"{},"timeout":0.05}"#));
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
    });
    assert_eq!(stdout, "");
    assert!(
        stderr.starts_with("dirty call: DirtyTimeoutError: no result from a:B echo within 0.05 s"),
        "{stderr}"
    );
    assert_eq!(code, 4);
}
