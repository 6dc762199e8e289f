//! Built-in apps: one to judge arbiters and workers by, and one to look at.

mod demo;
mod fixture;

pub use demo::Llm;
pub use fixture::Fixture;

use crate::worker::Host;

/// The app paths that the `dirty` program serves by itself.
pub const BUILT_IN: &[&str] = &["fixture:App", "demo:LLM"];

/// The host of the `dirty` program: it has the [`BUILT_IN`] apps.
pub fn host() -> Host {
    Host::new().app("fixture:App", Fixture::default).app("demo:LLM", Llm::default)
}
