//! The vectors of the control socket, judged by the decoder and by the schema.

use std::collections::BTreeSet;
use std::path::Path;

use dirty_arbiter::control::{ControlRequest, LIMITS, ManageResult, PoolStatus};
use dirty_arbiter::message::{DecodeError, DirtyMessage};
use dirty_arbiter::wire::Limits;
use serde_json::Value;

use super::schema::{schema, validator};

/// The vectors of one folder: their ids, and what they are.
fn vectors(folder: &str) -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join("schemas/vectors/control").join(folder)).unwrap();
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let vector = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), vector)
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

fn payload(vector: &Value) -> String {
    vector["text"].as_str().map_or_else(|| vector["message"].to_string(), str::to_owned)
}

fn is_answer(vector: &Value) -> bool {
    vector["message"]["type"] == "response" || vector["message"]["type"] == "error"
}

#[test]
fn vectors_are_well_formed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path| -> Value { serde_json::from_str(&std::fs::read_to_string(root.join(path)).unwrap()).unwrap() };
    let rules = jsonschema::validator_for(&read("schemas/vector.schema.json")).unwrap();
    let registry = read("spec/requirements.json");
    let known: BTreeSet<&str> =
        registry["requirements"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for folder in ["valid", "invalid"] {
        for (name, vector) in vectors(folder) {
            rules.validate(&vector).unwrap_or_else(|error| panic!("{folder}/{name}: {error}"));
            assert_eq!(vector["id"], name.as_str());
            assert_eq!(vector["socket"], "control", "{name}");
            assert_eq!(vector.get("reason").is_some(), folder == "invalid", "{name}");
            assert!(known.contains(vector["requirement"].as_str().unwrap()), "{name}: unknown requirement");
            assert!(ids.insert(name.clone()), "{name} is in both folders");
        }
    }
    assert!(ids.len() > 50, "{}", ids.len());
}

#[test]
fn the_decoder_reads_the_valid_vectors() {
    for (name, vector) in vectors("valid") {
        let payload = payload(&vector);
        if is_answer(&vector) {
            let answer = DirtyMessage::decode(payload.as_bytes(), &Limits::default()).unwrap();
            let DirtyMessage::Response(response) = answer else { continue };
            // What comes back is what was sent: no member is forgotten.
            let result = match vector["message"]["result"].get("arbiter") {
                Some(_) => {
                    serde_json::to_value(serde_json::from_str::<PoolStatus>(response.result.get()).unwrap())
                }
                None => {
                    serde_json::to_value(serde_json::from_str::<ManageResult>(response.result.get()).unwrap())
                }
            };
            let result = result.unwrap();
            assert!(
                validator("ResponseMessage")
                    .is_valid(&serde_json::json!({ "type": "response", "id": "1", "result": result }))
            );
            assert_eq!(same_numbers(&result), same_numbers(&vector["message"]["result"]), "{name}");
            continue;
        }
        let decode = |payload: &[u8]| ControlRequest::decode(payload, &LIMITS);
        let request = decode(payload.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decode(&request.encode()).unwrap(), request, "{name}");
    }
}

/// The value with every number as a double: 3 and 3.0 are the same time.
fn same_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(same_numbers).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), same_numbers(value))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn the_decoder_refuses_the_invalid_vectors_and_says_where_and_why() {
    for (name, vector) in vectors("invalid") {
        let error = ControlRequest::decode(payload(&vector).as_bytes(), &LIMITS).expect_err(&name);
        assert_eq!(error.requirement(), vector["requirement"], "{name}: {error}");
        let (pointer, answer_id) = match &error {
            DecodeError::Frame(_) => (String::new(), None),
            DecodeError::Message(error) => (error.pointer.clone(), error.id.as_ref().map(|id| id.as_str())),
        };
        assert_eq!(vector["pointer"], pointer, "{name}: {error}");
        assert_eq!(vector["answer_id"].as_str(), answer_id, "{name}: {error}");
    }
}

#[test]
fn the_schema_judges_the_vectors_of_its_layer() {
    let root = jsonschema::validator_for(&schema()).unwrap();
    for folder in ["valid", "invalid"] {
        for (name, vector) in vectors(folder) {
            if vector["layer"] == "schema" {
                assert_eq!(root.is_valid(&vector["message"]), folder == "valid", "{name}");
            }
        }
    }
}

#[test]
fn every_member_of_a_request_is_tried_absent_and_null() {
    let schema = schema();
    for (definition, kind) in [("StatusMessage", "status"), ("ManageMessage", "manage")] {
        for name in schema["$defs"][definition]["properties"].as_object().unwrap().keys() {
            for absent in [true, false] {
                let is_tried = ["valid", "invalid"].into_iter().flat_map(vectors).any(|(_, vector)| {
                    let message = &vector["message"];
                    let of_kind = message["type"] == kind || name == "type";
                    let found = message.get(name);
                    of_kind
                        && message.is_object()
                        && if absent { found.is_none() } else { found == Some(&Value::Null) }
                });
                assert!(is_tried, "{kind}/{name} {}", if absent { "absent" } else { "null" });
            }
        }
    }
}
