//! A real gunicorn server, started as its users start one.

use std::path::Path;
use std::process::Command;

use super::driver::{Version, folder};
use super::running::Running;

/// A running gunicorn.
pub struct Gunicorn {
    running: Running,
    /// Where it serves HTTP, as "host:port".
    pub http: String,
}

impl Gunicorn {
    /// Starts gunicorn on a free port, with these flags besides. What it leaves in the file system goes to `scratch`:
    /// two gunicorns that share a temporary folder kill each other's arbiters.
    pub fn start(version: Version, scratch: &Path, flags: &[&str]) -> Gunicorn {
        let mut command: Command = version.python().command();
        command.args([
            "-m",
            "gunicorn",
            "--bind",
            "127.0.0.1:0",
            "--worker-class",
            "sync",
            "--graceful-timeout",
            "5",
        ]);
        command.arg("--config").arg(folder().join("gunicorn_settings.py")).arg("--chdir").arg(folder());
        command.args(flags).arg("web:app").env("TMPDIR", scratch).env_remove("GUNICORN_CMD_ARGS");
        let mut running = Running::start("gunicorn", &mut command);
        let http =
            running.wait_for("its port", |line| line.strip_prefix("serving HTTP on ").map(str::to_owned));
        Gunicorn { running, http }
    }

    /// Shows the lines of its log, from the first, to `found` until that returns something.
    pub fn wait_for<T>(&mut self, what: &str, found: impl FnMut(&str) -> Option<T>) -> T {
        self.running.wait_for(what, found)
    }

    /// Ends it the graceful way.
    pub fn stop(self) {
        let ended = self.running.stop();
        assert!(ended.status.success(), "gunicorn ended with {}\n{}", ended.status, ended.printed.join("\n"));
    }
}
