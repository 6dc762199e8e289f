use std::time::Duration;

use serde_json::value::RawValue;

use super::*;
use crate::DirtyError;

fn decode(text: &str) -> Result<DirtyMessage, DecodeError> {
    DirtyMessage::decode(text.as_bytes(), &Limits::default())
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

fn request() -> RequestMessage {
    let (app_path, action) = (AppPath::new("shop:Cart").unwrap(), ActionName::new("add").unwrap());
    RequestMessage::new(id("r1"), app_path, action)
}

/// What the decoder says about a text.
fn complaint(text: &str) -> String {
    decode(text).unwrap_err().to_string()
}

#[test]
fn errors_say_what_is_wrong_where_and_which_rule() {
    for (text, expected) in [
        (r#"{"id":"1"}"#, "/type: missing member, expected the name of a message type, a string (MSG-1)"),
        (r#"{"type":"ping"}"#, "/type: unknown message type \"ping\" (MSG-11)"),
        (r#"{"type":"stash"}"#, "/type: message type \"stash\" is not served on this socket (EXT-1)"),
        (r#"{"type":"end","id":null}"#, "/id: expected a string of 1 to 256 characters, found null (MSG-7)"),
        (
            r#"{"type":"end","id":""}"#,
            "/id: expected a string of 1 to 256 characters, found one of 0 (MSG-7)",
        ),
        (r#"{"type":"end","id":"\ud83d"}"#, "/id: lone surrogate escape, expected Unicode text (MSG-7)"),
        (r#"{"type":"end","id":"1","id":"1"}"#, "/id: repeated member (MSG-6)"),
        (r#"{"type":"response","id":"1"}"#, "/result: missing member, expected a value (MSG-2)"),
        (
            r#"{"type":"chunk","id":"1","data":[1,NaN]}"#,
            "/data/1: non-finite number literal, which is not JSON (VAL-2)",
        ),
        (
            r#"{"type":"chunk","id":"1","data":"","hints":{"/data":"hex"}}"#,
            "/hints/~1data: expected \"base64\" or \"int\" or \"float\", found \"hex\" (VAL-5)",
        ),
        (
            r#"{"type":"request","id":"1","app_path":"a","action":"b","timeout":-0.5}"#,
            "/timeout: expected a number above 0, up to 1000000000, found -0.5 (TIME-2)",
        ),
        (
            r#"{"type":"error","id":null,"error":{"error_type":"E","message":"","details":{"signal":"9"}}}"#,
            "/error/details/signal: expected an integer from 0 to 255, found a string (ERR-9)",
        ),
    ] {
        assert_eq!(complaint(text), format!("bad message at {expected}"));
    }
    assert_eq!(
        complaint(&format!(r#"{{"type":"chunk","id":"1","data":{}{}}}"#, "[".repeat(512), "]".repeat(512))),
        "bad message at the top level: nested 513 levels deep, expected at most 512 (VAL-3)"
    );
    assert_eq!(complaint("[]"), "payload is an array: expected an object (FRAME-10)");
}

#[test]
fn what_a_peer_sent_is_shortened_in_errors() {
    let long = "x".repeat(100_000);
    let texts = [
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"end","id":"1","{long}":1,"{long}":1}}"#),
        format!(r#"{{"type":"chunk","id":"1","data":{{"{long}":NaN}}}}"#),
        format!(r#"{{"type":"chunk","id":"1","data":1,"hints":{{"a":"{long}"}}}}"#),
    ];
    for text in texts {
        assert!(complaint(&text).len() < 400, "{}", complaint(&text));
    }
}

#[test]
fn a_bad_message_is_answered_with_its_id_place_and_rule() {
    let Err(DecodeError::Message(error)) = decode(r#"{"type":"request","app_path":7,"id":"r9"}"#) else {
        panic!("a request without a path was accepted");
    };
    let answer = DirtyMessage::from(ErrorMessage::from(&error));
    assert_eq!(
        String::from_utf8(answer.encode()).unwrap(),
        concat!(
            r#"{"type":"error","id":"r9","error":{"error_type":"DirtyProtocolError","message":"bad message at "#,
            r#"/app_path: expected a string of 1 to 1024 characters, found a number (MSG-8)","#,
            r#""details":{"pointer":"/app_path","requirement":"MSG-8"}}}"#
        )
    );
}

#[test]
fn a_hints_object_keeps_the_last_of_a_repeated_name() {
    let text = r#"{"type":"chunk","id":"1","data":"7","hints":{"/data":5,"/data":"int"}}"#;
    let DirtyMessage::Chunk(chunk) = decode(text).unwrap() else { panic!("not a chunk") };
    assert_eq!(chunk.hints.unwrap()["/data"], Hint::Int);
}

#[test]
fn messages_are_only_accepted_from_their_senders() {
    let end = DirtyMessage::from(EndMessage::new(id("r1")));
    assert_eq!(end.clone().sent_by(Role::Worker), Ok(end.clone()));
    let error = end.sent_by(Role::Client).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad message at /type: the client may not send messages of type end (MSG-11)"
    );
    assert_eq!(error.id, Some(id("r1")));
    assert!(DirtyMessage::from(request()).sent_by(Role::Worker).is_err());
}

#[test]
fn all_required_members_are_written_in_the_order_of_the_schema() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let mut message = request().with_arguments(vec![raw("1.10"), raw("[1e400]")], Default::default());
    assert_eq!(
        String::from_utf8(DirtyMessage::from(message.clone()).encode()).unwrap(),
        r#"{"type":"request","id":"r1","app_path":"shop:Cart","action":"add","args":[1.10,[1e400]],"kwargs":{}}"#
    );
    message.timeout = Some(Timeout::try_from(Duration::from_millis(1500)).unwrap());
    message.hints = Some([("/args/0".to_owned(), Hint::Base64)].into_iter().collect());
    let text = String::from_utf8(DirtyMessage::from(message).encode()).unwrap();
    assert!(text.ends_with(r#""timeout":1.5,"hints":{"/args/0":"base64"}}"#), "{text}");
}

#[test]
fn strings_of_every_character_come_back() {
    let every: String = ('\0'..='\u{2fff}').chain(['\u{fffd}', '\u{10ffff}']).collect();
    let error = DirtyError::app(every.clone()).with_details(|details| {
        details.other.insert("\"\\\n".to_owned(), RawValue::from_string("[ 1 ]".to_owned()).unwrap());
    });
    let message = DirtyMessage::from(error.into_message(None));
    let payload = message.encode();
    let DirtyMessage::Error(back) = DirtyMessage::decode(&payload, &Limits::default()).unwrap() else {
        panic!("not an error");
    };
    assert_eq!(back.error.message, every);
    assert_eq!(back.error.details.other["\"\\\n"].get(), "[ 1 ]");
    assert_eq!(DirtyMessage::from(back), message);
}

#[test]
fn numbers_are_written_without_a_change_of_value() {
    for number in [5e-324, 1e-7, 0.1, 1.5, 300.0, 999_999_999.999_999_9, 1e9] {
        let mut message = request();
        message.timeout = Some(Timeout::new(number).unwrap());
        let payload = DirtyMessage::from(message).encode();
        let DirtyMessage::Request(back) = DirtyMessage::decode(&payload, &Limits::default()).unwrap() else {
            panic!("not a request");
        };
        assert_eq!(back.timeout.unwrap().get().to_bits(), number.to_bits());
    }
}

#[test]
fn values_out_of_range_cannot_be_made() {
    for number in [0.0, -1.0, 1e9 + 1.0, f64::NAN, f64::INFINITY] {
        assert!(Timeout::new(number).is_err(), "{number}");
    }
    assert_eq!(
        ActionName::new("é".repeat(257)).unwrap_err().to_string(),
        "invalid ActionName: expected a string of 1 to 256 characters, found one of 257"
    );
    assert_eq!(Seconds::new(-1.0).unwrap_err().found, "-1");
    assert_eq!(Duration::from(Seconds::new(0.25).unwrap()), Duration::from_millis(250));
    assert_eq!(RawData::from_bytes(&[0x0f; 101]).as_str(), "0f".repeat(100));
}

#[test]
fn unknown_error_types_are_kept_and_act_as_the_general_one() {
    let text =
        r#"{"type":"error","id":"1","error":{"error_type":"DirtyQuotaError","message":"","details":{}}}"#;
    let DirtyMessage::Error(message) = decode(text).unwrap() else { panic!("not an error") };
    let error = DirtyError::from(message.error.clone());
    assert_eq!(error.error_type().known(), &ErrorType::DirtyError);
    assert_eq!(error.to_string(), "DirtyQuotaError");
    assert_eq!(DirtyMessage::from(message).encode(), text.as_bytes());
}
