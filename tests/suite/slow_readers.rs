//! Clients that do not read, and what is owed to everybody else.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::socket::MsgFlags;

use crate::served::{Peer, Served, eventually};

/// A worker that streams a chunk and, once a file is there, another chunk and the end in one write.
const WORKER: &str = r#"python3 -c '
import json, os, socket, struct, threading, time
listener = socket.socket(socket.AF_UNIX); listener.bind(os.environ["DIRTY_WORKER_SOCKET"]); listener.listen()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"]); notify.send(b"READY=1")
def serve(slot):
    while header := slot.recv(4, socket.MSG_WAITALL):
        call = json.loads(slot.recv(struct.unpack(">I", header)[0], socket.MSG_WAITALL))
        def frame(kind, **members):
            text = json.dumps({"type": kind, "id": call["id"], **members}).encode()
            return struct.pack(">I", len(text)) + text
        if call["action"] == "stream":
            slot.sendall(frame("chunk", data=0))
            while not os.path.exists(call["args"][0]): time.sleep(0.01)
            slot.sendall(frame("chunk", data=1) + frame("end"))
        elif call["action"] == "big":
            slot.sendall(frame("response", result="x" * call["args"][0]))
        elif call["action"] == "echo":
            slot.sendall(frame("response", result=call["args"]))
for _ in range(int(os.environ["DIRTY_THREADS"])):
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
os.read(0, 1)
'"#;

/// More than the buffers of a client's socket and the arbiter's for it take together.
const BIG: usize = 4 << 20;

#[test]
fn the_last_chunk_of_a_stream_that_is_not_read_does_not_hold_its_slot() {
    let arguments = ["--workers", "1", "--threads", "2", "--app", "fixture:App", "--worker-command", WORKER];
    let served = Served::start(&arguments);
    let go = served.socket.with_extension("go");
    let mut slow = served.connect();
    slow.request("stream", "stream", &format!(r#""args":["{}"],"kwargs":{{}}"#, go.display()));
    assert_eq!(slow.receive()["data"], 0);
    slow.request("big", "big", &format!(r#""args":[{BIG}],"kwargs":{{}}"#));
    let mut header = [0; 4];
    slow.0.read_exact(&mut header).unwrap();
    // From here on it does not read. The other slot is taken: what comes next needs the slot of the stream.
    let mut other = served.connect();
    other.request("held", "never", r#""args":[],"kwargs":{}"#);
    other.request("next", "echo", r#""args":[1],"kwargs":{}"#);
    std::fs::write(&go, "").unwrap();
    assert_eq!(other.receive()["id"], "next");
    rest(&mut slow, header);
    assert_eq!(slow.receive()["data"], 1, "nothing was lost");
    assert_eq!(slow.receive()["type"], "end");
}

/// Reads the rest of a frame with this header.
fn rest(peer: &mut Peer, header: [u8; 4]) -> String {
    let mut payload = vec![0; u32::from_be_bytes(header) as usize];
    peer.0.read_exact(&mut payload).unwrap();
    String::from_utf8(payload).unwrap()
}

/// A client with an answer that it has begun to read, and the header of that answer.
fn begins_to_read(served: &Served) -> (Peer, [u8; 4]) {
    let (mut peer, mut header) = (served.connect(), [0; 4]);
    peer.request("big", "big", &format!(r#""args":[{BIG}],"kwargs":{{}}"#));
    peer.0.read_exact(&mut header).unwrap();
    (peer, header)
}

#[test]
fn an_arbiter_that_stops_waits_for_clients_to_read_their_last_answers() {
    let mut served = Served::start(&["--workers", "1", "--graceful-timeout", "0"]);
    let mut clients = [begins_to_read(&served), begins_to_read(&served)];
    clients[1].0.0.shutdown(Shutdown::Write).unwrap();
    served.signal(Signal::SIGTERM);
    served.logs("waiting for clients to read their last answers clients=2");
    for (peer, header) in &mut clients {
        assert!(rest(peer, *header).len() > BIG);
    }
    for (peer, _) in &mut clients {
        assert_eq!(peer.receive_text(), None);
    }
    assert_eq!(served.wait().code(), Some(0));
}

#[test]
fn an_arbiter_that_is_told_twice_to_stop_waits_for_no_client() {
    let mut served = Served::start(&["--workers", "1", "--graceful-timeout", "0"]);
    let _unread = begins_to_read(&served);
    served.signal(Signal::SIGTERM);
    served.logs("waiting for clients to read their last answers");
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
}

#[test]
fn connections_that_are_given_up_have_a_place_until_they_are_closed() {
    let served = Served::start(&["--workers", "1", "--max-connections", "2"]);
    assert!(served.connect().call("echo", "[]").get("result").is_some());
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", served.pid())).unwrap().count();
    let before = descriptors();
    let _unread = [(); 2].map(|()| {
        let (mut peer, header) = begins_to_read(&served);
        let empty_frame = [0; 4];
        peer.0.write_all(&empty_frame).unwrap();
        (peer, header)
    });
    let given_up = || served.log_so_far().matches("closing a connection after a bad frame").count();
    eventually("both are given up", || given_up() == 2);
    assert_eq!(served.connect().receive()["error"]["error_type"], "DirtyOverloadedError");
    // They have not read a byte more, and never will.
    eventually("nothing is left of them", || descriptors() <= before);
    assert!(served.connect().call("echo", "[]").get("result").is_some());
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The bytes that have come and were not read.
fn unread(peer: &Peer) -> usize {
    nix::sys::socket::recv(peer.0.as_raw_fd(), &mut [0; 64], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT)
        .unwrap_or(0)
}

fn worker(peer: &mut Peer) -> u64 {
    peer.call("whoami", "[]")["result"]["pid"].as_u64().unwrap()
}

#[test]
fn a_stream_that_nobody_reads_stops_its_worker() {
    let served = Served::start(&["--workers", "2"]);
    // Chunks carry the id: of this length, a stream of these many is 50 MB.
    let (id, items) = ("i".repeat(200), r#""args":[200000],"kwargs":{}"#);
    let mut deaf = served.connect();
    deaf.request(&id, "count", items);
    // By the time that the same stream has ended for somebody who reads, this one could have, too.
    let mut other = served.connect();
    other.request(&id, "count", items);
    while other.receive_text().is_some_and(|message| !message.contains(r#""type":"end""#)) {}
    let kib = resident_kib(served.pid());
    assert!(kib < 32 * 1024, "the arbiter keeps {kib} KiB, most of it for a client that does not read");
}

#[test]
fn a_stream_that_nobody_reads_is_ended_by_its_limit_and_its_slot_comes_free() {
    let limits = ["--timeout", "0.5", "--cancel-grace", "60", "--queue-timeout", "60"];
    let served = Served::start(&[&["--workers", "1"][..], &limits].concat());
    let mut other = served.connect();
    let before = worker(&mut other);
    let mut deaf = served.connect();
    deaf.request("1", "count", r#""args":[1000000000],"kwargs":{}"#);
    // Its first chunk is there, so that the next call has to wait for it.
    deaf.receive();
    assert_eq!(worker(&mut other), before, "the worker was told to stop, and its slot is read until it has");
}

#[test]
fn a_client_that_does_not_read_is_not_read_either() {
    let served = Served::start(&["--workers", "1"]);
    let mut deaf = served.connect();
    deaf.0.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Each is answered with an error of its own, which nobody reads.
    let request = r#"{"type":"request","id":"1","app_path":"no:App","action":"a","args":[],"kwargs":{}}"#;
    let frame = [&u32::try_from(request.len()).unwrap().to_be_bytes(), request.as_bytes()].concat();
    let burst = frame.repeat(1_000);
    let taken = (0..500).find_map(|_| deaf.0.write_all(&burst).err());
    assert!(
        taken.is_some_and(|error| error.kind() == ErrorKind::WouldBlock),
        "it takes requests without end"
    );
    let kib = resident_kib(served.pid());
    assert!(kib < 32 * 1024, "the arbiter keeps {kib} KiB for a client that does not read");
}

#[test]
fn a_client_that_leaves_its_replies_unread_is_gone_all_the_same() {
    let served = Served::start(&["--workers", "1", "--on-disconnect", "cancel"]);
    let mut gone = served.connect();
    gone.request("1", "slow_count", r#""args":[100000,0.01],"kwargs":{}"#);
    gone.receive();
    let mut other = served.connect();
    other.request("2", "echo", r#""args":[],"kwargs":{}"#);
    // A chunk that is there and was not read makes the end of the connection an error, and no end of file.
    eventually("an unread chunk", || unread(&gone) > 0);
    drop(gone);
    assert_eq!(other.receive()["id"], "2", "the slot is free long before the stream would have ended");
}
