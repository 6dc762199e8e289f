//! The conformance kit: golden transcripts, the matcher, the replayer, and reports.
//!
//! A transcript (`golden/README.md`) is one conversation over real sockets, written down as data. [`corpus`] holds
//! those that are part of the crate, [`replay`] plays one against a subject (an arbiter, a worker or a client)
//! and gives an [`Outcome`](replay::Outcome) with a timed [trace], [`run`] plays many, and [`report`] says which
//! requirements the subject meets.

pub mod adapter;
pub mod baseline;
pub mod blame;
pub mod client;
pub mod corpus;
pub mod coverage;
pub mod delivery;
pub mod departure;
pub mod drivers;
pub mod explain;
pub mod failure;
mod fields;
pub mod layout;
mod link;
pub mod lint;
pub mod matcher;
pub mod number;
mod parse;
pub mod promote;
pub mod proxy;
mod read;
pub mod recorder;
pub mod replay;
pub mod report;
pub mod requirements;
pub mod run;
pub mod sabotage;
pub mod spelling;
pub mod subject;
pub mod template;
pub mod trace;
pub mod trace_file;
pub mod transcript;
pub mod validate;
pub mod value;

pub use fields::{FileError, place};
