//! Generates `src/message/generated.rs` from `schemas/dirty-v1.schema.json`.
//!
//! It understands a closed subset of JSON Schema 2020-12 and refuses, with its place, whatever it does not know:
//! a rule that is silently left out of the types would be a rule that nobody checks.

mod emit;
mod members;
mod model;
mod node;
mod standalone;
mod values;

pub use model::Model;
pub use node::Refused;
pub use standalone::standalone;

const HEADER: &str = "\
// @generated from schemas/dirty-v1.schema.json by tests/generator. Do not edit:
// change the schema, then run `UPDATE=1 cargo test --test suite generated`.

";

/// The Rust source of the types that `schema` describes.
pub fn generate(schema: &serde_json::Value) -> Result<String, Refused> {
    let model = Model::read(schema)?;
    // What `quote` puts together from a model is a Rust file; a failure is a bug of the generator.
    let file = syn::parse2(emit::file(&model)).expect("failed to parse the generated tokens");
    let source = prettyplease::unparse(&file).replace("\n}\n", "\n}\n\n").replacen("\n///", "\n\n///", 1);
    Ok(format!("{HEADER}{}\n", source.trim_end()))
}
