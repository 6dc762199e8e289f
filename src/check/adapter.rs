//! Judging a client that is a program: the kit drives it through an *adapter* (`golden/adapters.md`), which is told
//! on its standard input what to call and writes on its standard output what the caller of the client sees.

mod by_hand;
mod host;
mod line;
mod program;
mod stage;

pub use by_hand::ByHandStage;
pub use host::serve;
pub use stage::ClientStage;

/// The name of the contract, as it stands in every `hello`.
pub const CONTRACT: &str = "dirty-adapter/1";

/// How long an adapter may take to write its `hello`.
pub const HELLO_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
