//! Arguments become parameters as in Python.

use serde_json::{Value, json};

use super::lab::Lab;

fn outcome(action: &str, args: Value, kwargs: Value) -> Result<Value, (String, Value)> {
    let (_worker, mut peer) = Lab::default().serve();
    peer.request("p", "lab:Lab", action, args, json!({ "kwargs": kwargs }));
    let message = peer.receive();
    match message.get("result") {
        Some(result) => Ok(result.clone()),
        None => {
            assert_eq!(message["error"]["error_type"], "DirtyAppError", "{message}");
            let details = &message["error"]["details"];
            assert_eq!((&details["app_path"], &details["action"]), (&json!("lab:Lab"), &json!(action)));
            Err((message["error"]["message"].as_str().unwrap().to_owned(), details["pointer"].clone()))
        }
    }
}

#[test]
fn by_position_by_name_and_mixed() {
    assert_eq!(outcome("optional", json!([1, "x"]), json!({})), Ok(json!([1, "x"])));
    assert_eq!(outcome("optional", json!([1]), json!({"b": "x"})), Ok(json!([1, "x"])));
    assert_eq!(outcome("optional", json!([]), json!({"b": "x", "a": 1})), Ok(json!([1, "x"])));
    let named = json!({"h": 8, "g": 7, "f": 6, "e": 5});
    assert_eq!(outcome("eight", json!([1, 2, 3, 4]), named), Ok(json!([1, 2, 3, 4, 5, 6, 7, 8])));
}

#[test]
fn an_option_can_be_left_out_or_null() {
    assert_eq!(outcome("optional", json!([1]), json!({})), Ok(json!([1, null])));
    assert_eq!(outcome("optional", json!([1, null]), json!({})), Ok(json!([1, null])));
    assert_eq!(outcome("optional", json!([1]), json!({"b": null})), Ok(json!([1, null])));
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("optional", json!([]), json!({}), r#"missing parameter "a": expected (a, b)"#, json!(null)),
        (
            "optional",
            json!([1]),
            json!({"c": 1}),
            r#"unknown parameter "c": expected (a, b)"#,
            json!("/kwargs/c"),
        ),
        (
            "optional",
            json!([1, "x", 2]),
            json!({}),
            "too many arguments: got 3 by position, expected at most 2 (a, b)",
            json!("/args/2"),
        ),
        (
            "optional",
            json!([1]),
            json!({"a": 1}),
            r#"parameter "a" was given twice, by position and by name"#,
            json!("/kwargs/a"),
        ),
        (
            "optional",
            json!(["1"]),
            json!({}),
            r#"parameter "a": expected u8, got string "1""#,
            json!("/args/0"),
        ),
        (
            "optional",
            json!([256]),
            json!({}),
            r#"parameter "a": expected u8, got integer `256`"#,
            json!("/args/0"),
        ),
        (
            "optional",
            json!([1.5]),
            json!({}),
            r#"parameter "a": expected u8, got floating point `1.5`"#,
            json!("/args/0"),
        ),
        ("optional", json!([null]), json!({}), r#"parameter "a": expected u8, got null"#, json!("/args/0")),
        (
            "optional",
            json!([1]),
            json!({"b": []}),
            r#"parameter "b": expected a string, got sequence"#,
            json!("/kwargs/b"),
        ),
        (
            "job",
            json!([{"height": 1}]),
            json!({}),
            r#"parameter "job": missing field `width`"#,
            json!("/args/0"),
        ),
        (
            "job",
            json!([{"width": "w"}]),
            json!({}),
            r#"parameter "job": at /args/0/width: expected u32, got string "w""#,
            json!("/args/0/width"),
        ),
        (
            "nothing",
            json!([0]),
            json!({}),
            "too many arguments: got 1 by position, expected at most 0 ()",
            json!("/args/0"),
        ),
    ];
    for (action, args, kwargs, message, pointer) in cases {
        assert_eq!(outcome(action, args, kwargs), Err((message.to_owned(), pointer)));
    }
}

#[test]
fn a_long_argument_is_not_quoted_back() {
    let (message, _) = outcome("optional", json!(["long, expected ".repeat(1000)]), json!({})).unwrap_err();
    assert!(message.len() < 400, "{message}");
    assert!(message.starts_with(r#"parameter "a": expected u8, got string "long"#), "{message}");
}

#[test]
fn a_whole_call_takes_any_arguments() {
    assert_eq!(outcome("sum", json!([1, 2.5]), json!({"x": 3, "y": 4})), Ok(json!(10.5)));
    assert_eq!(outcome("sum", json!([]), json!({})), Ok(json!(0.0)));
    let (message, _) = outcome("sum", json!(["one"]), json!({})).unwrap_err();
    assert!(message.contains("expected f64"), "{message}");
}

#[test]
fn a_whole_call_can_be_bound_to_names() {
    assert_eq!(outcome("bind", json!([1]), json!({"b": 2})), Ok(json!([1, 2])));
    let missing = (r#"missing parameter "a": expected (a, b)"#.to_owned(), json!(null));
    assert_eq!(outcome("bind", json!([]), json!({"b": 2})), Err(missing));
}

#[test]
fn numbers_keep_their_text_in_values_that_are_only_passed_on() {
    let (_worker, mut peer) = Lab::default().serve();
    for action in ["keep", "keep_text"] {
        for text in
            ["1.10", "1e400", "-0", "123456789012345678901234567890", r#"{"b":1,"a":2,"b":3}"#, r#""\ud83d""#]
        {
            peer.send_text(&format!(
                r#"{{"type":"request","id":"k","app_path":"lab:Lab","action":"{action}","args":[{text}]}}"#
            ));
            assert_eq!(peer.text(), format!(r#"{{"type":"response","id":"k","result":{text}}}"#));
        }
    }
}

#[test]
fn serde_jsons_private_key_means_nothing() {
    let value = r#"{"$serde_json::private::RawValue":"[1]"}"#;
    let (_worker, mut peer) = Lab::default().serve();
    for action in ["keep", "keep_text"] {
        let request = r#"{"type":"request","id":"k","app_path":"lab:Lab""#;
        peer.send_text(&format!(r#"{request},"action":"{action}","args":[{value}]}}"#));
        assert_eq!(peer.text(), format!(r#"{{"type":"response","id":"k","result":{value}}}"#));
    }
}
