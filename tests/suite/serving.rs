//! The arbiter as a process: what conversations alone cannot show.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::served::{Peer, Served, eventually, is_alive};

fn error_type(message: &serde_json::Value) -> &str {
    message["error"]["error_type"].as_str().unwrap_or_else(|| panic!("not an error: {message}"))
}

/// Occupies a slot until the request with this id is cancelled: `slow_count` with long pauses, of which the first
/// chunk has come.
fn occupy(peer: &mut Peer, id: &str) {
    peer.request(id, "slow_count", r#""args":[1000,0.01],"kwargs":{}"#);
    assert_eq!(peer.receive()["data"], 0);
}

#[test]
fn after_a_half_close_answers_come_and_then_the_end() {
    let served = Served::start(&[]);
    let mut peer = served.connect();
    peer.request("1", "sleep", r#""args":[0.2,"slept"],"kwargs":{}"#);
    peer.request("2", "echo", r#""args":[],"kwargs":{}"#);
    peer.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.receive()["id"], "2");
    assert_eq!(peer.receive(), json!({"type": "response", "id": "1", "result": "slept"}));
    assert_eq!(peer.receive_text(), None);
}

#[test]
fn a_frame_cut_short_is_answered_and_the_connection_closed() {
    let served = Served::start(&[]);
    for (bytes, message) in
        [(&b"\0\0"[..], "got 2 of 4 bytes"), (b"\0\0\0\x64{\"type\":1", "got 9 of 100 bytes")]
    {
        let mut peer = served.connect();
        peer.0.write_all(bytes).unwrap();
        peer.0.shutdown(Shutdown::Write).unwrap();
        let answer = peer.receive();
        assert_eq!(answer["id"], json!(null));
        assert_eq!(error_type(&answer), "DirtyProtocolError");
        assert!(answer["error"]["message"].as_str().unwrap().contains(message), "{answer}");
        assert_eq!(answer["error"]["details"]["requirement"], "FRAME-9");
        assert_eq!(peer.receive_text(), None);
    }
    assert!(served.connect().call("echo", "[1]").get("result").is_some(), "others are unaffected");
}

#[test]
fn a_client_in_the_middle_of_a_long_write_gets_to_read_why_it_is_refused() {
    let served = Served::start(&[]);
    let mut peer = served.connect();
    let mut frame = 0x0400_0001_u32.to_be_bytes().to_vec();
    frame.resize(8 << 20, b' ');
    // Would block for ever, or end in a broken pipe, if the arbiter stopped reading.
    peer.0.write_all(&frame).unwrap();
    assert_eq!(peer.receive()["error"]["details"]["requirement"], "FRAME-3");
    assert_eq!(peer.receive_text(), None);
}

#[test]
fn payload_text_is_relayed_byte_for_byte() {
    let served = Served::start(&[]);
    let mut peer = served.connect();
    let odd = r#"[1.10,1e400,-0.0,123456789012345678901234567890,"\u0041\/\ud83d",{"a":1,"a":2}, [ ]]"#;
    peer.request("1", "echo", &format!(r#""args":{odd},"kwargs":{{}}"#));
    let text = peer.receive_text().unwrap();
    // The fixture's echo keeps the text of each argument; the arbiter keeps the whole frame.
    for piece in
        ["1.10", "1e400", "-0.0", "123456789012345678901234567890", r#""\u0041\/\ud83d""#, r#"{"a":1,"a":2}"#]
    {
        assert!(text.contains(piece), "{piece} is not in {text}");
    }
}

#[test]
fn a_full_queue_refuses_at_once_with_the_time_to_come_back() {
    let served = Served::start(&["--workers", "1", "--queue", "2"]);
    let mut peer = served.connect();
    occupy(&mut peer, "runs");
    for id in ["waits 1", "waits 2", "too many"] {
        peer.request(id, "echo", r#""args":[],"kwargs":{}"#);
    }
    let refused = loop {
        let message = peer.receive();
        if message["type"] != "chunk" {
            break message;
        }
    };
    assert_eq!(refused["id"], "too many");
    assert_eq!(error_type(&refused), "DirtyOverloadedError");
    assert!(refused["error"]["details"]["retry_after"].as_f64().unwrap() > 0.0);
    peer.send(r#"{"type":"cancel","id":"runs"}"#);
    let mut answered = Vec::new();
    while answered.len() < 3 {
        let message = peer.receive();
        if message["type"] != "chunk" {
            answered.push(message["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(answered, ["runs", "waits 1", "waits 2"]);
}

#[test]
fn one_connection_too_many_is_told_so() {
    let served = Served::start(&["--max-connections", "2"]);
    let mut first = served.connect();
    let second = served.connect();
    assert!(first.call("echo", "[]").get("result").is_some());
    let mut third = served.connect();
    assert_eq!(error_type(&third.receive()), "DirtyOverloadedError");
    assert_eq!(third.receive_text(), None);
    // In the codec that it speaks, if it has spoken.
    let mut binary = UnixStream::connect(&served.socket).unwrap();
    binary.write_all(b"GD\x01\x05\0\0\0\0\0\0\0\0\0\0\0\x07").unwrap();
    let mut refused = Vec::new();
    binary.read_to_end(&mut refused).unwrap();
    assert_eq!(refused[..4], *b"GD\x01\x03", "{refused:?}");
    drop(second);
    eventually("a place comes free", || {
        let mut next = served.connect();
        next.request("1", "echo", r#""args":[],"kwargs":{}"#);
        next.receive().get("result").is_some()
    });
}

#[test]
fn the_limits_of_messages_are_configurable_and_hold_at_the_edge() {
    let served = Served::start(&["--max-frame", "65536", "--max-depth", "64"]);
    let mut peer = served.connect();
    let padded = |length: usize| {
        let text =
            r#"{"type":"request","id":"1","app_path":"fixture:App","action":"echo","args":[],"kwargs":{}}"#;
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    peer.send(&padded(65_536));
    assert!(peer.receive().get("result").is_some());
    // In a request `args` is level 2; in the response to it, inside `result`, level 3.
    for (levels, accepted) in [(61, true), (63, false)] {
        let nested = format!(r#""args":[{}{}],"kwargs":{{}}"#, "[".repeat(levels), "]".repeat(levels));
        peer.request("2", "echo", &nested);
        assert_eq!(peer.receive().get("result").is_some(), accepted, "{levels} levels");
    }
    peer.send(&padded(65_537));
    assert_eq!(peer.receive()["error"]["details"]["requirement"], "FRAME-3");
}

#[test]
fn a_request_that_outlives_its_limit_is_answered_in_time_and_its_worker_replaced() {
    let mut served = Served::start(&["--workers", "1", "--timeout", "0.2", "--cancel-grace", "0.2"]);
    let mut peer = served.connect();
    let before = peer.call("whoami", "[]");
    let late = peer.call("hang", "[]");
    assert_eq!(error_type(&late), "DirtyTimeoutError");
    assert_eq!(late["error"]["details"]["phase"], "run");
    assert_eq!(late["error"]["details"]["timeout"], 0.2);
    let after = peer.call("whoami", "[]");
    assert_ne!(before["result"]["pid"], after["result"]["pid"], "the stuck worker was replaced");
    assert!(!is_alive(before["result"]["pid"].as_u64().unwrap()));
    served.signal(Signal::SIGTERM);
    let log = served.log();
    assert!(log.contains("signal SIGABRT") && !log.contains("signal SIGKILL"), "{log}");
}

#[test]
fn a_slow_reader_costs_nobody_but_itself() {
    let served = Served::start(&["--workers", "2", "--threads", "1"]);
    let mut slow = served.connect();
    // Far more than all buffers on the way together, and never read until the end.
    slow.request("big", "big", r#""args":[8388608],"kwargs":{}"#);
    slow.request("stream", "count", r#""args":[200000],"kwargs":{}"#);
    let mut other = served.connect();
    for number in 0..50 {
        assert_eq!(other.call("echo", &format!("[{number}]"))["result"]["args"][0], number);
    }
    // And it gets everything, in order, once it reads.
    let (mut chunks, mut big) = (0, false);
    loop {
        let message = slow.receive();
        match message["type"].as_str().unwrap() {
            "chunk" => {
                assert_eq!(message["data"], chunks);
                chunks += 1;
            }
            "response" => big = true,
            "end" if big => break,
            "end" => {
                assert_eq!(slow.receive()["type"], "response");
                break;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(chunks, 200_000);
}

#[test]
fn sigterm_delivers_what_was_accepted_and_exits_cleanly() {
    let mut served = Served::start(&["--workers", "1"]);
    let mut peer = served.connect();
    peer.request("runs", "sleep", r#""args":[0.3,"done"],"kwargs":{}"#);
    peer.request("waits", "echo", r#""args":["waited"],"kwargs":{}"#);
    // Cancelling an id that is unknown tells nothing, but its place in the stream shows that the others were read.
    peer.request("1", "no_such", r#""args":[],"kwargs":{},"timeout":0.05"#);
    assert_eq!(peer.receive()["id"], "1");
    served.signal(Signal::SIGTERM);
    assert_eq!(peer.receive()["result"], "done");
    assert_eq!(peer.receive()["result"]["args"][0], "waited");
    assert_eq!(peer.receive_text(), None);
    assert_eq!(served.wait().code(), Some(0));
}

#[test]
fn sigquit_ends_everything_at_once() {
    let mut served = Served::start(&["--workers", "1"]);
    let mut peer = served.connect();
    let worker = peer.call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    peer.request("1", "hang", r#""args":[],"kwargs":{}"#);
    peer.request("2", "echo", r#""args":[],"kwargs":{},"timeout":0.05"#);
    assert_eq!(error_type(&peer.receive()), "DirtyTimeoutError");
    served.signal(Signal::SIGQUIT);
    assert_eq!(error_type(&peer.receive()), "DirtyWorkerError");
    assert_eq!(peer.receive_text(), None);
    assert_eq!(served.wait().code(), Some(0));
    assert!(!is_alive(worker));
}

#[test]
fn a_stop_that_comes_as_soon_as_the_arbiter_listens_is_obeyed() {
    use Signal::{SIGINT, SIGQUIT, SIGTERM};
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGTERM, SIGINT, SIGQUIT] {
        let mut served = Served::start(&["--workers", "1"]);
        served.signal(signal);
        assert_eq!(served.wait().code(), Some(0), "{signal}");
        let left: Vec<_> = std::fs::read_dir(served.socket.parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{signal}: {left:?}");
    }
}

#[test]
fn sigquit_ends_workers_that_are_being_started() {
    // The signals may be taken in either order; about every other time the second one meets a process without a number.
    for _ in 0..8 {
        let mut served = Served::start(&["--workers", "1"]);
        served.connect().call("echo", "[]");
        served.signal(Signal::SIGTTIN);
        served.signal(Signal::SIGQUIT);
        let pid = u64::from(served.pid());
        eventually("the arbiter has ended", || !is_alive(pid));
        served.wait();
    }
}

#[test]
fn a_worker_that_cannot_be_started_is_no_reason_to_spin() {
    let mut served = Served::start(&["--workers", "1", "--worker-command", "exit 3"]);
    let mut peer = served.connect();
    peer.request("1", "echo", r#""args":[],"kwargs":{}"#);
    assert_eq!(error_type(&peer.receive()), "DirtyNoWorkersAvailableError");
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
    let log = served.log();
    let failures = log.matches("failed to boot").count();
    assert!((5..=6).contains(&failures), "{failures} boots: {log}");
}

#[test]
fn a_worker_that_speaks_garbage_is_replaced_and_its_request_fails() {
    // A worker that is ready, accepts, and answers the first bytes it reads with an empty frame.
    let script = r#"python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["DIRTY_WORKER_SOCKET"]); s.listen()
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
c, _ = s.accept(); c.recv(10); c.sendall(bytes(4)); os.read(0, 1)
'"#;
    let served = Served::start(&["--workers", "1", "--worker-command", script]);
    let mut peer = served.connect();
    for _ in 0..2 {
        let answer = peer.call("echo", "[]");
        assert_eq!(error_type(&answer), "DirtyWorkerError");
        assert_eq!(answer["error"]["details"]["requirement"], "FRAME-3");
    }
}

#[test]
fn a_thousand_idle_connections_are_no_burden() {
    let served = Served::start(&[]);
    let idle: Vec<Peer> = (0..1_000).map(|_| served.connect()).collect();
    let mut peer = served.connect();
    assert!(peer.call("echo", "[1]").get("result").is_some());
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", served.pid())).unwrap().count();
    eventually("all are accepted", || descriptors() > 1_000);
    drop(idle);
    eventually("all are closed", || descriptors() < 50);
    assert!(peer.call("echo", "[2]").get("result").is_some());
    let mut rest = Vec::new();
    peer.0.set_nonblocking(true).unwrap();
    assert!(peer.0.read_to_end(&mut rest).is_err() && rest.is_empty());
}

#[test]
fn the_log_names_no_absolute_path_of_an_app_and_no_argument() {
    let mut served = Served::start(&["--log-level", "trace"]);
    let mut peer = served.connect();
    assert!(peer.call("echo", r#"["hunter2"]"#).get("result").is_some());
    assert!(peer.call("fail", r#"["hunter2"]"#).get("error").is_some());
    served.signal(Signal::SIGTERM);
    let log = served.log();
    assert!(!log.contains("hunter2"), "{log}");
    assert!(log.contains("the arbiter has ended"), "{log}");
}

#[test]
fn bad_arguments_are_refused_with_what_was_expected() {
    for (arguments, expected) in [
        (&["--app", "nocolon"][..], "expected \"module:Class\""),
        (&["--app", "a:B:0"], "N from 1 to 1024"),
        (&["--workers", "0"], "expected a whole number from 1 to 1024, found \"0\""),
        (&["--timeout", "soon"], "a number of seconds"),
    ] {
        let output = crate::served::dirty().arg("serve").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(expected), "{text}");
    }
    let output = crate::served::dirty().arg("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no socket path"));
}

#[test]
fn a_result_over_the_configured_limit_is_the_calls_error_and_not_the_workers_end() {
    let served = Served::start(&["--workers", "1", "--max-frame", "65536"]);
    let mut peer = served.connect();
    let before = peer.call("whoami", "[]");
    let error = peer.call("big", "[100000]");
    assert_eq!(error_type(&error), "DirtyAppError", "{error}");
    assert_eq!(peer.call("whoami", "[]"), before, "the worker lives");
}

#[test]
fn gunicorns_literals_pass_only_in_its_compatibility() {
    // A worker that answers every call with NaN, as a Python worker without our rules does.
    let script = r#"python3 -c '
import json, os, socket, struct
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["DIRTY_WORKER_SOCKET"]); s.listen()
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
c, _ = s.accept()
while True:
    size = c.recv(4)
    if not size: break
    call = json.loads(c.recv(struct.unpack(">I", size)[0]))
    reply = json.dumps({"type": "response", "id": call["id"], "result": float("nan")}).encode()
    c.sendall(struct.pack(">I", len(reply)) + reply)
'"#;
    let strict = Served::start(&["--workers", "1", "--worker-command", script]);
    let mut peer = strict.connect();
    for _ in 0..2 {
        let error = peer.call("echo", "[]");
        assert_eq!(error["error"]["details"]["requirement"], "VAL-2", "{error}");
        assert_eq!(error["error"]["details"]["worker_id"], 1, "one bad message costs no worker");
    }
    let lenient = Served::start(&["--compat", "gunicorn", "--workers", "1", "--worker-command", script]);
    let mut peer = lenient.connect();
    peer.request("1", "echo", r#""args":[Infinity],"kwargs":{}"#);
    assert_eq!(peer.receive_text().unwrap(), r#"{"type": "response", "id": "1", "result": NaN}"#);
    peer.send(r#"{"type":"request","id":"2","app_path":"no:App","action":"a","args":[],"kwargs":{}}"#);
    assert_eq!(error_type(&peer.receive()), "DirtyNoWorkersAvailableError");
}

#[test]
fn descriptors_that_the_arbiter_inherits_do_not_reach_its_workers() {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"exec 9</dev/null; exec "$0" "$@""#, env!("CARGO_BIN_EXE_dirty")]);
    let served = Served::start_by(shell, &["--workers", "1"]);
    let worker = served.connect().call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    for pid in [u64::from(served.pid()), worker] {
        let open: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().collect();
        assert!(open.len() > 3);
        let null = std::fs::read_link(format!("/proc/{pid}/fd/9")).is_ok_and(|to| to.ends_with("null"));
        assert!(!null, "{open:?}");
    }
}
