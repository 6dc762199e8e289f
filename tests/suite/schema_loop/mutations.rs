//! Small changes that turn a message into something near it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// A change to one member, which is chosen among all that the message has when the change is applied.
#[derive(Debug, Clone)]
pub struct Mutation {
    member: Index,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Drop,
    Null,
    Retype(Value),
    /// Puts another name in place of the member's.
    Rename(&'static str),
    /// Repeats a string until it has this many characters.
    Stretch(usize),
    Number(Value),
    /// Adds a member beside this one.
    Add(&'static str, Value),
}

/// The names of the protocol: what a member is renamed to is often known somewhere else.
const NAMES: [&str; 26] = [
    "type",
    "id",
    "app_path",
    "action",
    "args",
    "kwargs",
    "timeout",
    "meta",
    "accept_hints",
    "hints",
    "result",
    "data",
    "error",
    "error_type",
    "message",
    "details",
    "traceback",
    "phase",
    "worker_id",
    "signal",
    "exit_code",
    "retry_after",
    "raw_data",
    "pointer",
    "requirement",
    "Id",
];

const TYPES: [&str; 9] = ["request", "response", "chunk", "end", "error", "cancel", "status", "End", ""];

pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    vec((any::<Index>(), change()).prop_map(|(member, change)| Mutation { member, change }), 1..3)
}

fn other() -> impl Strategy<Value = Value> {
    let named = prop::sample::select(TYPES.to_vec()).prop_map(Value::from);
    let small = prop::sample::select(vec![
        json!(true),
        json!(false),
        json!(0),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({ "a": "int" }),
        json!({ "a": "INT" }),
        json!({ "a": null }),
        json!({ "error_type": "E", "message": "m", "details": {} }),
        json!({ "id": "x" }),
    ]);
    prop_oneof![1 => named, 3 => small]
}

fn number() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(0),
        json!(-0.0),
        json!(-1),
        json!(5e-324),
        json!(0.5),
        json!(1.0),
        json!(255),
        json!(255.5),
        json!(256),
        json!(256.0),
        json!(4_294_967_295_u64),
        json!(4_294_967_295.0),
        json!(4_294_967_296_u64),
        json!(999_999_999.999),
        json!(1_000_000_000),
        json!(1_000_000_000.1),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(9_007_199_254_740_993_u64),
    ])
}

fn change() -> impl Strategy<Value = Change> {
    let name = || prop::sample::select(NAMES.to_vec());
    let length = prop::sample::select(vec![0, 1, 2, 199, 200, 201, 255, 256, 257, 1023, 1024, 1025]);
    prop_oneof![
        Just(Change::Drop),
        Just(Change::Null),
        other().prop_map(Change::Retype),
        name().prop_map(Change::Rename),
        length.prop_map(Change::Stretch),
        number().prop_map(Change::Number),
        (name(), other()).prop_map(|(name, value)| Change::Add(name, value)),
        (name(), number()).prop_map(|(name, value)| Change::Add(name, value)),
    ]
}

pub fn apply(message: &mut Value, mutations: &[Mutation]) {
    for mutation in mutations {
        let mut places = Vec::new();
        list(message, "", &mut places);
        if places.is_empty() {
            return;
        }
        let (holder, name) = mutation.member.get(&places);
        if let Some(Value::Object(members)) = message.pointer_mut(holder) {
            change_one(members, name, &mutation.change);
        }
    }
}

/// All members of objects that belong to the message and not to a payload, as (pointer of the object, name).
fn list(value: &Value, at: &str, places: &mut Vec<(String, String)>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        places.push((at.to_owned(), name.clone()));
        if matches!(name.as_str(), "error" | "details" | "hints") {
            list(inner, &format!("{at}/{name}"), places);
        }
    }
}

fn change_one(members: &mut Map<String, Value>, name: &str, change: &Change) {
    match change {
        Change::Drop => drop(members.shift_remove(name)),
        Change::Null => drop(members.insert(name.to_owned(), Value::Null)),
        Change::Retype(value) | Change::Number(value) => drop(members.insert(name.to_owned(), value.clone())),
        Change::Add(added, value) => drop(members.insert((*added).to_owned(), value.clone())),
        Change::Rename(other) => {
            if let Some(value) = members.shift_remove(name) {
                members.insert((*other).to_owned(), value);
            }
        }
        Change::Stretch(length) => {
            let text = match members.get(name) {
                Some(Value::String(text)) if !text.is_empty() => text.chars().cycle().take(*length).collect(),
                _ => "é".repeat(*length),
            };
            members.insert(name.to_owned(), Value::String(text));
        }
    }
}
