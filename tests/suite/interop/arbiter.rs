//! `dirty serve`, as a user starts it, on a socket of its own.

use std::path::{Path, PathBuf};

use super::running::Running;
use crate::served::dirty;

/// A running arbiter of ours.
pub struct Arbiter {
    running: Running,
    socket: PathBuf,
}

impl Arbiter {
    /// Starts an arbiter that listens in `folder`, with these flags.
    pub fn start(folder: &Path, flags: &[&str]) -> Arbiter {
        let socket = folder.join("arbiter.sock");
        let mut command = dirty();
        command.arg("serve").arg("--socket").arg(&socket).args(flags);
        let mut running = Running::start("dirty serve", &mut command);
        running.wait_for("its socket", |line| line.strip_prefix("listening on ").map(drop));
        Arbiter { running, socket }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends it the graceful way, which has to work after whatever its clients did to it.
    pub fn stop(self) {
        let ended = self.running.stop();
        assert!(
            ended.status.success(),
            "dirty serve ended with {}\n{}",
            ended.status,
            ended.printed.join("\n")
        );
        assert!(!self.socket.exists(), "dirty serve left its socket behind");
    }
}
