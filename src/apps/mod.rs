//! Built-in apps.

/// The app paths that the `dirty` program serves by itself.
pub const BUILT_IN: &[&str] = &["fixture:App", "demo:LLM"];
