//! Keeps a worker process from executing its command before `dirty_post_fork` has ended.

use std::ffi::OsString;

/// Takes exactly one line from the lifeline, as POSIX demands of `read`, and then becomes the command: the process and its
/// number are the same, and what is written to the lifeline after the line is the command's. If the arbiter dies first,
/// the lifeline ends and so does the process.
const GATE: &str = r#"IFS= read -r _ || exit 1; exec "$@""#;

/// The same command behind a gate, which a newline on its standard input opens.
pub(in crate::arbiter) fn gated(command: &[OsString]) -> Vec<OsString> {
    let gate = ["/bin/sh", "-c", GATE, "dirty-worker"].map(OsString::from);
    gate.into_iter().chain(command.iter().cloned()).collect()
}
