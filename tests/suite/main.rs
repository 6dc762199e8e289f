//! The integration tests, one module a concept, in one binary: linking is what costs time.

// What a test cannot unwrap is a failure of the test, with a line number.
#![allow(clippy::unwrap_used)]

#[path = "../generator/mod.rs"]
mod generator;

mod generated;
