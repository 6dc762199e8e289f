//! `cancel`: what it stops, and what it leaves alone.

use serde_json::json;

use super::lab::Lab;
use super::peer::Peer;

fn cancel(peer: &mut Peer, id: &str) {
    peer.send(json!({"type": "cancel", "id": id}));
}

fn is_cancelled(peer: &mut Peer, action: &str) {
    let error = peer.error("r");
    assert_eq!(error["error_type"], "DirtyCancelledError", "{error}");
    assert_eq!(error["details"], json!({"app_path": "lab:Lab", "action": action}));
    peer.still_serves();
}

#[test]
fn an_endless_iterator_is_dropped() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "gated", json!([u64::MAX]), json!({}));
    lab.gate.wait();
    lab.gate.open();
    assert_eq!(peer.receive()["data"], json!(0));
    lab.gate.wait();
    cancel(&mut peer, "r");
    lab.gate.open();
    // It looks only every now and then, so a few items may still come.
    let last = loop {
        let message = peer.receive();
        if message["type"] != "chunk" {
            break message;
        }
        lab.gate.wait();
        lab.gate.open();
    };
    assert_eq!(last["error"]["error_type"], "DirtyCancelledError", "{last}");
    peer.still_serves();
    assert_eq!(*lab.diary.lock().unwrap(), ["init", "dropped"]);
}

#[test]
fn a_stream_that_never_pauses_is_dropped() {
    for action in ["count", "stream"] {
        let (_worker, mut peer) = Lab::default().serve();
        peer.request("r", "lab:Lab", action, json!([u64::MAX]), json!({}));
        peer.receive();
        cancel(&mut peer, "r");
        let last = loop {
            let message = peer.receive();
            if message["type"] != "chunk" {
                break message;
            }
        };
        assert_eq!(last["error"]["error_type"], "DirtyCancelledError", "{last}");
        peer.still_serves();
    }
}

#[test]
fn an_async_action_is_dropped_where_it_waits() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    // Twice: the second time the slot's runtime is there already.
    for _ in 0..2 {
        peer.request("r", "lab:Lab", "never", json!([]), json!({}));
        lab.gate.wait();
        lab.gate.open();
        cancel(&mut peer, "r");
        is_cancelled(&mut peer, "never");
    }
    assert_eq!(*lab.diary.lock().unwrap(), ["init", "dropped", "dropped"]);
}

#[test]
fn an_async_action_is_dropped_by_a_cancel_that_was_there_before_it() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "never", json!([]), json!({}));
    lab.gate.wait();
    cancel(&mut peer, "r");
    lab.gate.open();
    is_cancelled(&mut peer, "never");
}

#[test]
fn an_async_stream_is_dropped_where_it_waits() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "stream_never", json!([]), json!({}));
    assert_eq!(peer.receive()["data"], json!(1));
    cancel(&mut peer, "r");
    is_cancelled(&mut peer, "stream_never");
    assert_eq!(*lab.diary.lock().unwrap(), ["init", "dropped"]);
}

#[test]
fn a_call_that_asks_can_give_up() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "until_cancelled", json!([]), json!({}));
    lab.gate.wait();
    lab.gate.open();
    cancel(&mut peer, "r");
    is_cancelled(&mut peer, "until_cancelled");
}

#[test]
fn a_call_may_finish_in_spite_of_it() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "ignore_cancel", json!([]), json!({}));
    lab.gate.wait();
    lab.gate.open();
    cancel(&mut peer, "r");
    assert_eq!(peer.receive(), json!({"type": "response", "id": "r", "result": true}));
    peer.still_serves();
}

#[test]
fn a_failure_that_knew_nothing_of_the_cancel_stays_a_failure() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "wait_and_fail", json!([]), json!({}));
    lab.gate.wait();
    cancel(&mut peer, "r");
    lab.gate.open();
    assert_eq!(peer.error("r")["error_type"], "DirtyAppError");
    peer.still_serves();
}

#[test]
fn other_and_finished_ids_are_ignored() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    cancel(&mut peer, "nobody");
    peer.still_serves();
    cancel(&mut peer, "c");
    peer.still_serves();
    // While calls run, of each kind that looks.
    peer.request("r", "lab:Lab", "gated", json!([2]), json!({}));
    lab.gate.wait();
    cancel(&mut peer, "c");
    cancel(&mut peer, "rr");
    lab.gate.open();
    assert_eq!(peer.receive()["data"], json!(0));
    lab.gate.wait();
    lab.gate.open();
    assert_eq!(peer.receive()["data"], json!(1));
    assert_eq!(peer.receive()["type"], "end");
    peer.request("r", "lab:Lab", "later", json!(["x"]), json!({}));
    cancel(&mut peer, "c");
    assert_eq!(peer.receive()["result"], "x");
    peer.still_serves();
}

#[test]
fn a_cancel_may_come_in_one_piece_with_its_request() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    let frame = |message: String| [&(message.len() as u32).to_be_bytes(), message.as_bytes()].concat();
    let request = |id, action, args| {
        frame(
            json!({"type": "request", "id": id, "app_path": "lab:Lab", "action": action, "args": args})
                .to_string(),
        )
    };
    let cancel = |id| frame(json!({"type": "cancel", "id": id}).to_string());
    let endless = json!([u64::MAX]);
    // Each cancel belongs to the request in front of it; the last ones to none.
    let all = [
        request("a", "count", endless.clone()),
        cancel("a"),
        request("b", "stream", endless),
        cancel("x"),
        cancel("b"),
        request("c", "never", json!([])),
        cancel("c"),
        cancel("c"),
        request("d", "double", json!([4])),
        cancel("a"),
    ];
    lab.gate.open();
    peer.send_bytes(&all.concat());
    for id in ["a", "b", "c"] {
        let last = loop {
            let message = peer.receive();
            if message["type"] != "chunk" {
                break message;
            }
        };
        assert_eq!((&last["id"], &last["error"]["error_type"]), (&json!(id), &json!("DirtyCancelledError")));
    }
    assert_eq!(peer.receive(), json!({"type": "response", "id": "d", "result": 8}));
    peer.still_serves();
}

#[test]
fn a_cancel_counts_for_its_own_call_only() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("r", "lab:Lab", "never", json!([]), json!({}));
    lab.gate.wait();
    lab.gate.open();
    cancel(&mut peer, "r");
    is_cancelled(&mut peer, "never");
    // The same id again: the old cancel is spent.
    peer.request("r", "lab:Lab", "count", json!([3]), json!({}));
    for _ in 0..3 {
        assert_eq!(peer.receive()["type"], "chunk");
    }
    assert_eq!(peer.receive()["type"], "end");
}

#[test]
fn a_call_that_is_kept_knows_that_it_is_over() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    assert_eq!(peer.call("keep_call", json!([])), json!(false));
    // Also while another call runs on the slot, and while the slot waits for one.
    assert_eq!(peer.call("kept_is_over", json!([])), json!(true));
    assert!(lab.kept.lock().unwrap().as_ref().unwrap().is_cancelled());
}
