//! Slots side by side, and the orderly end.

use std::sync::Arc;

use dirty_arbiter::wire::Limits;
use serde_json::json;

use super::lab::Lab;
use super::peer::Peer;

#[test]
fn slots_run_at_the_same_time() {
    let lab = Lab::meeting(3);
    let (worker, first) = lab.serve_within(3, Limits::default());
    let mut peers = [first, worker.peer(), worker.peer()];
    for peer in &mut peers {
        peer.request("m", "lab:Lab", "meet", json!([]), json!({}));
    }
    // Each waits for the two others: one after the other they would never end.
    let leaders: u64 = peers.iter_mut().map(|peer| peer.receive()["result"].as_u64().unwrap()).sum();
    assert_eq!(leaders, 1);
}

#[test]
fn a_connection_beyond_the_slots_waits_for_one() {
    let lab = Lab::default();
    let (worker, mut first) = lab.serve();
    first.request("w", "lab:Lab", "wait", json!([]), json!({}));
    lab.gate.wait();
    let mut second = worker.peer();
    second.request("x", "lab:Lab", "double", json!([1]), json!({}));
    lab.gate.open();
    assert_eq!(first.receive()["id"], "w");
    drop(first);
    assert_eq!(second.receive()["result"], json!(2));
}

#[test]
fn idle_slots_end_at_once_and_apps_are_closed_in_order() {
    let (a, b) = (Lab::named("a"), Lab::named("b"));
    let b = Lab { diary: Arc::clone(&a.diary), ..b };
    let (first, second) = (a.clone(), b.clone());
    let host = a.host().app("a", move || first).app("b", move || second);
    let mut worker = super::peer::Running::start(host, &["b", "a", "b"], 2, Limits::default());
    let mut idle = worker.peer();
    idle.request("1", "a", "double", json!([1]), json!({}));
    idle.receive();
    worker.stop();
    worker.wait();
    idle.is_closed();
    assert_eq!(*a.diary.lock().unwrap(), ["init b", "init a", "close b", "close a"]);
    assert!(!worker.socket.exists());
}

#[test]
fn what_runs_is_finished_before_the_apps_are_closed() {
    let lab = Lab::default();
    let (mut worker, mut busy) = lab.serve_within(2, Limits::default());
    let mut idle = worker.peer();
    idle.still_serves();
    busy.request("s", "lab:Lab", "gated", json!([2]), json!({}));
    lab.gate.wait();
    worker.stop();
    idle.is_closed();
    // The worker is told, and the stream still runs.
    lab.gate.open();
    assert_eq!(busy.receive()["data"], json!(0));
    lab.gate.wait();
    assert_eq!(*lab.diary.lock().unwrap(), ["init"]);
    lab.gate.open();
    assert_eq!(busy.receive()["data"], json!(1));
    assert_eq!(busy.receive()["type"], "end");
    worker.wait();
    busy.is_closed();
    assert_eq!(*lab.diary.lock().unwrap(), ["init", "dropped", "close"]);
}

#[test]
fn a_request_that_was_on_its_way_is_still_answered() {
    let lab = Lab::default();
    let (mut worker, mut peer) = lab.serve();
    peer.request("s", "lab:Lab", "wait", json!([]), json!({}));
    lab.gate.wait();
    peer.request("late", "lab:Lab", "double", json!([4]), json!({}));
    worker.stop();
    lab.gate.open();
    assert_eq!(peer.receive()["id"], "s");
    assert_eq!(peer.receive(), json!({"type": "response", "id": "late", "result": 8}));
    worker.wait();
    peer.is_closed();
}

#[test]
fn a_running_call_can_be_cancelled_while_the_worker_ends() {
    let lab = Lab::default();
    let (mut worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "never", json!([]), json!({}));
    lab.gate.wait();
    worker.stop();
    lab.gate.open();
    peer.send(json!({"type": "cancel", "id": "r"}));
    assert_eq!(peer.error("r")["error_type"], "DirtyCancelledError");
    worker.wait();
}

#[test]
fn an_app_that_panics_at_the_end_hinders_no_other() {
    let (a, b) = (Lab::named("panics at the end"), Lab::named("b"));
    let b = Lab { diary: Arc::clone(&a.diary), ..b };
    let (first, second) = (a.clone(), b);
    let host = a.host().app("a", move || first).app("b", move || second);
    let mut worker = super::peer::Running::start(host, &["a", "b"], 1, Limits::default());
    worker.stop();
    worker.wait();
    assert_eq!(a.diary.lock().unwrap()[2..], ["close panics at the end", "close b"]);
}

#[test]
fn a_dropped_worker_stops() {
    let (mut worker, mut peer) = Lab::default().serve();
    peer.still_serves();
    worker.worker = None;
    peer.is_closed();
    assert!(std::os::unix::net::UnixStream::connect(&worker.socket).is_err());
}

#[test]
fn a_peer_only_reaches_the_socket_of_its_own_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let (worker, _) = Lab::default().serve();
    let mode = std::fs::metadata(&worker.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let _: Peer = worker.peer();
}
