//! Random messages, all of them valid. Written by hand from the specification, not from the types.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any message of any type.
pub fn message() -> impl Strategy<Value = Value> {
    prop_oneof![3 => request(), 1 => response(), 1 => chunk(), 1 => plain(), 4 => error()]
}

fn object(members: Vec<(&str, Option<Value>)>) -> Value {
    let set = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect())
}

/// Some payload.
pub fn payload() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| number.is_finite().then(|| json!(number))),
        text(0, 8).prop_map(Value::from),
        Just(json!([1, [null, {}], "NaN"])),
        Just(json!({ "type": "request", "id": 1, "a/~b": [] })),
    ]
}

/// A text of `min` to `max` characters, often of the least or of the greatest length.
pub fn text(min: usize, max: usize) -> impl Strategy<Value = String> {
    let character =
        prop::sample::select("abcxyz:._/~-éß漢😀\"\\\n\0\u{7f}\u{2028}".chars().collect::<Vec<_>>());
    let length = prop_oneof![6 => min..=max.min(12), 1 => Just(min), 1 => Just(max)];
    // Repeating a few characters is as good as many of them, and much faster.
    (length, vec(character, 1..4)).prop_map(|(length, some)| some.into_iter().cycle().take(length).collect())
}

pub fn id() -> impl Strategy<Value = Value> {
    text(1, 256).prop_map(Value::from)
}

fn map(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec((text(0, 6), value), 0..3).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

fn hints() -> impl Strategy<Value = Option<Value>> {
    let hint = prop::sample::select(vec!["base64", "int", "float"]).prop_map(Value::from);
    option::weighted(0.3, map(hint))
}

/// Seconds, of which 0 is allowed in details only.
fn seconds(least: f64) -> impl Strategy<Value = Value> {
    prop_oneof![
        (least..1000.0).prop_map(Value::from),
        (1..100_u32).prop_map(Value::from),
        Just(json!(1_000_000_000)),
        Just(json!(least)),
    ]
}

fn request() -> impl Strategy<Value = Value> {
    let required = (id(), text(1, 1024), text(1, 256));
    let args = option::weighted(0.9, vec(payload(), 0..3).prop_map(Value::from));
    let kwargs = option::weighted(0.9, map(payload()));
    let flag = option::weighted(0.3, any::<bool>().prop_map(Value::from));
    let optional =
        (option::weighted(0.3, seconds(1e-300)), option::weighted(0.3, map(payload())), flag, hints());
    (required, args, kwargs, optional, unknown()).prop_map(
        |((id, app_path, action), args, kwargs, (timeout, meta, accept_hints, hints), unknown)| {
            object(vec![
                ("x-unknown", unknown),
                ("type", Some("request".into())),
                ("id", Some(id)),
                ("app_path", Some(app_path.into())),
                ("action", Some(action.into())),
                ("args", args),
                ("kwargs", kwargs),
                ("timeout", timeout),
                ("meta", meta),
                ("accept_hints", accept_hints),
                ("hints", hints),
            ])
        },
    )
}

fn unknown() -> impl Strategy<Value = Option<Value>> {
    option::weighted(0.2, payload())
}

fn reply(kind: &'static str, member: &'static str) -> impl Strategy<Value = Value> {
    (id(), payload(), hints(), unknown()).prop_map(move |(id, value, hints, unknown)| {
        object(vec![
            ("type", Some(kind.into())),
            (member, Some(value)),
            ("id", Some(id)),
            ("hints", hints),
            ("error", unknown),
        ])
    })
}

fn response() -> impl Strategy<Value = Value> {
    reply("response", "result")
}

fn chunk() -> impl Strategy<Value = Value> {
    reply("chunk", "data")
}

fn plain() -> impl Strategy<Value = Value> {
    (prop::sample::select(vec!["end", "cancel"]), id(), unknown()).prop_map(|(kind, id, unknown)| {
        object(vec![("type", Some(kind.into())), ("id", Some(id)), ("result", unknown)])
    })
}

fn error() -> impl Strategy<Value = Value> {
    let error_type = prop_oneof![Just("DirtyAppError".to_owned()), Just("DirtyError".to_owned()), text(0, 9)];
    let id = prop_oneof![4 => id(), 1 => Just(Value::Null)];
    (id, error_type, text(0, 40), details(), unknown()).prop_map(
        |(id, error_type, message, details, unknown)| {
            let error = object(vec![
                ("error_type", Some(error_type.into())),
                ("message", Some(message.into())),
                ("details", Some(details)),
                ("cause", unknown),
            ]);
            object(vec![("type", Some("error".into())), ("id", Some(id)), ("error", Some(error))])
        },
    )
}

/// A value for each registered member of details.
fn detail() -> impl Strategy<Value = (&'static str, Value)> {
    let integer = |max: u64| prop_oneof![Just(0), 0..=max, Just(max)].prop_map(Value::from);
    let strings = prop::sample::select(vec!["traceback", "phase", "pointer", "requirement"]);
    let durations = prop::sample::select(vec!["timeout", "retry_after"]);
    let octets = prop::sample::select(vec!["signal", "exit_code"]);
    prop_oneof![
        2 => text(1, 1024).prop_map(|text| ("app_path", text.into())),
        2 => text(1, 256).prop_map(|text| ("action", text.into())),
        3 => (strings, text(0, 30)).prop_map(|(name, text)| (name, text.into())),
        2 => (durations, seconds(0.0)),
        2 => integer(u64::from(u32::MAX)).prop_map(|number| ("worker_id", number)),
        2 => (octets, integer(255)),
        1 => (0..=100_usize).prop_map(|bytes| ("raw_data", "0f".repeat(bytes).into())),
        1 => id().prop_map(|id| ("id", id)),
        1 => payload().prop_map(|value| ("x-unknown", value)),
    ]
}

fn details() -> impl Strategy<Value = Value> {
    vec(detail(), 0..6).prop_map(|members| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect::<Map<_, _>>())
    })
}
