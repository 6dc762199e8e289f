//! The derived schema and the normative one, compared as structures.

use dirty_arbiter::message::derived_schema;
use serde_json::json;

use super::structure::normalise;
use crate::generated::schema;

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
fn the_comparison_sees_every_rule() {
    let original = normalise(&schema());
    let defs = "/$defs";
    for (pointer, value) in [
        ("/oneOf/5", json!({ "$ref": "#/$defs/EndMessage" })),
        ("/RequestMessage/properties/type/const", json!("Request")),
        ("/RequestMessage/required/0", json!("args")),
        ("/RequestMessage/properties/args/default", json!([1])),
        ("/RequestMessage/properties/args/items", json!({})),
        ("/RequestMessage/properties/accept_hints/type", json!("string")),
        ("/RequestMessage/properties/meta/additionalProperties", json!({ "type": "string" })),
        ("/ErrorMessage/properties/id/anyOf", json!([{ "$ref": "#/$defs/RequestId" }])),
        ("/ErrorDetails/properties/worker_id/maximum", json!(7)),
        ("/ErrorDetails/additionalProperties", json!(false)),
        ("/ErrorType/examples/3", json!("DirtyWorkersError")),
        ("/RequestId/minLength", json!(0)),
        ("/AppPath/maxLength", json!(1023)),
        ("/Timeout/exclusiveMinimum", json!(1)),
        ("/Seconds/maximum", json!(1)),
        ("/Hint/enum/0", json!("base32")),
        ("/JsonValue/type/0", json!("string")),
    ] {
        let mut schema = schema();
        let at = if pointer.starts_with("/oneOf") { pointer.to_owned() } else { format!("{defs}{pointer}") };
        *schema.pointer_mut(&at).unwrap_or_else(|| panic!("no {at}")) = value;
        assert_ne!(normalise(&schema), original, "a change at {at} makes no difference");
    }
}
