//! What fails in gunicorn and must not fail here. The whole list, with what was measured there, is `spec/failures.md`;
//! here stand those that no transcript and no other test shows.

use nix::sys::signal::Signal;

use crate::pool::{Versioned, call};
use crate::served::{Peer, Served};

/// Occupies a slot until the request is cancelled; returns when it runs.
fn occupy(peer: &mut Peer, id: &str) {
    peer.request(id, "slow_count", r#""args":[1000000,0.005],"kwargs":{}"#);
    while peer.receive()["id"] != id {}
}

#[test]
fn no_request_queues_behind_a_busy_worker_while_another_idles() {
    let served = Served::start(&["--workers", "2"]);
    let mut busy = served.connect();
    occupy(&mut busy, "endless");
    let mut peer = served.connect();
    // With round robin every second one of them would wait for a stream that never ends.
    for number in 0..10 {
        assert_eq!(peer.call("echo", &format!("[{number}]"))["result"]["args"][0], number);
    }
}

#[test]
fn dirty_threads_run_at_the_same_time() {
    let served = Served::start(&["--workers", "1", "--threads", "4"]);
    let mut busy = served.connect();
    for id in ["first", "second", "third"] {
        occupy(&mut busy, id);
    }
    let answer = served.connect().call("echo", "[4]");
    assert_eq!(answer["result"]["args"][0], 4, "the fourth slot is free: {answer}");
}

#[test]
fn a_dirty_timeout_of_zero_is_no_limit() {
    let served = Served::start(&["--workers", "1", "--timeout", "0"]);
    assert_eq!(served.connect().call("sleep", r#"[0.2,"slept"]"#)["result"], "slept");
}

#[test]
fn nothing_is_sent_to_a_worker_that_still_initialises() {
    // It listens from the start, is slow to be ready, and gives up if anybody connects before.
    let script = r#"python3 -c '
import json, os, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["DIRTY_WORKER_SOCKET"]); s.listen()
s.settimeout(0.4)
try:
    s.accept()
    sys.exit(9)
except TimeoutError:
    s.settimeout(None)
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
c, _ = s.accept()
while header := c.recv(4, socket.MSG_WAITALL):
    request = json.loads(c.recv(struct.unpack(">I", header)[0], socket.MSG_WAITALL))
    reply = json.dumps({"type": "response", "id": request["id"], "result": os.environ["DIRTY_WORKER_ID"]}).encode()
    c.sendall(struct.pack(">I", len(reply)) + reply)
'"#;
    let served = Served::start(&["--workers", "1", "--worker-command", script]);
    // Asked while the worker initialises: it waits, and the very first worker answers.
    assert_eq!(served.connect().call("any", "[]")["result"], "1");
}

#[test]
fn a_smaller_pool_still_serves_an_app_that_had_one_worker() {
    let apps = ["--workers", "2", "--app", "one:App:1", "--app", "two:App:1"];
    let arbiter = Versioned::start(&apps);
    arbiter.await_ready(2);
    let mut peer = arbiter.served.connect();
    arbiter.served.signal(Signal::SIGTTOU);
    crate::pool::eventually_children(&arbiter.served, |pids| {
        // At every moment on the way both are served.
        for app in ["one:App", "two:App"] {
            assert!(call(&mut peer, app, "version").get("result").is_some(), "{app} has no worker");
        }
        pids.len() == 1
    });
    for app in ["one:App", "two:App", "plain:App"] {
        assert!(call(&mut peer, app, "version").get("result").is_some(), "{app} has no worker");
    }
}
