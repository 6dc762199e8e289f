//! The arbiter.

pub mod core;
