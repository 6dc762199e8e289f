//! The vectors: well-formed, complete, and judged the same by the decoder and by the schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dirty_arbiter::message::{DecodeError, DirtyMessage, MessageType};
use dirty_arbiter::wire::{Limits, Members};
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Vector {
    id: String,
    requirement: String,
    pointer: Option<String>,
    answer_id: Option<String>,
    message: Option<Box<RawValue>>,
    text: Option<String>,
}

impl Vector {
    fn payload(&self) -> &[u8] {
        let message = self.message.as_ref().map(|message| message.get());
        message.or(self.text.as_deref()).unwrap().as_bytes()
    }

    /// The message as a value, if its layer is `schema`.
    fn value(&self) -> Option<Value> {
        self.message.as_ref().map(|message| serde_json::from_str(message.get()).unwrap())
    }
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// `(file name, text)` of the vectors in one folder, sorted.
fn files(folder: &str) -> Vec<(String, String)> {
    let path = format!("schemas/vectors/{folder}");
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), read(format!("{path}/{name}")))).collect()
}

fn vectors(folder: &str) -> Vec<Vector> {
    let parse = |(name, text): (String, String)| {
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{folder}/{name}: {error}"))
    };
    files(folder).into_iter().map(parse).collect()
}

fn schema(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

fn validator(path: &str) -> Validator {
    jsonschema::validator_for(&schema(path)).unwrap()
}

#[test]
fn vectors_are_well_formed() {
    let rules = validator("schemas/vector.schema.json");
    let registry = schema("spec/requirements.json");
    let known: BTreeSet<&str> =
        registry["requirements"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    let mut count = BTreeMap::new();
    for folder in ["valid", "invalid"] {
        for (name, text) in files(folder) {
            let vector: Value = serde_json::from_str(&text).unwrap();
            let id = vector["id"].as_str().unwrap_or_default().to_owned();
            rules.validate(&vector).unwrap_or_else(|error| panic!("{folder}/{name}: {error}"));
            assert_eq!(name, format!("{id}.json"), "the file has another name than its vector");
            assert_eq!(vector.get("reason").is_some(), folder == "invalid", "{id}");
            assert!(
                known.contains(vector["requirement"].as_str().unwrap()),
                "{id} names an unknown requirement"
            );
            assert!(ids.insert(id), "{name} is in both folders");
            *count.entry(folder).or_insert(0_usize) += 1;
        }
    }
    let (valid, invalid) = (count["valid"], count["invalid"]);
    assert!(valid >= 70 && invalid >= 70, "{valid} valid and {invalid} invalid vectors are too few");
    assert!(valid * 3 >= invalid * 2 && invalid * 3 >= valid * 2, "{valid} : {invalid} is far from 1 : 1");
}

#[test]
fn the_decoder_accepts_the_valid_vectors() {
    let limits = Limits::default();
    for vector in vectors("valid") {
        let id = &vector.id;
        let message =
            DirtyMessage::decode(vector.payload(), &limits).unwrap_or_else(|error| panic!("{id}: {error}"));
        let members = Members::read(vector.payload(), &limits).unwrap();
        assert_eq!(DirtyMessage::check(&members), Ok(message.message_type()), "{id}");
        let again = message.encode();
        assert_eq!(DirtyMessage::decode(&again, &limits).unwrap(), message, "{id}");
        assert_eq!(DirtyMessage::decode(&again, &limits).unwrap().encode(), again, "{id}");
    }
}

#[test]
fn the_decoder_refuses_the_invalid_vectors_and_says_where_and_why() {
    let limits = Limits::default();
    for vector in vectors("invalid") {
        let id = &vector.id;
        let error = DirtyMessage::decode(vector.payload(), &limits).expect_err(id);
        assert_eq!(error.requirement(), vector.requirement, "{id}: {error}");
        assert_eq!(vector.requirement.starts_with("FRAME-"), matches!(error, DecodeError::Frame(_)), "{id}");
        let (pointer, answer_id) = match &error {
            DecodeError::Frame(_) => (String::new(), None),
            DecodeError::Message(error) => (error.pointer.clone(), error.id.as_ref().map(|id| id.as_str())),
        };
        assert_eq!(Some(pointer), vector.pointer, "{id}: {error}");
        assert_eq!(answer_id, vector.answer_id.as_deref(), "{id}: {error}");
        if let (DecodeError::Message(error), Ok(members)) = (error, Members::read(vector.payload(), &limits))
        {
            assert_eq!(DirtyMessage::check(&members), Err(error), "{id}: check and decode disagree");
        }
    }
}

#[test]
fn the_schemas_judge_the_vectors_of_their_layer() {
    let normative = validator("schemas/dirty-v1.schema.json");
    let single: BTreeMap<_, _> = MessageType::ALL
        .map(|kind| (kind.as_str(), validator(&format!("schemas/v1/{kind}.schema.json"))))
        .into();
    for folder in ["valid", "invalid"] {
        for (vector, value) in vectors(folder).into_iter().filter_map(|v| v.value().map(|value| (v, value))) {
            assert_eq!(normative.is_valid(&value), folder == "valid", "{}", vector.id);
            for (kind, validator) in &single {
                let expected = folder == "valid" && value["type"] == *kind;
                assert_eq!(validator.is_valid(&value), expected, "{} as {kind}", vector.id);
            }
        }
    }
}

/// How a member is tried, and what has to become of it.
fn verdict(schema: &Value, property: &Value, required: bool, is_null: bool) -> &'static str {
    let accepted = if is_null {
        let inner = property["$ref"].as_str().map(|at| schema.pointer(&at[1..]).unwrap()).unwrap_or(property);
        let types = inner["type"].as_array().or(inner["anyOf"].as_array());
        types.is_some_and(|types| types.iter().any(|t| t == "null" || t["type"] == "null"))
    } else {
        !required
    };
    if accepted { "valid" } else { "invalid" }
}

#[test]
fn every_member_is_tried_absent_and_null() {
    let schema = schema("schemas/dirty-v1.schema.json");
    let tried: BTreeMap<&str, Vec<Value>> = ["valid", "invalid"]
        .map(|folder| (folder, vectors(folder).iter().filter_map(Vector::value).collect()))
        .into();
    let mut untried = Vec::new();
    let mut expect = |definition: &str, kind: &str, at: &str| {
        let definition = &schema["$defs"][definition];
        let required = definition["required"].as_array();
        for (name, property) in definition["properties"].as_object().unwrap() {
            let is_required = required.is_some_and(|names| names.iter().any(|n| n == name));
            for is_null in [false, true] {
                let folder = verdict(&schema, property, is_required, is_null);
                let found = tried[folder].iter().any(|message| {
                    // Without its type a message is of no type at all.
                    let of_kind = name == "type" && at.is_empty() || message["type"] == kind;
                    let holder = message.pointer(at).and_then(Value::as_object);
                    of_kind && holder.is_some_and(|o| o.get(name) == is_null.then_some(&Value::Null))
                });
                if !found {
                    let how = if is_null { "null" } else { "absent" };
                    untried.push(format!("{kind}{at}/{name} {how} ({folder})"));
                }
            }
        }
    };
    for kind in MessageType::ALL {
        let kind = kind.as_str();
        let mut name = kind.to_owned();
        name[..1].make_ascii_uppercase();
        expect(&format!("{name}Message"), kind, "");
    }
    expect("ErrorObject", "error", "/error");
    expect("ErrorDetails", "error", "/error/details");
    assert!(untried.is_empty(), "no vector for: {untried:#?}");
}
