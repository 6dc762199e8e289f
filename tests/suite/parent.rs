//! The ends of parents: that of the arbiter (LIFE-17), and the arbiter's own (LIFE-6).

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::hooks::{ARBITER, worker};
use crate::served::{Peer, Served, dirty, eventually, is_alive};

fn signal(pid: u64, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

/// Starts an arbiter by a parent in between, kills that parent while a call runs, and gives the arbiter's number, its
/// connection, and the socket's directory.
fn orphaned(die_with_parent: bool) -> (u64, Peer, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("run/d.sock");
    let mut parent = Command::new("sh")
        .args(["-c", r#""$@" & echo $!; wait"#, "parent"])
        .arg(&*ARBITER)
        .args(["app=fixture:App", "workers=1", &worker(), &format!("die_with_parent={die_with_parent}")])
        .arg(format!("socket={}", socket.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let mut said = [lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()];
    // Two writers: their lines come in any order.
    said.sort();
    assert!(said[1].starts_with("listening on"), "{said:?}");
    let arbiter = said[0].parse().unwrap();
    let mut peer = Peer::connect(&socket);
    assert!(peer.call("echo", "[]").get("result").is_some());
    peer.request("runs", "slow_count", r#""args":[3,0.1],"kwargs":{}"#);
    assert_eq!(peer.receive()["data"], 0);
    parent.kill().unwrap();
    parent.wait().unwrap();
    (arbiter, peer, directory)
}

#[test]
fn an_arbiter_that_is_to_die_with_its_parent_stops_gracefully_when_that_is_killed() {
    let (arbiter, mut peer, directory) = orphaned(true);
    for number in [1, 2] {
        assert_eq!(peer.receive()["data"], number, "what was accepted is finished");
    }
    assert_eq!(peer.receive()["type"], "end");
    assert_eq!(peer.receive_text(), None);
    eventually("the arbiter's end", || !is_alive(arbiter));
    let left: Vec<_> = std::fs::read_dir(directory.path().join("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn any_other_arbiter_outlives_its_parent() {
    let (arbiter, mut peer, _directory) = orphaned(false);
    for _ in 0..3 {
        peer.receive();
    }
    assert!(peer.call("echo", "[]").get("result").is_some());
    signal(arbiter, Signal::SIGTERM);
    eventually("the arbiter's end", || !is_alive(arbiter));
}

#[test]
fn workers_under_load_end_with_a_killed_arbiter_and_its_path_is_free() {
    let mut first = Served::start(&["--workers", "3", "--threads", "2"]);
    let mut peer = first.connect();
    let mut workers = std::collections::BTreeSet::new();
    while workers.len() < 3 {
        for id in ["a", "b", "c"] {
            peer.request(id, "whoami", r#""args":[],"kwargs":{}"#);
        }
        workers.extend((0..3).map(|_| peer.receive()["result"]["pid"].as_u64().unwrap()));
    }
    // Every slot is taken: by calls that never end, by streams that are read, and by one that is not.
    let mut busy = first.connect();
    for id in ["1", "2", "3"] {
        busy.request(id, "hang", r#""args":[],"kwargs":{}"#);
    }
    busy.request("4", "count", r#""args":[100000000],"kwargs":{}"#);
    busy.request("5", "count", r#""args":[100000000],"kwargs":{}"#);
    peer.request("6", "count", r#""args":[100000000],"kwargs":{}"#);
    for _ in 0..1000 {
        assert_eq!(peer.receive()["type"], "chunk");
    }
    first.signal(Signal::SIGKILL);
    first.wait();
    for worker in workers {
        eventually("the end of a worker whose arbiter was killed", || !is_alive(worker));
    }
    let mut second = dirty()
        .args(["serve", "--workers", "1", "--socket"])
        .arg(&first.socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(second.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "{line:?}");
    assert!(first.connect().call("echo", "[]").get("result").is_some());
    second.kill().unwrap();
    second.wait().unwrap();
}
