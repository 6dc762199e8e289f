//! `status` and `manage` on a running arbiter.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dirty_arbiter::control::{ControlClient, Operation, PoolState, PoolStatus, WorkerState, control_socket};
use serde_json::{Value, json};

use super::schema::validator;
use crate::served::{Peer, Served, eventually, is_alive};

fn control(served: &Served) -> Peer {
    Peer::connect(&control_socket(&served.socket))
}

fn client(served: &Served) -> ControlClient {
    ControlClient::new(&served.socket)
}

/// The one answer to a message, which is what the schema says it is.
fn ask(peer: &mut Peer, message: &str) -> Value {
    peer.send(message);
    let answer = peer.receive();
    let definition = if answer["type"] == "error" { "ErrorMessage" } else { "ResponseMessage" };
    validator(definition).validate(&answer).unwrap_or_else(|error| panic!("{error} in {answer}"));
    answer
}

fn manage(peer: &mut Peer, members: &str) -> Value {
    ask(peer, &format!(r#"{{"type":"manage","id":"m",{members}}}"#))["result"].take()
}

fn ready_workers(status: &PoolStatus) -> usize {
    status.workers.iter().filter(|worker| worker.state == WorkerState::Ready).count()
}

fn protocol_error<'a>(answer: &'a Value, pointer: &str, requirement: &str) -> &'a str {
    let error = &answer["error"];
    assert_eq!(error["error_type"], "DirtyProtocolError", "{answer}");
    assert_eq!(error["details"]["pointer"], pointer, "{answer}");
    assert_eq!(error["details"]["requirement"], requirement, "{answer}");
    error["message"].as_str().unwrap()
}

#[test]
fn the_control_socket_is_private_and_lies_beside_the_call_socket() {
    let served = Served::start(&[]);
    let path = control_socket(&served.socket);
    let mut expected = served.socket.clone().into_os_string();
    expected.push(".d/control");
    assert_eq!(path, PathBuf::from(expected));
    let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert!(std::fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert!(client(&served).status().is_ok());
}

#[test]
fn status_shows_the_arbiter_its_apps_and_its_workers() {
    let served =
        Served::start(&["--workers", "2", "--threads", "3", "--app", "fixture:App", "--app", "demo:LLM:1"]);
    let mut peer = served.connect();
    let worker = peer.call("whoami", "[]")["result"].take();
    let mut control = control(&served);
    // Both are ready, and connected to, before anything is compared.
    eventually("two available workers", || client(&served).status().unwrap().apps[0].ready_workers == 2);
    let answer = ask(&mut control, r#"{"type":"status","id":"s 1"}"#);
    assert_eq!(answer["id"], "s 1");
    let status: PoolStatus = serde_json::from_value(answer["result"].clone()).unwrap();
    let arbiter = &status.arbiter;
    assert_eq!(arbiter.pid, served.pid());
    assert_eq!(arbiter.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(arbiter.socket.as_deref(), served.socket.to_str());
    assert!(arbiter.uptime > 0.0);
    assert_eq!((arbiter.state, arbiter.generation, arbiter.reloading), (PoolState::Serving, 0, false));
    assert_eq!((arbiter.target_workers, arbiter.connections), (2, 1));
    let apps: Vec<_> = status.apps.iter().map(|app| (app.app_path.as_str(), app.workers)).collect();
    assert_eq!(apps, [("fixture:App", None), ("demo:LLM", Some(1))]);
    assert_eq!((status.apps[0].ready_workers, status.apps[1].ready_workers), (2, 1));
    assert_eq!(status.workers.len(), 2);
    for worker in &status.workers {
        assert!(is_alive(worker.pid.unwrap().into()), "{worker:?}");
        assert_eq!((worker.slots, worker.busy, worker.generation, worker.last_exit), (3, 0, 0, None));
        assert!(worker.apps.contains(&"fixture:App".to_owned()) && worker.age > 0.0);
    }
    let called = status.workers.iter().find(|it| u64::from(it.pid.unwrap()) == worker["pid"]).unwrap();
    assert_eq!((called.id.to_string().as_str(), called.served), (worker["worker_id"].as_str().unwrap(), 1));
}

#[test]
fn counters_and_times_are_those_of_the_calls_that_were_made() {
    let served = Served::start(&["--workers", "1", "--app", "fixture:App", "--app", "demo:LLM"]);
    let mut peer = served.connect();
    for _ in 0..3 {
        peer.call("echo", "[1]");
    }
    peer.call("sleep", "[0.02,1]");
    peer.call("fail", r#"["no"]"#);
    peer.request("s", "count", r#""args":[2],"kwargs":{}"#);
    while peer.receive()["type"] != "end" {}
    let status = client(&served).status().unwrap();
    let [fixture, demo] = &status.apps[..] else { panic!("{status:?}") };
    let counters = &fixture.counters;
    assert_eq!((counters.requests, counters.responses, counters.streams), (6, 4, 1));
    assert_eq!(counters.errors, BTreeMap::from([("DirtyAppError".to_owned(), 1)]));
    assert_eq!((counters.timeouts, counters.crashes, counters.stale_frames), (0, 0, 0));
    for times in [&fixture.wait_time, &fixture.run_time] {
        assert_eq!(times.counts.iter().sum::<u64>(), 6);
        assert_eq!(times.counts.len(), times.bounds.len() + 1);
    }
    assert!(fixture.run_time.sum >= 0.02, "{:?}", fixture.run_time);
    assert_eq!((demo.counters.requests, demo.wait_time.mean()), (0, None));
    assert_eq!(status.workers[0].served, 6);
    // A crash, then a limit.
    assert_eq!(peer.call("die", "[7]")["error"]["error_type"], "DirtyWorkerError");
    eventually("the replacement", || ready_workers(&client(&served).status().unwrap()) == 1);
    peer.request("t", "sleep", r#""args":[0.2,1],"kwargs":{},"timeout":0.01"#);
    assert_eq!(peer.receive()["error"]["error_type"], "DirtyTimeoutError");
    // What the worker says of a request that was answered is no second answer.
    eventually("the slot is free", || client(&served).status().unwrap().workers[0].served == 1);
    let status = client(&served).status().unwrap();
    let counters = &status.apps[0].counters;
    assert_eq!((counters.requests, counters.crashes, counters.timeouts), (8, 1, 1));
    let errors = ["DirtyAppError", "DirtyTimeoutError", "DirtyWorkerError"].map(|name| (name.to_owned(), 1));
    assert_eq!(counters.errors, BTreeMap::from(errors));
    assert_eq!((counters.responses, counters.streams), (4, 1));
    let exit = status.workers[0].last_exit.unwrap();
    assert_eq!((exit.worker_id, exit.exit_code, exit.signal), (1, Some(7), None));
}

#[test]
fn a_busy_pool_shows_what_runs_and_what_waits() {
    let served = Served::start(&["--workers", "1"]);
    let mut peer = served.connect();
    peer.request("runs", "slow_count", r#""args":[1000,0.01],"kwargs":{}"#);
    assert_eq!(peer.receive()["data"], 0);
    for id in ["waits", "waits too"] {
        peer.request(id, "echo", r#""args":[],"kwargs":{}"#);
    }
    eventually("two queued requests", || client(&served).status().unwrap().apps[0].queued == 2);
    let status = client(&served).status().unwrap();
    assert_eq!((status.apps[0].running, status.workers[0].busy), (1, 1));
    peer.send(r#"{"type":"cancel","id":"runs"}"#);
    eventually("an idle pool", || {
        let status = client(&served).status().unwrap();
        (status.apps[0].running, status.apps[0].queued, status.workers[0].busy) == (0, 0, 0)
    });
}

#[test]
fn every_extension_that_is_supported_is_announced() {
    let served = Served::start(&[]);
    let features = client(&served).status().unwrap().arbiter.features;
    // The table of the specification, whose last row is a name that nobody serves.
    let chapter = include_str!("../../../spec/extensions.md");
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let mut named: Vec<&str> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
        .map(|name| name.trim().trim_matches('`'))
        .filter(|name| *name != "stash")
        .chain(["cancel"])
        .collect();
    let mut announced: Vec<&str> = features.iter().map(String::as_str).collect();
    named.sort_unstable();
    announced.sort_unstable();
    assert_eq!(announced, named);
}

#[test]
fn control_messages_are_not_served_on_the_call_socket_nor_calls_here() {
    let served = Served::start(&[]);
    let mut call = served.connect();
    for message in [r#"{"type":"status","id":"x"}"#, r#"{"type":"manage","id":"x","op":"drain"}"#] {
        call.send(message);
        protocol_error(&call.receive(), "/type", "EXT-1");
    }
    let mut control = control(&served);
    let request =
        r#"{"type":"request","id":"x","app_path":"fixture:App","action":"echo","args":[],"kwargs":{}}"#;
    let text = ask(&mut control, request);
    assert!(protocol_error(&text, "/type", "EXT-6").contains("\"request\" is not served on this socket"));
    protocol_error(&ask(&mut control, r#"{"type":"stash","id":"x"}"#), "/type", "EXT-6");
    protocol_error(&ask(&mut control, r#"{"type":"manage","id":"x","op":"restart"}"#), "/op", "EXT-6");
    protocol_error(&ask(&mut control, r#"{"type":"manage","id":"x","op":"scale"}"#), "/count", "EXT-9");
    assert_eq!(ask(&mut control, r#"{"type":"status","id":"y"}"#)["id"], "y", "the connection lives");
    assert!(call.call("echo", "[]").get("result").is_some());
}

#[test]
fn a_bad_frame_is_answered_and_its_connection_closed() {
    let served = Served::start(&[]);
    let mut first = control(&served);
    for (payload, requirement) in [("[]", "FRAME-10"), ("{", "FRAME-10"), ("", "FRAME-3")] {
        let mut peer = control(&served);
        peer.send(payload);
        let answer = peer.receive();
        assert_eq!(
            (&answer["id"], &answer["error"]["details"]["requirement"]),
            (&json!(null), &json!(requirement))
        );
        assert_eq!(peer.receive_text(), None);
    }
    assert!(ask(&mut first, r#"{"type":"status","id":"1"}"#)["result"].is_object());
}

#[test]
fn the_limits_of_messages_hold_at_the_edge() {
    let served = Served::start(&[]);
    let mut peer = control(&served);
    let padded = |length: usize| {
        let message = r#"{"type":"status","id":"1","pad":""}"#;
        message.replace(r#""""#, &format!("\"{}\"", "x".repeat(length - message.len())))
    };
    assert!(ask(&mut peer, &padded(65_536))["result"].is_object());
    let nested = |levels: usize| {
        format!(r#"{{"type":"status","id":"1","x":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1))
    };
    assert!(ask(&mut peer, &nested(64))["result"].is_object());
    protocol_error(&ask(&mut peer, &nested(65)), "", "VAL-3");
    // One byte more; only the header is sent, because it is judged first.
    peer.0.write_all(&65_537_u32.to_be_bytes()).unwrap();
    assert_eq!(peer.receive()["error"]["details"]["requirement"], "FRAME-3");
    assert_eq!(peer.receive_text(), None);
}

#[test]
fn the_seventeenth_connection_is_refused_and_a_place_comes_free() {
    let served = Served::start(&[]);
    let status = r#"{"type":"status","id":"1"}"#;
    let mut peers: Vec<Peer> = (0..16).map(|_| control(&served)).collect();
    for peer in &mut peers {
        assert!(ask(peer, status)["result"].is_object());
    }
    let mut refused = control(&served);
    let answer = refused.receive();
    assert_eq!(
        (&answer["id"], &answer["error"]["error_type"]),
        (&json!(null), &json!("DirtyOverloadedError"))
    );
    assert_eq!(refused.receive_text(), None);
    // The call socket has places of its own, and the other way round.
    assert!(served.connect().call("echo", "[]").get("result").is_some());
    peers.pop();
    eventually("a place comes free", || {
        let mut peer = control(&served);
        // A refusal may have closed it before it is written to.
        let message = [&26_u32.to_be_bytes(), status.as_bytes()].concat();
        let _ = peer.0.write_all(&message);
        peer.receive_text().is_some_and(|text| text.contains("\"result\""))
    });
}

#[test]
fn the_pool_grows_and_shrinks_as_it_is_told() {
    let served = Served::start(&["--workers", "1"]);
    let mut peer = control(&served);
    let result = manage(&mut peer, r#""op":"scale","count":3"#);
    assert_eq!(result["success"], true);
    assert_eq!(
        (&result["operation"], &result["requested"], &result["target_workers"]),
        (&json!("scale"), &json!(3), &json!(3))
    );
    eventually("three ready workers", || ready_workers(&client(&served).status().unwrap()) == 3);
    let result = manage(&mut peer, r#""op":"remove","count":2"#);
    assert_eq!((&result["success"], &result["target_workers"]), (&json!(true), &json!(1)));
    eventually("one worker", || client(&served).status().unwrap().workers.len() == 1);
    let result = manage(&mut peer, r#""op":"add""#);
    assert_eq!((&result["requested"], &result["target_workers"]), (&json!(1), &json!(2)));
    eventually("two ready workers", || ready_workers(&client(&served).status().unwrap()) == 2);
    assert!(served.connect().call("echo", "[]").get("result").is_some());
}

#[test]
fn a_number_that_cannot_be_is_refused_and_changes_nothing() {
    let served = Served::start(&["--workers", "2"]);
    let mut peer = control(&served);
    for (members, reason) in [
        (r#""op":"scale","count":0"#, "expected at least 1 worker, found 0"),
        (r#""op":"remove","count":2"#, "expected at least 1 worker, found 2 and 2 fewer"),
        (r#""op":"remove","count":4294967295"#, "expected at least 1 worker, found 2 and 4294967295 fewer"),
        (r#""op":"scale","count":1025"#, "expected at most 1024 workers, found 1025"),
        (r#""op":"add","count":1023"#, "expected at most 1024 workers, found 2 and 1023 more"),
        (r#""op":"add","count":0"#, "expected a count of at least 1, found 0"),
        (r#""op":"remove","count":0"#, "expected a count of at least 1, found 0"),
    ] {
        let result = manage(&mut peer, members);
        assert_eq!((&result["success"], &result["reason"]), (&json!(false), &json!(reason)), "{members}");
        assert_eq!(
            (&result["target_workers"], &result["total_workers"]),
            (&json!(2), &json!(2)),
            "{members}"
        );
    }
}

#[test]
fn a_reload_that_is_waited_for_is_answered_when_every_worker_is_new() {
    let served = Served::start(&["--workers", "2"]);
    eventually("two ready workers", || ready_workers(&client(&served).status().unwrap()) == 2);
    let mut peer = control(&served);
    let result = manage(&mut peer, r#""op":"reload","wait":true"#);
    assert_eq!((&result["success"], &result["generation"]), (&json!(true), &json!(1)), "{result}");
    let status = client(&served).status().unwrap();
    let ready = |worker: &&dirty_arbiter::control::WorkerStatus| {
        worker.state == WorkerState::Ready && worker.generation == 1
    };
    assert_eq!(status.workers.iter().filter(ready).count(), 2, "{status:?}");
    assert_eq!((status.arbiter.generation, status.arbiter.reloading), (1, false));
    // One that is not waited for is told its number at once, and ends by itself.
    let result = manage(&mut peer, r#""op":"reload""#);
    assert_eq!((&result["success"], &result["generation"]), (&json!(true), &json!(2)), "{result}");
    eventually("the second reload", || {
        let arbiter = client(&served).status().unwrap().arbiter;
        arbiter.generation == 2 && !arbiter.reloading
    });
}

#[test]
fn a_reload_whose_workers_do_not_start_says_why_and_leaves_the_old_ones() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let command = format!(
        "sh -c 'test -e {} && exit 3; exec {} worker'",
        broken.display(),
        env!("CARGO_BIN_EXE_dirty")
    );
    let served = Served::start(&["--workers", "1", "--worker-command", &command]);
    let before = served.connect().call("whoami", "[]");
    std::fs::write(&broken, "").unwrap();
    let mut peer = control(&served);
    let result = manage(&mut peer, r#""op":"reload","wait":true"#);
    assert_eq!(result["success"], false, "{result}");
    assert!(result["reason"].as_str().unwrap().contains("failed to boot: exit code 3"), "{result}");
    assert_eq!(served.connect().call("whoami", "[]"), before, "the old worker serves");
}

#[test]
fn who_stops_waiting_frees_a_place() {
    // A worker that never says READY: the reload does not end.
    let directory = tempfile::tempdir().unwrap();
    let slow = directory.path().join("slow");
    let command = format!(
        "sh -c 'test -e {} && exec sleep 1000; exec {} worker'",
        slow.display(),
        env!("CARGO_BIN_EXE_dirty")
    );
    let served = Served::start(&["--workers", "1", "--worker-command", &command]);
    assert!(served.connect().call("echo", "[]").get("result").is_some());
    std::fs::write(&slow, "").unwrap();
    let waiting = (0..16).map(|_| {
        let mut peer = control(&served);
        peer.send(r#"{"type":"status","id":"first"}"#);
        peer.send(r#"{"type":"manage","id":"w","op":"reload","wait":true}"#);
        peer.receive();
        peer
    });
    let waiting: Vec<Peer> = waiting.collect();
    let text = client(&served).status().unwrap_err().to_string();
    assert!(text.contains("16 connections are open already"), "{text}");
    drop(waiting);
    eventually("a free place", || client(&served).status().is_ok());
    assert!(client(&served).status().unwrap().arbiter.reloading);
}

/// A request that goes on until it is cancelled.
struct AcceptedStream(Peer, Instant);

impl AcceptedStream {
    /// Between two items of the stream.
    const PAUSE: Duration = Duration::from_millis(10);

    fn begin(served: &Served) -> Self {
        let mut peer = served.connect();
        let start = Instant::now();
        peer.request("accepted", "slow_count", r#""args":[100000,0.01],"kwargs":{}"#);
        assert_eq!(peer.receive()["data"], 0);
        AcceptedStream(peer, start)
    }

    /// Shows that items are still made, and ends the stream: a hurried drain would have killed its worker.
    fn lives(mut self) {
        // An item of this number cannot have been made yet.
        let number = self.1.elapsed().div_duration_f64(Self::PAUSE) + 5.0;
        loop {
            let message = self.0.receive();
            assert_eq!(message["type"], "chunk", "{message}");
            if message["data"].as_f64() > Some(number) {
                break;
            }
        }
        self.0.send(r#"{"type":"cancel","id":"accepted"}"#);
        while self.0.receive()["type"] != "error" {}
    }
}

#[test]
fn a_drain_that_is_waited_for_is_answered_when_the_socket_is_free() {
    let mut served = Served::start(&["--workers", "1"]);
    let stream = AcceptedStream::begin(&served);
    let mut waits = control(&served);
    waits.send(r#"{"type":"manage","id":"w","op":"drain","wait":true}"#);
    let mut second = control(&served);
    eventually("the drain", || client(&served).status().unwrap().arbiter.state == PoolState::Draining);
    // Another one joins the first, and hurries nothing.
    let result = manage(&mut second, r#""op":"drain""#);
    assert_eq!((&result["success"], &result["operation"]), (&json!(true), &json!("drain")));
    let refused = manage(&mut second, r#""op":"scale","count":2"#);
    assert_eq!(
        (&refused["success"], &refused["reason"]),
        (&json!(false), &json!("the arbiter is shutting down"))
    );
    let refused = manage(&mut second, r#""op":"reload","wait":true"#);
    assert_eq!(refused["success"], false, "{refused}");
    stream.lives();
    let answer = waits.receive();
    assert_eq!(
        answer,
        json!({"type": "response", "id": "w", "result":
            {"success": true, "operation": "drain", "target_workers": 0, "total_workers": 0}})
    );
    assert!(!served.socket.exists() && !control_socket(&served.socket).exists(), "the path is free");
    assert_eq!(waits.receive_text(), None);
    assert_eq!(served.wait().code(), Some(0));
}

#[test]
fn two_drains_in_one_breath_hurry_nothing() {
    let served = Served::start(&["--workers", "1"]);
    let stream = AcceptedStream::begin(&served);
    let mut control = control(&served);
    let message = r#"{"type":"manage","id":"d","op":"drain"}"#;
    let frame = [&u32::try_from(message.len()).unwrap().to_be_bytes(), message.as_bytes()].concat();
    control.0.write_all(&[&frame[..], &frame].concat()).unwrap();
    for _ in 0..2 {
        assert_eq!(control.receive()["result"]["success"], true);
    }
    stream.lives();
}

#[test]
fn the_client_explains_why_there_is_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = ControlClient::new(directory.path().join("d.sock"));
    let text = nowhere.status().unwrap_err().to_string();
    assert!(text.starts_with("failed to reach the arbiter: there is no control socket"), "{text}");
    let served = Served::start(&[]);
    let result = client(&served).manage(Operation::Scale, Some(0), false).unwrap();
    assert!(!result.success && result.reason.is_some());
    let _idle = UnixStream::connect(control_socket(&served.socket)).unwrap();
    assert!(client(&served).limit(crate::served::PATIENCE).status().is_ok());
}

/// Only root can play another user; run by anybody else, this test shows nothing.
#[test]
fn another_user_is_not_served_whatever_the_modes_of_the_files_are() {
    const NOBODY: u32 = 65_534;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let served = Served::start(&[]);
    let socket = control_socket(&served.socket);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("dirty");
    // Copied by another process: a descriptor open for writing could be inherited by a child of another test's thread,
    // and a program that is being written cannot be run.
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_dirty")).arg(&program).status().unwrap().success());
    let run = served.socket.parent().unwrap();
    for open in [folder.path(), &program, socket.parent().unwrap(), run, run.parent().unwrap()] {
        std::fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let status = || {
        let mut command = Command::new(&program);
        command.current_dir("/").args(["status", "--socket"]).arg(&served.socket);
        command
    };
    let own = status().output().unwrap();
    assert!(own.status.success(), "{own:?}");
    let other = status().uid(NOBODY).gid(NOBODY).output().unwrap();
    assert_eq!(other.status.code(), Some(3), "{other:?}");
    // It could connect: what refused it was the arbiter.
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(said.contains("the connection ended before it"), "{said}");
    assert!(client(&served).status().is_ok());
}
