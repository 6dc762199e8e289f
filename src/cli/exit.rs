//! Exit codes: what a script may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The command ran and its answer is no.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The arbiter, or the subject of a check, could not be reached or run.
    Unreachable = 3,
    /// A deadline passed.
    Timeout = 4,
    /// The queue is full.
    Overloaded = 5,
    /// The app raised.
    App = 6,
    /// The configuration is wrong (LIFE-10); `EX_CONFIG` of sysexits.h, so that a supervisor need not try again.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
