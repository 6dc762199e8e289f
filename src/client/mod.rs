//! Clients: call actions of apps behind an arbiter, one result or a stream of items at a time.
//!
//! - [`Client`] is async, on tokio (feature `client`).
//! - [`blocking::Client`] needs no runtime, only threads (feature `blocking`).
//!
//! Both have the same surface, share all rules of the protocol ([`mux`]), and multiplex any number of calls on one
//! connection. Arguments and results go through serde; `serde_json::value::RawValue` gives and takes JSON text as it is.

mod args;
mod call;
mod exchange;
mod failure;
mod inbox;
mod intake;
pub mod mux;
mod options;
mod outbox;

#[cfg(feature = "client")]
mod aio;
#[cfg(feature = "blocking")]
pub mod blocking;

#[cfg(feature = "client")]
pub use aio::{Client, Stream};
pub use args::Args;
pub use call::Call;
pub use options::ClientOptions;

pub use crate::values::{AnyValue, Bytes};

/// How long to wait for an arbiter that does not accept connections because its backlog is full. It is over in an instant,
/// or something is wrong.
const CONNECT_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// How many connections are tried in turn for one request, as long as nothing of it has been sent. A connection is given
/// up when the first write on it fails: it died while nobody looked.
const ATTEMPTS: usize = 3;
