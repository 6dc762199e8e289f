//! The `dirty` command.
fn main() {}
