//! Streams: items as they come, one end.

use serde_json::{Value, json};

use super::lab::Lab;
use super::peer::Peer;

/// The items of a stream and the message that ended it.
fn collect(peer: &mut Peer, action: &str, args: Value) -> (Vec<Value>, Value) {
    peer.request("s", "lab:Lab", action, args, json!({}));
    let mut items = Vec::new();
    loop {
        let message = peer.receive();
        assert_eq!(message["id"], "s");
        match message["type"].as_str().unwrap() {
            "chunk" => items.push(message["data"].clone()),
            _ => return (items, message),
        }
    }
}

#[test]
fn items_come_in_order_and_then_the_end() {
    let (_worker, mut peer) = Lab::named("xyz").serve();
    for action in ["count", "stream"] {
        for n in [0, 1, 100] {
            let (items, end) = collect(&mut peer, action, json!([n]));
            assert_eq!(items, (0..n).map(Value::from).collect::<Vec<_>>());
            assert_eq!(end, json!({"type": "end", "id": "s"}));
        }
    }
    assert_eq!(collect(&mut peer, "borrowed_each", json!([])).0, ["x", "y", "z"]);
    peer.still_serves();
}

#[test]
fn a_failure_ends_the_stream_after_its_items() {
    let (_worker, mut peer) = Lab::default().serve();
    for (action, text) in [
        ("fail_after", "the well is empty"),
        ("stream_fail", "the stream is empty"),
        ("panic_after", "no more"),
    ] {
        for n in [0, 3] {
            let (items, end) = collect(&mut peer, action, json!([n]));
            assert_eq!(items, (0..n).map(Value::from).collect::<Vec<_>>());
            let details = json!({"app_path": "lab:Lab", "action": action});
            let error = json!({"error_type": "DirtyAppError", "message": text, "details": details});
            assert_eq!(end, json!({"type": "error", "id": "s", "error": error}));
            peer.still_serves();
        }
    }
}

#[test]
fn an_item_is_sent_before_the_next_one_is_made() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("s", "lab:Lab", "gated", json!([3]), json!({}));
    for n in 0..3 {
        lab.gate.wait();
        lab.gate.open();
        assert_eq!(peer.receive()["data"], json!(n));
    }
    assert_eq!(peer.receive()["type"], "end");
}

#[test]
fn a_peer_that_leaves_ends_the_stream_and_frees_the_slot() {
    let lab = Lab::default();
    let (worker, mut peer) = lab.serve();
    peer.request("s", "lab:Lab", "count", json!([u64::MAX]), json!({}));
    peer.receive();
    drop(peer);
    // The one slot can only take this connection when the stream has ended.
    worker.peer().still_serves();
}
