//! The multiplexer: every reply to the caller it belongs to, and nothing to anybody else.

use dirty_arbiter::client::mux::{CallId, CallKind, Delivery, Mux};
use dirty_arbiter::message::{ActionName, AppPath, ErrorType, RequestId, RequestMessage};
use dirty_arbiter::wire::{Frame, Limits};
use proptest::prelude::*;

fn request() -> RequestMessage {
    RequestMessage::new(
        RequestId::new("-").unwrap(),
        AppPath::new("a:B").unwrap(),
        ActionName::new("echo").unwrap(),
    )
}

/// Begins a call, and returns the id in its frame too.
fn begin(mux: &mut Mux, kind: CallKind) -> (CallId, String) {
    let (call, frame) = mux.begin(kind, &mut request()).unwrap();
    let text = std::str::from_utf8(frame.payload()).unwrap().to_owned();
    let id = text.strip_prefix(r#"{"type":"request","id":""#).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(
        text,
        format!(
            r#"{{"type":"request","id":"{id}","app_path":"a:B","action":"echo","args":[],"kwargs":{{}}}}"#
        )
    );
    (call, id)
}

fn frame(payload: &str) -> Frame {
    Frame::from_payload(payload.as_bytes(), &Limits::default()).unwrap()
}

fn response(id: &str, result: &str) -> Frame {
    frame(&format!(r#"{{"type":"response","id":"{id}","result":{result}}}"#))
}

fn chunk(id: &str, data: &str) -> Frame {
    frame(&format!(r#"{{"type":"chunk","id":"{id}","data":{data}}}"#))
}

fn end(id: &str) -> Frame {
    frame(&format!(r#"{{"type":"end","id":"{id}"}}"#))
}

/// A delivery in short: who gets what.
fn short(delivery: Delivery) -> (Option<CallId>, String) {
    match delivery {
        Delivery::Item(call, payload) => (Some(call), format!("item {}", payload.value.get())),
        Delivery::Last(call, Ok(Some(payload))) => (Some(call), format!("result {}", payload.value.get())),
        Delivery::Last(call, Ok(None)) => (Some(call), "end".to_owned()),
        Delivery::Last(call, Err(error)) => (Some(call), error.error_type().to_string()),
        Delivery::Refused { call, error, cancel } => {
            (Some(call), format!("{} {}", error.error_type(), std::str::from_utf8(cancel.payload()).unwrap()))
        }
        Delivery::Dropped => (None, "dropped".to_owned()),
    }
}

#[test]
fn replies_reach_the_calls_they_belong_to_in_any_order() {
    let mut mux = Mux::new(Limits::default());
    let (one, id_one) = begin(&mut mux, CallKind::Execute);
    let (two, id_two) = begin(&mut mux, CallKind::Stream);
    let (three, id_three) = begin(&mut mux, CallKind::Execute);
    let mut deliver = |frame| short(mux.on_frame(&frame).unwrap());
    assert_eq!(deliver(chunk(&id_two, "0")), (Some(two), "item 0".into()));
    assert_eq!(deliver(response(&id_three, "3")), (Some(three), "result 3".into()));
    assert_eq!(deliver(chunk(&id_two, "1")), (Some(two), "item 1".into()));
    assert_eq!(deliver(response(&id_one, "1")), (Some(one), "result 1".into()));
    assert_eq!(deliver(end(&id_two)), (Some(two), "end".into()));
    assert_eq!(mux.waiting(), 0);
}

#[test]
fn ids_are_unique_within_and_across_connections() {
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let mut mux = Mux::new(Limits::default());
        for _ in 0..20 {
            assert!(ids.insert(begin(&mut mux, CallKind::Execute).1));
        }
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_dropped_however_late_it_comes() {
    let mut mux = Mux::new(Limits::default());
    let (left, id_left) = begin(&mut mux, CallKind::Stream);
    let (_, id_done) = begin(&mut mux, CallKind::Execute);
    let cancel = mux.leave(left).unwrap();
    assert_eq!(cancel.payload(), format!(r#"{{"type":"cancel","id":"{id_left}"}}"#).as_bytes());
    assert_eq!(mux.leave(left).map(|_| ()), None);
    assert_eq!(short(mux.on_frame(&response(&id_done, "1")).unwrap()).1, "result 1");
    for _ in 0..10_000 {
        begin(&mut mux, CallKind::Execute);
    }
    for late in [chunk(&id_left, "1"), end(&id_left), response(&id_done, "2"), end(&id_done)] {
        assert_eq!(short(mux.on_frame(&late).unwrap()).1, "dropped");
    }
}

#[test]
fn an_id_that_was_never_sent_ends_the_connection() {
    let mut mux = Mux::new(Limits::default());
    let (_, id) = begin(&mut mux, CallKind::Execute);
    let prefix = id.strip_suffix('0').unwrap();
    let mut other = Mux::new(Limits::default());
    let (_, foreign) = begin(&mut other, CallKind::Execute);
    for never_sent in [
        "x".to_owned(),
        foreign,
        format!("{prefix}1"),
        format!("{prefix}00"),
        format!("{prefix}+0"),
        format!("{prefix}-0"),
        format!("{prefix}0 "),
        prefix.to_owned(),
        format!("{prefix}18446744073709551616"),
        id.to_uppercase().replace(|c: char| c.is_ascii_digit(), "x"),
    ] {
        let error = mux.on_frame(&response(&never_sent, "1")).unwrap_err();
        assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError, "{never_sent}");
        assert_eq!(error.details().requirement.as_deref(), Some("CORR-4"), "{never_sent}");
    }
    assert_eq!(short(mux.on_frame(&response(&id, "1")).unwrap()).1, "result 1");
}

#[test]
fn bad_frames_and_bad_messages_end_the_connection() {
    let mut mux = Mux::new(Limits { max_depth: 64, ..Limits::default() });
    let (_, id) = begin(&mut mux, CallKind::Execute);
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for (payload, requirement) in [
        ("nonsense", "FRAME-10"),
        ("[]", "FRAME-10"),
        ("{}", "MSG-1"),
        (r#"{"type":"answer"}"#, "MSG-11"),
        (&format!(r#"{{"type":"response","id":"{id}"}}"#), "MSG-2"),
        (&format!(r#"{{"type":"response","id":"{id}","result":1,"result":2}}"#), "MSG-6"),
        (&format!(r#"{{"type":"response","id":"{id}","result":NaN}}"#), "VAL-2"),
        (&format!(r#"{{"type":"response","id":"{id}","result":{deep}}}"#), "VAL-3"),
        (&format!(r#"{{"type":"error","id":"{id}","error":"text"}}"#), "MSG-12"),
        (&format!(r#"{{"type":"cancel","id":"{id}"}}"#), "MSG-11"),
        (
            &format!(
                r#"{{"type":"request","id":"{id}","app_path":"a","action":"b","args":[],"kwargs":{{}}}}"#
            ),
            "MSG-11",
        ),
    ] {
        let error = mux.on_frame(&frame(payload)).unwrap_err();
        assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError, "{payload}");
        assert_eq!(error.details().requirement.as_deref(), Some(requirement), "{payload}: {error}");
    }
}

#[test]
fn execute_on_a_stream_is_refused_and_cancelled_once() {
    let mut mux = Mux::new(Limits::default());
    let (call, id) = begin(&mut mux, CallKind::Execute);
    let refused = short(mux.on_frame(&chunk(&id, "0")).unwrap());
    assert_eq!(refused, (Some(call), format!(r#"DirtyError {{"type":"cancel","id":"{id}"}}"#)));
    assert_eq!(short(mux.on_frame(&chunk(&id, "1")).unwrap()).1, "dropped");
    assert_eq!(mux.leave(call).map(|_| ()), None);
    let (empty, id) = begin(&mut mux, CallKind::Execute);
    assert_eq!(short(mux.on_frame(&end(&id)).unwrap()), (Some(empty), "DirtyError".into()));
}

#[test]
fn a_response_is_the_one_item_of_a_stream_but_not_after_a_chunk() {
    let mut mux = Mux::new(Limits::default());
    let (plain, id) = begin(&mut mux, CallKind::Stream);
    assert_eq!(short(mux.on_frame(&response(&id, "7")).unwrap()), (Some(plain), "result 7".into()));
    let (_, id) = begin(&mut mux, CallKind::Stream);
    mux.on_frame(&chunk(&id, "0")).unwrap();
    let ends_the_connection = mux.on_frame(&response(&id, "7")).unwrap_err();
    assert_eq!(ends_the_connection.details().requirement.as_deref(), Some("STREAM-5"));
}

#[test]
fn an_error_without_an_id_answers_no_call() {
    let mut mux = Mux::new(Limits::default());
    let (call, id) = begin(&mut mux, CallKind::Execute);
    let notice = r#"{"type":"error","id":null,"error":{"error_type":"DirtyProtocolError","message":"m","details":{}}}"#;
    assert_eq!(short(mux.on_frame(&frame(notice)).unwrap()).1, "dropped");
    assert_eq!(mux.notice().map(|notice| notice.message()), Some("m"));
    assert_eq!(short(mux.on_frame(&response(&id, "1")).unwrap()), (Some(call), "result 1".into()));
}

#[test]
fn a_request_that_may_not_be_sent_takes_nothing_with_it() {
    let mut mux = Mux::new(Limits { max_payload: 100, ..Limits::default() });
    let mut large = request();
    large.args = vec![serde_json::value::to_raw_value(&"x".repeat(100)).unwrap()];
    let error = mux.begin(CallKind::Execute, &mut large).unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError);
    assert_eq!(error.details().requirement.as_deref(), Some("FRAME-3"));
    assert_eq!(mux.waiting(), 0);
    assert_eq!(large.args.len(), 1, "the request is still the caller's");

    let mut mux = Mux::new(Limits::default());
    let mut deep = request();
    let text = format!("{}{}", "[".repeat(511), "]".repeat(511));
    deep.args = vec![serde_json::value::RawValue::from_string(text).unwrap()];
    let error = mux.begin(CallKind::Execute, &mut deep).unwrap_err();
    assert_eq!(error.details().requirement.as_deref(), Some("VAL-3"));
}

/// What may happen on a connection, as far as the multiplexer is concerned.
#[derive(Debug, Clone)]
enum Step {
    Begin(CallKind),
    Leave(usize),
    Chunk(usize),
    Response(usize),
    End(usize),
    Error(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Begin(CallKind::Execute)),
        2 => Just(Step::Begin(CallKind::Stream)),
        1 => any::<usize>().prop_map(Step::Leave),
        4 => any::<usize>().prop_map(Step::Chunk),
        2 => any::<usize>().prop_map(Step::Response),
        2 => any::<usize>().prop_map(Step::End),
        1 => any::<usize>().prop_map(Step::Error),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// Whatever an arbiter sends for ids that it got: each call gets at most one last event, nothing after it, and
    /// never anything of another call.
    #[test]
    fn no_call_ever_gets_what_is_not_its_own(steps in prop::collection::vec(step(), 1..60)) {
        let mut mux = Mux::new(Limits::default());
        let mut calls: Vec<(CallId, String, bool)> = Vec::new();
        for step in steps {
            let (Step::Chunk(pick) | Step::Response(pick) | Step::End(pick) | Step::Error(pick) | Step::Leave(pick)) = step
            else {
                let Step::Begin(kind) = step else { unreachable!() };
                let (call, id) = begin(&mut mux, kind);
                calls.push((call, id, true));
                continue;
            };
            if calls.is_empty() {
                continue;
            }
            let index = pick % calls.len();
            let (call, id, open) = &mut calls[index];
            if let Step::Leave(_) = step {
                prop_assert_eq!(mux.leave(*call).is_some(), std::mem::replace(open, false));
                continue;
            }
            let mark = format!("\"{id}\"");
            let sent = match step {
                Step::Chunk(_) => chunk(id, &mark),
                Step::Response(_) => response(id, &mark),
                Step::End(_) => end(id),
                _ => frame(&format!(
                    r#"{{"type":"error","id":"{id}","error":{{"error_type":"DirtyAppError","message":"","details":{{}}}}}}"#
                )),
            };
            let delivery = match mux.on_frame(&sent) {
                Ok(delivery) => delivery,
                Err(error) => {
                    // A response inside a stream ends the connection.
                    prop_assert!(*open && matches!(step, Step::Response(_)));
                    prop_assert_eq!(error.details().requirement.as_deref(), Some("STREAM-5"));
                    return Ok(());
                }
            };
            match delivery {
                Delivery::Dropped => prop_assert!(!*open),
                Delivery::Item(got, payload) => {
                    prop_assert!(*open && got == *call);
                    prop_assert_eq!(payload.value.get(), mark);
                }
                Delivery::Last(got, outcome) => {
                    prop_assert!(std::mem::replace(open, false) && got == *call);
                    if let Ok(Some(payload)) = outcome {
                        prop_assert_eq!(payload.value.get(), mark);
                    }
                }
                Delivery::Refused { call: got, .. } => {
                    prop_assert!(std::mem::replace(open, false) && got == *call);
                }
            }
        }
        prop_assert_eq!(mux.waiting(), calls.iter().filter(|(_, _, open)| *open).count());
    }
}
