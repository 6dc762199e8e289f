//! Why a replay failed.

use std::time::Duration;

use super::matcher::Mismatch;
use crate::wire::FrameError;

/// Where a replay failed, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("step {step} ({on}): {problem}")]
pub struct Failure {
    /// The step, from 1.
    pub step: usize,
    /// The label of its connection or client.
    pub on: String,
    /// Why.
    pub problem: Problem,
}

/// The ways in which a replay fails.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Another message than the one that was due.
    #[error("another message than expected, {0}")]
    Mismatch(Mismatch),
    /// A message that is none of those that were due in any order.
    #[error("a message that none of the {waiting} expected ones matches; against the first, {closest}")]
    Unmatched {
        /// How many were still due.
        waiting: usize,
        /// How it departs from the first of them.
        closest: Mismatch,
    },
    /// Nothing came in time.
    #[error("no whole message within {} ms: got {got} bytes, expected {wanted}", within.as_millis())]
    Silent {
        /// How long it was waited for.
        within: Duration,
        /// Bytes of an unfinished frame.
        got: usize,
        /// What was due.
        wanted: String,
    },
    /// The connection ended instead.
    #[error("the connection ended: expected {wanted}")]
    Ended {
        /// What was due.
        wanted: String,
    },
    /// The connection ended inside a frame, or carried something that is no frame.
    #[error("{error}: expected {wanted}")]
    BadFrame {
        /// What is wrong with it.
        error: FrameError,
        /// What was due.
        wanted: String,
    },
    /// The message breaks the schema, or may not be sent by its sender.
    #[error("a message that breaks the schema, {problem} ({requirement})")]
    BadMessage {
        /// What is wrong with it, and where.
        problem: String,
        /// The JSON pointer to it.
        pointer: String,
        /// The requirement that it breaks.
        requirement: String,
    },
    /// Other bytes than those that were due.
    #[error("other bytes than expected, at byte {offset}: wanted {wanted:02x}, got {got:02x}")]
    OtherBytes {
        /// The offset of the first that differs.
        offset: u64,
        /// The byte that was due.
        wanted: u8,
        /// The byte that came.
        got: u8,
    },
    /// Bytes where there should be none.
    #[error("{got} came: expected {wanted}")]
    Unexpected {
        /// What came.
        got: String,
        /// What was due.
        wanted: String,
    },
    /// The connection did not end.
    #[error("the connection is still open after {} ms: expected it to end", within.as_millis())]
    StillOpen {
        /// How long it was waited for.
        within: Duration,
    },
    /// The subject could not be connected to.
    #[error("no connection to the subject: {0}")]
    Connect(String),
    /// The client under test did not connect.
    #[error("the client did not connect within {} ms", within.as_millis())]
    NoConnection {
        /// How long it was waited for.
        within: Duration,
    },
    /// What the caller of a client saw is not what was due.
    #[error("the caller of the client saw {got}: expected {wanted}")]
    Api {
        /// What was due.
        wanted: String,
        /// What it saw.
        got: String,
        /// Where they differ, when they are of the same kind.
        mismatch: Option<Mismatch>,
    },
    /// The caller of a client saw nothing.
    #[error("the caller of the client saw nothing within {} ms: expected {wanted}", within.as_millis())]
    ApiSilent {
        /// How long it was waited for.
        within: Duration,
        /// What was due.
        wanted: String,
    },
    /// The message came on another connection than the one that it belongs on.
    #[error(
        "a message on another connection than {on}, which the client has opened besides, {got}: expected {wanted}"
    )]
    OtherConnection {
        /// The connection that it belongs on.
        on: String,
        /// The message.
        got: String,
        /// What was due.
        wanted: String,
    },
    /// The adapter of the client under test ended, or closed its standard output, before the transcript did.
    #[error("the adapter {}{}: expected it to go on until its standard input ends", ended(status.as_deref()), words(said))]
    AdapterEnded {
        /// How it ended; nothing when it is still there, without a standard output.
        status: Option<String>,
        /// The last of what it wrote on standard error.
        said: String,
    },
    /// The adapter wrote something that is no line of the contract.
    #[error(
        "the adapter wrote {line:?} on its standard output, {problem}: expected an event of a call (golden/adapters.md)"
    )]
    BadLine {
        /// What it wrote.
        line: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The adapter wrote more lines than any transcript asks for.
    #[error(
        "the adapter wrote more than {lines} lines on its standard output: expected one for each event of a call"
    )]
    Flood {
        /// How many are allowed.
        lines: u64,
    },
    /// The client lacks a feature that the transcript needs; it is to be skipped.
    #[error("the client does not support {0}")]
    Unsupported(String),
    /// The client under test could not be driven.
    #[error("the client could not be driven: {0}")]
    Driver(String),
    /// The transcript or the kit is at fault, not the subject.
    #[error("the transcript is at fault, not the subject: {0}")]
    Ours(String),
}

fn ended(status: Option<&str>) -> String {
    match status {
        Some(status) => format!("ended ({status}) before the transcript did"),
        None => "closed its standard output before the transcript ended".to_string(),
    }
}

fn words(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(", the last of its standard error: {said}") }
}

impl Problem {
    /// The JSON pointer to what differs, when it has one.
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Problem::Mismatch(mismatch) | Problem::Unmatched { closest: mismatch, .. } => {
                Some(mismatch.pointer.as_str())
            }
            Problem::Api { mismatch, .. } => mismatch.as_ref().map(|mismatch| mismatch.pointer.as_str()),
            Problem::BadMessage { pointer, .. } => Some(pointer),
            _ => None,
        }
    }

    /// What was wanted and what was got, when a message was compared.
    pub fn mismatch(&self) -> Option<&Mismatch> {
        match self {
            Problem::Mismatch(mismatch) | Problem::Unmatched { closest: mismatch, .. } => Some(mismatch),
            Problem::Api { mismatch, .. } => mismatch.as_ref(),
            _ => None,
        }
    }

    /// The requirement that is broken whatever the transcript is about.
    pub fn requirement(&self) -> Option<&str> {
        match self {
            Problem::BadMessage { requirement, .. } => Some(requirement),
            Problem::BadFrame { error, .. } => Some(error.requirement()),
            _ => None,
        }
    }

    /// Whether nothing came in all the time that it was waited for.
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Problem::Silent { got: 0, .. }
                | Problem::StillOpen { .. }
                | Problem::NoConnection { .. }
                | Problem::ApiSilent { .. }
        )
    }

    /// Whether the subject is to blame.
    pub fn blames_subject(&self) -> bool {
        !matches!(self, Problem::Ours(_) | Problem::Driver(_))
    }
}
