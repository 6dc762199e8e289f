//! The generated files are what the schema says now, and the generator refuses what it does not understand.

use std::path::{Path, PathBuf};

use crate::generator;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    let text = std::fs::read_to_string(root().join("schemas/dirty-v1.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Compares a file with what it should be; with `UPDATE=1` writes it instead.
fn same(path: PathBuf, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(found: found, expected: expected, "{} is stale: run with UPDATE=1", path.display());
}

#[test]
fn the_message_types_are_generated_from_the_schema() {
    let source = generator::generate(&schema()).unwrap_or_else(|refused| panic!("{refused}"));
    same(root().join("src/message/generated.rs"), &source);
}
