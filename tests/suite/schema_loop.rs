//! The loop closes: the schema derived from the Rust types, the normative schema and the decoder agree.

mod derived;
mod messages;
mod mutations;
mod near_misses;
pub mod structure;
