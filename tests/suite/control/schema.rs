//! The schema of the control messages: normative, derived, and the part that it shares with the call socket's.

use std::path::Path;

use dirty_arbiter::control::derived_schema;
use serde_json::{Value, json};

use crate::generated;
use crate::schema_loop::structure::normalise;

pub fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/control-v1.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A validator of one definition.
pub fn validator(definition: &str) -> jsonschema::Validator {
    let mut schema = schema();
    let members = schema.as_object_mut().unwrap();
    members.remove("oneOf");
    members.insert("$ref".into(), json!(format!("#/$defs/{definition}")));
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_rust_types_imply_the_normative_schema() {
    let normative = normalise(&schema());
    let derived = normalise(derived_schema().as_value());
    similar_asserts::assert_eq!(
        normative: serde_json::to_string_pretty(&normative).unwrap(),
        derived: serde_json::to_string_pretty(&derived).unwrap()
    );
}

#[test]
fn what_both_sockets_know_is_described_in_the_same_words() {
    let (control, call) = (schema(), generated::schema());
    let mut shared = Vec::new();
    for (name, definition) in control["$defs"].as_object().unwrap() {
        // The control socket's response says what its result is.
        if let Some(other) = call["$defs"].get(name).filter(|_| name != "ResponseMessage") {
            similar_asserts::assert_eq!(definition, other, "{name}");
            shared.push(name.as_str());
        }
    }
    assert!(shared.contains(&"ErrorMessage") && shared.contains(&"ErrorDetails"), "{shared:?}");
}

#[test]
fn every_definition_has_its_key_as_title_and_every_member_a_description() {
    let schema = schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert_eq!(definition["title"], name.as_str());
        assert!(definition["description"].is_string(), "{name}");
        for (member, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}/{member}");
        }
        for member in definition["required"].as_array().into_iter().flatten() {
            assert!(definition["properties"].get(member.as_str().unwrap()).is_some(), "{name}/{member}");
        }
    }
}
