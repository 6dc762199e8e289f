//! A pool of long-lived, stateful worker processes behind a Unix socket, so that web workers never block on long work.
//!
//! A **client** calls an action of an app with `execute()` or `stream()`; the **arbiter** queues the request and relays it
//! to a free slot of a **worker** process, which keeps its apps, models and caches in memory. The protocol between them is
//! written down in `spec/`, as JSON Schemas in `schemas/`, and as replayable conversations in `golden/`.
//!
//! | module | what it is | feature |
//! |---|---|---|
//! | [`message`] | the protocol's messages, generated from the schema | |
//! | [`wire`] | frames and the strict JSON scan, sans-IO | |
//! | [`values`] | Rust values to payload text and back, through serde, with hints | |
//! | [`error`] | [`DirtyError`], what calls and apps fail with | |
//! | `client` | the async client and, in `client::blocking`, the blocking one | `client`, `blocking` |
//! | `worker` | the `DirtyApp` trait and the worker host | `worker` |
//! | `apps` | the fixture app that judged hosts provide, and a demo | `worker` |
//! | `arbiter` | the arbiter: `arbiter::core` decides, the rest moves bytes and processes | `arbiter` |
//! | `control` | the messages of the control socket, and a client that sends them | `control` |
//! | `check` | transcripts, the matcher, the replayer, reports | `check` |
//! | `transcode` | messages from one codec into the other | `arbiter` |
//! | `discovery` | where the socket is | |
//!
//! The default feature `cli` builds the `dirty` program and all of the above. A client alone needs
//! `default-features = false, features = ["client"]`.

#[cfg(feature = "worker")]
pub mod apps;
#[cfg(feature = "arbiter")]
pub mod arbiter;
#[cfg(feature = "check")]
pub mod check;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(any(feature = "client", feature = "blocking"))]
pub mod client;
#[cfg(feature = "cli")]
mod config;
#[cfg(feature = "control")]
pub mod control;
#[cfg(any(feature = "client", feature = "blocking", feature = "control"))]
pub mod discovery;
pub mod error;
pub mod message;
#[cfg(feature = "arbiter")]
pub mod transcode;
pub mod values;
pub mod wire;
#[cfg(feature = "worker")]
pub mod worker;

pub use error::DirtyError;

/// The README's Rust examples, compiled.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;
