//! Requests and their answers: results, failures, bad messages, bad frames.

use dirty_arbiter::wire::Limits;
use serde_json::{Value, json};

use super::lab::Lab;

#[test]
fn results_of_every_kind_are_answered() {
    let (_worker, mut peer) = Lab::named("borrowed name").serve();
    assert_eq!(peer.call("double", json!([4])), json!(8));
    assert_eq!(peer.call("nothing", json!([])), json!(null));
    assert_eq!(peer.call("borrowed", json!([])), json!("borrowed name"));
    assert_eq!(peer.call("later", json!(["soon"])), json!("soon"));
}

#[test]
fn a_reply_is_compact_with_its_members_in_order() {
    let (_worker, mut peer) = Lab::default().serve();
    peer.request("é\"\n", "lab:Lab", "double", json!([1]), json!({}));
    assert_eq!(peer.text(), r#"{"type":"response","id":"é\"\n","result":2}"#);
    peer.request("s", "lab:Lab", "count", json!([1]), json!({}));
    assert_eq!(peer.text(), r#"{"type":"chunk","id":"s","data":0}"#);
    assert_eq!(peer.text(), r#"{"type":"end","id":"s"}"#);
}

#[test]
fn an_error_of_an_action_keeps_its_text() {
    let (_worker, mut peer) = Lab::default().serve();
    let error = peer.fail("fail", json!([]));
    let details = json!({"app_path": "lab:Lab", "action": "fail"});
    assert_eq!(
        error,
        json!({"error_type": "DirtyAppError", "message": "the store is empty", "details": details})
    );
    let error = peer.fail("later", json!([""]));
    assert_eq!(error["message"], "the text is empty");
    peer.still_serves();
}

#[test]
fn an_error_from_elsewhere_is_an_app_error_with_its_details() {
    let (_worker, mut peer) = Lab::default().serve();
    let error = peer.fail("fail_elsewhere", json!([]));
    assert_eq!(error["error_type"], "DirtyAppError");
    assert_eq!(error["message"], "the other worker died");
    assert_eq!(error["details"], json!({"app_path": "lab:Lab", "action": "fail_elsewhere", "signal": 9}));
}

#[test]
fn a_panic_is_an_app_error_and_the_worker_lives() {
    let (_worker, mut peer) = Lab::default().serve();
    let error = peer.fail("panic", json!([404]));
    assert_eq!(
        (&error["error_type"], &error["message"]),
        (&json!("DirtyAppError"), &json!("out of cheese: 404"))
    );
    assert_eq!(error["details"], json!({"app_path": "lab:Lab", "action": "panic"}));
    assert_eq!(peer.fail("panic_plainly", json!([]))["message"], "out of cheese");
    assert_eq!(peer.fail("panic_oddly", json!([]))["message"], "panicked");
    peer.still_serves();
}

#[test]
fn unknown_apps_and_actions_are_named() {
    let (_worker, mut peer) = Lab::default().serve();
    peer.request("u", "lab:Other", "double", json!([1]), json!({}));
    let error = peer.error("u");
    assert_eq!(error["error_type"], "DirtyAppNotFoundError");
    assert_eq!(error["details"]["app_path"], "lab:Other");
    for action in ["triple", "_double", "__init__", "init", "close", "actions", "Double", "double "] {
        let error = peer.fail(action, json!([1]));
        assert_eq!(error["error_type"], "DirtyAppError", "{action}");
        assert_eq!(error["details"], json!({"app_path": "lab:Lab", "action": action}));
        assert!(error["message"].as_str().unwrap().contains("expected one of double, nothing"), "{error}");
    }
    peer.still_serves();
}

#[test]
fn bad_messages_are_answered_and_the_connection_lives() {
    let (_worker, mut peer) = Lab::default().serve();
    let request = |change: &str| {
        format!(r#"{{"type":"request","id":"b","app_path":"lab:Lab","action":"double",{change}}}"#)
    };
    let cases = [
        (request(r#""args":7"#), json!("b"), "/args", "MSG-10"),
        (request(r#""args":[],"args":[]"#), json!("b"), "/args", "MSG-6"),
        (request(r#""args":[NaN]"#), json!("b"), "/args/0", "VAL-2"),
        (request(r#""id":"c""#), json!(null), "/id", "MSG-6"),
        (r#"{"type":"request","id":7}"#.to_owned(), json!(null), "/id", "MSG-7"),
        (r#"{"type":"cancel"}"#.to_owned(), json!(null), "/id", "MSG-7"),
        (r#"{"type":"response","id":"b","result":1}"#.to_owned(), json!("b"), "/type", "MSG-11"),
        (r#"{"type":"end","id":"b"}"#.to_owned(), json!("b"), "/type", "MSG-11"),
        (r#"{"type":"status","id":"b"}"#.to_owned(), json!("b"), "/type", "EXT-1"),
        (r#"{"type":"greeting","id":"b"}"#.to_owned(), json!("b"), "/type", "MSG-11"),
    ];
    for (payload, id, pointer, requirement) in cases {
        peer.send_text(&payload);
        let message = peer.receive();
        assert_eq!(message["id"], id, "{payload} -> {message}");
        assert_eq!(message["error"]["error_type"], "DirtyProtocolError", "{payload}");
        let details = &message["error"]["details"];
        assert_eq!(
            (&details["pointer"], &details["requirement"]),
            (&json!(pointer), &json!(requirement)),
            "{payload} -> {message}"
        );
        peer.still_serves();
    }
}

#[test]
fn a_bad_frame_closes_its_connection_without_a_word_and_the_next_one_is_served() {
    let (worker, mut peer) = Lab::default().serve();
    let frames: [&[u8]; 6] = [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02[]",
        b"\0\0\0\x03{\"a",
        b"\0\0\0\x04{\"\xff\"",
        b"\0\0\0\x04{}{}",
    ];
    for frame in frames {
        peer.send_bytes(frame);
        peer.is_closed();
        peer = worker.peer();
        peer.still_serves();
    }
    peer.send_bytes(b"\0\0\0\x09{");
    peer.half_close();
    peer.is_closed();
    worker.peer().still_serves();
}

#[test]
fn a_request_before_the_peer_half_closes_is_answered() {
    let (_worker, mut peer) = Lab::default().serve();
    peer.request("h", "lab:Lab", "double", json!([5]), json!({}));
    peer.half_close();
    assert_eq!(peer.receive()["result"], json!(10));
    peer.is_closed();
}

#[test]
fn requests_sent_ahead_are_served_in_turn() {
    let (_worker, mut peer) = Lab::default().serve();
    // While the stream runs it looks for a cancel, and meets these.
    peer.request("s", "lab:Lab", "count", json!([5000]), json!({}));
    for id in ["a", "b", "c"] {
        peer.request(id, "lab:Lab", "double", json!([1]), json!({}));
    }
    for _ in 0..5000 {
        assert_eq!(peer.receive()["type"], "chunk");
    }
    assert_eq!(peer.receive()["type"], "end");
    for id in ["a", "b", "c"] {
        assert_eq!(peer.receive()["id"], id);
    }
}

#[test]
fn a_bad_frame_during_a_call_closes_the_connection_after_its_answer() {
    let lab = Lab::default();
    let (_worker, mut peer) = lab.serve();
    peer.request("w", "lab:Lab", "ignore_cancel", json!([]), json!({}));
    lab.gate.wait();
    lab.gate.open();
    peer.send(json!({"type": "cancel", "id": "w"}));
    peer.send_bytes(b"\0\0\0\0");
    assert_eq!(peer.receive()["result"], json!(true));
    peer.is_closed();
}

#[test]
fn a_frame_of_exactly_the_limit_passes_and_one_byte_more_is_an_app_error() {
    let limits = Limits { max_payload: 1000, ..Limits::default() };
    let (_worker, mut peer) = Lab::default().serve_within(1, limits);
    let overhead = r#"{"type":"response","id":"c","result":""}"#.len();
    let longest = peer.call("text_of", json!([1000 - overhead]));
    assert_eq!(longest.as_str().map(str::len), Some(1000 - overhead));
    for n in [1000 - overhead + 1, 1000, 1001, 1_000_000] {
        let error = peer.fail("text_of", json!([n]));
        assert_eq!(error["error_type"], "DirtyAppError");
        assert_eq!(error["details"]["requirement"], "ERR-8");
        assert!(error["message"].as_str().unwrap().contains("1000 bytes"), "{error}");
    }
    peer.still_serves();
}

#[test]
fn an_error_whose_text_does_not_fit_is_still_an_error() {
    let limits = Limits { max_payload: 1000, ..Limits::default() };
    let (_worker, mut peer) = Lab::default().serve_within(1, limits);
    let error = peer.fail("fail_at_length", json!([1000]));
    assert_eq!(error["error_type"], "DirtyAppError");
    assert!(error["message"].as_str().unwrap().contains("cannot be sent"), "{error}");
    assert_eq!(error["details"]["action"], "fail_at_length");
    peer.still_serves();
}

#[test]
fn a_call_knows_its_circumstances() {
    let (_worker, mut peer) = Lab::default().serve();
    let nothing: Value = json!({});
    peer.request("x", "lab:Lab", "context", json!([1, 2]), nothing);
    assert_eq!(peer.receive()["result"], json!(["lab:Lab", "context", null, false, null]));
    let extra = json!({"meta": {"traceparent": "00-ab"}, "accept_hints": true, "timeout": 60});
    peer.request("x", "lab:Lab", "context", json!([]), extra);
    assert_eq!(peer.receive()["result"], json!(["lab:Lab", "context", "00-ab", true, 60.0]));
}
