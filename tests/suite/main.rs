//! The test suite: one module a concept, one binary so that it links once.

mod spec_examples;
mod traceability;
mod wire;
