//! Values that JSON does not have: refused by name, or sent with hints.

use serde_json::{Value, json};

use super::lab::Lab;
use super::peer::Peer;

fn reply(peer: &mut Peer, action: &str, args: Value, extra: Value) -> Value {
    peer.request("v", "lab:Lab", action, args, extra);
    let mut message = peer.receive();
    message.as_object_mut().unwrap().retain(|name, _| name != "type" && name != "id");
    message
}

fn ask(action: &str, args: Value, extra: Value) -> Value {
    let (_worker, mut peer) = Lab::default().serve();
    let message = reply(&mut peer, action, args, extra);
    peer.still_serves();
    message
}

#[test]
fn what_cannot_be_sent_is_refused_by_its_place() {
    let cases = [
        ("nested_nan", json!([]), "/result/list/1/x~1~0y", "NaN", "ERR-7"),
        ("infinite", json!([]), "/result/1/0", "Infinity", "ERR-7"),
        ("bytes", json!([3]), "/result/1", "bytes", "VAL-7"),
        ("bad_key", json!([]), "/result", "an array", "ERR-7"),
        ("refuses", json!([]), "/result/0", "not today", "ERR-7"),
        ("shrugs", json!([]), "/result/0", "NaN", "ERR-7"),
    ];
    for (action, args, pointer, word, requirement) in cases {
        for extra in [json!({}), json!({"accept_hints": false})] {
            let message = ask(action, args.clone(), extra);
            assert_eq!(message["error"]["error_type"], "DirtyAppError", "{message}");
            let text = message["error"]["message"].as_str().unwrap();
            assert!(text.contains(&format!("at {pointer}:")) && text.contains(word), "{message}");
            let details = json!({"app_path": "lab:Lab", "action": action, "pointer": pointer, "requirement": requirement});
            assert_eq!(message["error"]["details"], details);
        }
    }
}

#[test]
fn with_hints_it_is_sent() {
    let accept = || json!({"accept_hints": true});
    assert_eq!(
        ask("nested_nan", json!([]), accept()),
        json!({"result": {"list": [{"a": 1.0}, {"x/~y": "NaN"}]}, "hints": {"/result/list/1/x~1~0y": "float"}})
    );
    assert_eq!(
        ask("infinite", json!([]), accept()),
        json!({"result": [1, ["Infinity", "-Infinity"]], "hints": {"/result/1/0": "float", "/result/1/1": "float"}})
    );
    for (n, base64) in [(0, ""), (1, "AA=="), (2, "AAE="), (3, "AAEC"), (4, "AAECAw==")] {
        assert_eq!(
            ask("bytes", json!([n]), accept()),
            json!({"result": ["text", base64], "hints": {"/result/1": "base64"}})
        );
    }
}

#[test]
fn what_hints_cannot_help_is_refused_with_hints_too() {
    for action in ["bad_key", "refuses"] {
        let message = ask(action, json!([]), json!({"accept_hints": true}));
        assert_eq!(message["error"]["error_type"], "DirtyAppError", "{message}");
    }
}

#[test]
fn large_integers_are_numbers_without_hints_and_strings_with_them() {
    let (_worker, mut peer) = Lab::default().serve();
    peer.request("v", "lab:Lab", "large", json!([]), json!({}));
    assert!(peer.text().ends_with(r#""result":[9007199254740991,9007199254740992,18446744073709551615]}"#));
    assert_eq!(
        ask("large", json!([]), json!({"accept_hints": true})),
        json!({
            "result": [9007199254740991u64, "9007199254740992", "18446744073709551615"],
            "hints": {"/result/1": "int", "/result/2": "int"},
        })
    );
    // Also when they are only passed on.
    let kept = reply(&mut peer, "keep", json!([-9007199254740992i64]), json!({"accept_hints": true}));
    assert_eq!(kept, json!({"result": "-9007199254740992", "hints": {"/result": "int"}}));
    let kept = reply(&mut peer, "keep", json!([9007199254740991u64]), json!({"accept_hints": true}));
    assert_eq!(kept, json!({"result": 9007199254740991u64}));
}

#[test]
fn a_stream_names_the_place_in_its_item() {
    let (_worker, mut peer) = Lab::default().serve();
    peer.request("v", "lab:Lab", "nan_after", json!([2]), json!({}));
    assert_eq!(peer.receive()["data"], json!([1.0]));
    assert_eq!(peer.receive()["data"], json!([2.0]));
    let error = peer.error("v");
    assert_eq!(error["details"]["pointer"], "/data/0");
    assert!(error["message"].as_str().unwrap().contains("Infinity"), "{error}");
    peer.request("v", "lab:Lab", "nan_after", json!([1]), json!({"accept_hints": true}));
    assert_eq!(peer.receive(), json!({"type": "chunk", "id": "v", "data": [1.0]}));
    let hinted = json!({"type": "chunk", "id": "v", "data": ["Infinity"], "hints": {"/data/0": "float"}});
    assert_eq!(peer.receive(), hinted);
    assert_eq!(peer.receive()["type"], "end");
}

#[test]
fn hinted_arguments_are_what_they_stand_for() {
    let hints = |hints: Value| json!({"hints": hints, "accept_hints": true});
    let job = json!({"width": 1, "data": "AAEC", "ratio": "-Infinity", "kind": null});
    assert_eq!(
        ask("job", json!([job]), hints(json!({"/args/0/data": "base64", "/args/0/ratio": "float"}))),
        json!({"result": job, "hints": {"/result/data": "base64", "/result/ratio": "float"}})
    );
    let kinds = [
        (
            json!({"Raw": "/w=="}),
            json!({"/args/0/kind/Raw": "base64"}),
            json!({"/result/kind/Raw": "base64"}),
        ),
        (
            json!({"Pair": [7, ""]}),
            json!({"/args/0/kind/Pair/1": "base64"}),
            json!({"/result/kind/Pair/1": "base64"}),
        ),
        (
            json!({"Named": {"big": "18446744073709551615"}}),
            json!({"/args/0/kind/Named/big": "int"}),
            json!({"/result/kind/Named/big": "int"}),
        ),
    ];
    for (kind, given, returned) in kinds {
        let job = json!({"width": 1, "data": null, "ratio": null, "kind": kind});
        assert_eq!(ask("job", json!([job]), hints(given)), json!({"result": job, "hints": returned}));
    }
    let plain = json!({"width": "5", "data": null, "ratio": "7", "kind": "Plain"});
    let message = ask("job", json!([plain]), hints(json!({"/args/0/width": "int", "/args/0/ratio": "int"})));
    assert_eq!(message, json!({"result": {"width": 5, "data": null, "ratio": 7.0, "kind": "Plain"}}));
    let args = json!(["18446744073709551615", "-170141183460469231731687303715884105728"]);
    let message = ask("integers", args.clone(), hints(json!({"/args/0": "int", "/args/1": "int"})));
    assert_eq!(message["result"], args);
    let message = ask("byte_list", json!(["AAEC"]), hints(json!({"/args/0": "base64"})));
    assert_eq!(message["result"], json!(3));
}

#[test]
fn hints_count_for_named_arguments_and_whole_calls() {
    let extra =
        json!({"kwargs": {"a/b~c": "Infinity"}, "hints": {"/kwargs/a~1b~0c": "float"}, "accept_hints": true});
    let message = ask("sum", json!([1]), extra);
    assert_eq!(message, json!({"result": "Infinity", "hints": {"/result": "float"}}));
}

#[test]
fn bytes_are_no_text_and_text_is_no_bytes() {
    let message = ask("text", json!(["aGk="]), json!({"hints": {"/args/0": "base64"}}));
    assert_eq!(message["error"]["message"], r#"parameter "text": expected a string, got bytes"#);
    let message = ask("job", json!([{"width": 1, "data": "aGk="}]), json!({}));
    let text = message["error"]["message"].as_str().unwrap();
    assert!(text.contains("expected bytes, which is a string with the hint base64 (VAL-5)"), "{message}");
    assert!(text.ends_with(r#", got string "aGk=""#), "{message}");
    assert_eq!(message["error"]["details"]["pointer"], "/args/0/data");
}

#[test]
fn a_hint_that_fits_no_value_is_an_app_error() {
    let cases = [
        (json!([1]), json!({"/args/0": "base64"}), "/args/0"),
        (json!(["x"]), json!({"/args/0": "base64"}), "/args/0"),
        (json!(["AAE"]), json!({"/args/0": "base64"}), "/args/0"),
        (json!(["01"]), json!({"/args/0": "int"}), "/args/0"),
        (json!(["1.0"]), json!({"/args/0": "int"}), "/args/0"),
        (json!(["nan"]), json!({"/args/0": "float"}), "/args/0"),
        (json!(["AAEC"]), json!({"/args/1": "base64"}), "/args/1"),
        (json!(["AAEC"]), json!({"/args/00": "base64"}), "/args/00"),
        (json!(["AAEC"]), json!({"/args": "base64"}), "/args"),
        (json!(["AAEC"]), json!({"": "base64"}), ""),
        (json!(["AAEC"]), json!({"args/0": "base64"}), "args/0"),
        (json!(["AAEC"]), json!({"/result": "base64"}), "/result"),
        (json!([["AAEC"]]), json!({"/args/0/0/0": "base64"}), "/args/0/0/0"),
        (json!([{"a": "AAEC"}]), json!({"/args/0/b": "base64"}), "/args/0/b"),
        (json!([{"a": ["AAEC"]}]), json!({"/args/0/a/0": "base64", "/args/0/a/1/2": "int"}), "/args/0/a/1/2"),
        (json!(["AAEC"]), json!({"/args/0": "base64", "/args/0/~": "base64"}), "/args/0/~"),
        (json!(["AAEC"]), json!({"/kwargs/~": "base64"}), "/kwargs/~"),
    ];
    for action in ["keep", "sum"] {
        for (args, hints, pointer) in &cases {
            let message = ask(action, args.clone(), json!({ "hints": hints }));
            assert_eq!(message["error"]["error_type"], "DirtyAppError", "{args} {hints} {message}");
            assert!(message["error"]["message"].as_str().unwrap().contains("VAL-5"), "{message}");
            if action == "keep" {
                assert_eq!(message["error"]["details"]["pointer"], *pointer);
            }
        }
    }
}

#[test]
fn a_value_that_is_passed_on_keeps_its_hints() {
    let value = json!([1, {"a": ["AAEC", "7"]}, "NaN"]);
    let hints = json!({"/args/0/1/a/0": "base64", "/args/0/1/a/1": "int", "/args/0/2": "float"});
    let message = ask("keep", json!([value]), json!({"hints": hints, "accept_hints": true}));
    // 7 needs no hint: it is sent as what it is.
    assert_eq!(
        message,
        json!({
            "result": [1, {"a": ["AAEC", 7]}, "NaN"],
            "hints": {"/result/1/a/0": "base64", "/result/2": "float"},
        })
    );
    let message = ask("keep", json!([value]), json!({ "hints": hints }));
    assert_eq!(message["error"]["details"]["requirement"], "VAL-7");
    assert_eq!(message["error"]["details"]["pointer"], "/result/1/a/0");
}

#[test]
fn the_text_around_a_hinted_value_stays() {
    let (_worker, mut peer) = Lab::default().serve();
    let text = |x: &str| format!(r#"{{"b":1.10,"a":{x},"b":[1e400]}}"#);
    let (args, hints) = (text(r#""12""#), r#"{"/args/0/a":"int"}"#);
    peer.send_text(&format!(
        r#"{{"type":"request","id":"k","app_path":"lab:Lab","action":"keep","args":[{args}],"hints":{hints}}}"#
    ));
    assert_eq!(peer.text(), format!(r#"{{"type":"response","id":"k","result":{}}}"#, text("12")));
}

#[test]
fn a_result_nested_too_deep_is_refused() {
    let (_worker, mut peer) = Lab::default().serve();
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    // A request is a level deeper than the argument in its list, the reply two.
    let request = |levels| {
        let value = nested(levels);
        format!(r#"{{"type":"request","id":"k","app_path":"lab:Lab","action":"wrap","args":[{value}]}}"#)
    };
    peer.send_text(&request(509));
    assert_eq!(peer.text(), format!(r#"{{"type":"response","id":"k","result":{}}}"#, nested(511)));
    peer.send_text(&request(510));
    let error = peer.error("k");
    assert_eq!(error["error_type"], "DirtyAppError");
    assert_eq!(
        (&error["details"]["requirement"], &error["details"]["pointer"]),
        (&json!("VAL-3"), &json!("/result/0/0"))
    );
    peer.still_serves();
}
