//! The generated files are what the schema says now, and the generator refuses what it does not understand.

use std::path::{Path, PathBuf};

use dirty_arbiter::message::MessageType;
use serde_json::{Value, json};

use crate::generator;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A JSON file of the repository.
fn read(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

pub fn schema() -> Value {
    read("schemas/dirty-v1.schema.json")
}

/// Compares a file with what it should be; with `UPDATE=1` writes it instead.
fn same(path: PathBuf, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let name = path.display();
    similar_asserts::assert_eq!(found: found, expected: expected, "{name} is stale: run with UPDATE=1");
}

#[test]
fn the_message_types_are_generated_from_the_schema() {
    let source = generator::generate(&schema()).unwrap_or_else(|refused| panic!("{refused}"));
    same(root().join("src/message/generated.rs"), &source);
}

#[test]
fn the_schemas_of_single_messages_are_cut_from_the_normative_one() {
    let messages = generator::standalone(&schema());
    let names: Vec<_> = messages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, MessageType::ALL.map(MessageType::as_str));
    for (name, schema) in &messages {
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        same(root().join(format!("schemas/v1/{name}.schema.json")), &text);
    }
    let files = std::fs::read_dir(root().join("schemas/v1")).unwrap().count();
    assert_eq!(files, messages.len(), "schemas/v1 has a file that no message type owns");
}

#[test]
fn the_protocol_table_agrees_with_the_schema_and_the_types() {
    let protocol = read("schemas/protocol.json");
    let rules = jsonschema::validator_for(&read("schemas/protocol.schema.json")).unwrap();
    rules.validate(&protocol).unwrap_or_else(|error| panic!("{error} at {}", error.instance_path()));
    let types = protocol["types"].as_object().unwrap();
    let names: Vec<_> = types.keys().map(String::as_str).collect();
    assert_eq!(names, MessageType::ALL.map(MessageType::as_str));
    let schema = schema();
    for kind in MessageType::ALL {
        let row = &types[kind.as_str()];
        let definition = &schema["$defs"][row["definition"].as_str().unwrap()];
        assert_eq!(definition["properties"]["type"]["const"], kind.as_str());
        let mut senders: Vec<_> =
            row["hops"].as_array().unwrap().iter().map(|hop| hop["from"].as_str().unwrap()).collect();
        let mut expected: Vec<_> = kind.senders().iter().map(|role| role.as_str()).collect();
        senders.sort_unstable();
        expected.sort_unstable();
        assert_eq!(senders, expected, "{kind}");
        assert_eq!(row["terminal"], kind.is_terminal(), "{kind}");
        for before in row["follows"].as_array().unwrap() {
            let before = &types[before.as_str().unwrap()];
            assert_eq!(before["terminal"], false, "{kind} follows a message that ends its request");
        }
    }
}

/// Changes one value of the normative schema and says where and why the generator refuses the result.
fn refusal(pointer: &str, change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut schema = schema();
    change(schema.pointer_mut(pointer).unwrap());
    let refused = generator::generate(&schema).expect_err("a change to the schema went unnoticed");
    (refused.pointer, refused.reason)
}

#[test]
fn keywords_that_the_generator_does_not_know_are_refused() {
    for (pointer, keyword, value) in [
        ("", "anyOf", json!([])),
        ("/$defs/RequestMessage", "additionalProperties", json!(false)),
        ("/$defs/RequestMessage", "minProperties", json!(1)),
        ("/$defs/RequestMessage", "dependentRequired", json!({ "hints": ["accept_hints"] })),
        ("/$defs/RequestMessage/properties/id", "maxLength", json!(5)),
        ("/$defs/RequestMessage/properties/type", "enum", json!(["request"])),
        ("/$defs/RequestMessage/properties/args", "minItems", json!(1)),
        ("/$defs/RequestMessage/properties/kwargs", "propertyNames", json!({ "pattern": "^[a-z]+$" })),
        ("/$defs/ErrorMessage/properties/id", "default", json!(null)),
        ("/$defs/ErrorMessage/properties/id/anyOf/0", "not", json!({})),
        ("/$defs/ErrorDetails/properties/signal", "multipleOf", json!(2)),
        ("/$defs/AppPath", "pattern", json!(":")),
        ("/$defs/AppPath", "format", json!("uri")),
        ("/$defs/ErrorType", "maxLength", json!(9)),
        ("/$defs/Hint", "examples", json!(["int"])),
        ("/$defs/Hints", "propertyNames", json!({})),
        ("/$defs/Timeout", "multipleOf", json!(0.5)),
        ("/$defs/JsonValue", "not", json!({ "type": "null" })),
        ("/$defs/JsonValue", "$comment", json!("x")),
        ("/$defs/ErrorDetails", "additionalProperties", json!({ "type": "string" })),
    ] {
        let (place, reason) = refusal(pointer, |part| part[keyword] = value);
        assert_eq!(place, format!("{pointer}/{keyword}"), "{reason}");
    }
}

#[test]
fn shapes_that_the_types_cannot_have_are_refused() {
    let request = "/$defs/RequestMessage/properties";
    for (pointer, value, place) in [
        ("/$schema", json!("http://json-schema.org/draft-07/schema#"), "/$schema"),
        ("/oneOf/0/$ref", json!("#/$defs/Unknown"), "/$defs/RequestMessage"),
        ("/oneOf/0/$ref", json!("other.json"), "/oneOf/0/$ref"),
        ("/$defs/RequestMessage/title", json!("Request"), "/$defs/RequestMessage/title"),
        ("/$defs/RequestMessage/description", json!("No id."), "/$defs/RequestMessage/description"),
        ("/$defs/RequestMessage/required", json!(["typ"]), "/$defs/RequestMessage/required"),
        (&format!("{request}/id/description"), json!("No id."), &format!("{request}/id/description")),
        (&format!("{request}/id/$ref"), json!("#/$defs/Lost"), "/$defs/RequestMessage"),
        (&format!("{request}/args/items/$ref"), json!("#/$defs/Hint"), &format!("{request}/args/items/$ref")),
        (&format!("{request}/args/default"), json!([1]), &format!("{request}/args/default")),
        (&format!("{request}/accept_hints/type"), json!("null"), &format!("{request}/accept_hints/type")),
        (&format!("{request}/timeout"), json!(true), &format!("{request}/timeout")),
        (
            "/$defs/ErrorDetails/properties/signal/maximum",
            json!(64),
            "/$defs/ErrorDetails/properties/signal/type",
        ),
        ("/$defs/JsonValue/type", json!(["null", "string"]), "/$defs/JsonValue/type"),
        ("/$defs/Timeout/type", json!("integer"), "/$defs/Timeout/type"),
        ("/$defs/Timeout/exclusiveMinimum", json!(-1), "/$defs/Timeout/exclusiveMinimum"),
    ] {
        let (refused, reason) = refusal(pointer, |part| *part = value);
        assert_eq!(refused, place, "{reason}");
    }
}

#[test]
fn the_schemas_name_requirements_that_exist() {
    let registry = read("spec/requirements.json");
    let known: Vec<_> =
        registry["requirements"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    let mut named = 0;
    for file in ["dirty-v1", "config", "control-v1", "protocol", "vector"] {
        let text = std::fs::read_to_string(root().join(format!("schemas/{file}.schema.json"))).unwrap();
        for id in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| is_id(word)) {
            assert!(known.contains(&id), "{file} names {id}, which the specification does not have");
            named += 1;
        }
    }
    assert!(named > 80, "only {named} requirements were recognised");
}

/// Whether a word looks like `MSG-7`.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(area, number)| {
        area.len() > 1
            && area.chars().all(|c| c.is_ascii_uppercase())
            && number.parse::<u32>().is_ok()
            && !["RFC", "UTF"].contains(&area)
    })
}
