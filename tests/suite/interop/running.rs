//! Programs that a test runs: what they print, how they end, and that none outlives its test.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// How long anything may take that a test waits for. It is only ever waited out by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program and the processes it started.
pub struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
    /// Every line so far, for the message of a failure.
    printed: Vec<String>,
    ended: bool,
}

impl Running {
    /// Starts `command`. Its standard input stays open as long as this lives, so a program that reads it can tell that the
    /// test is gone, however that ended.
    pub fn start(name: &str, command: &mut Command) -> Running {
        let piped =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = piped.spawn().unwrap_or_else(|e| panic!("failed to start {name}: {e}"));
        let (sender, lines) = channel();
        forward(child.stdout.take().unwrap(), sender.clone());
        forward(child.stderr.take().unwrap(), sender);
        Running { name: name.to_owned(), child, lines, printed: Vec::new(), ended: false }
    }

    /// Shows every line so far and to come, on standard output or error, to `found` until that returns something.
    pub fn wait_for<T>(&mut self, what: &str, mut found: impl FnMut(&str) -> Option<T>) -> T {
        if let Some(value) = self.printed.iter().find_map(|line| found(line)) {
            return value;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next_line(deadline).map(|line| found(&line)) {
                Ok(Some(value)) => return value,
                Ok(None) => {}
                Err(why) => panic!("{}: {why:?} while waiting for {what}\n{}", self.name, self.log()),
            }
        }
    }

    /// Sends SIGTERM and waits until the program and everything that holds its output are gone.
    pub fn stop(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    /// Waits until the program and everything that holds its output are gone.
    pub fn finish(mut self) -> Ended {
        self.drain(PATIENCE)
            .unwrap_or_else(|why| panic!("{} does not end: {why:?}\n{}", self.name, self.log()));
        let status = self.child.wait().unwrap();
        self.ended = true;
        Ended { status, printed: std::mem::take(&mut self.printed) }
    }

    fn next_line(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
        self.printed.push(line.clone());
        Ok(line)
    }

    /// Reads on until both outputs are closed.
    fn drain(&mut self, patience: Duration) -> Result<(), RecvTimeoutError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.next_line(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(late) => return Err(late),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let _ = kill(self.pid(), signal);
    }

    fn pid(&self) -> Pid {
        // A process number always fits.
        Pid::from_raw(self.child.id() as i32)
    }

    fn log(&self) -> String {
        self.printed.join("\n")
    }
}

/// A test that failed: whatever it started goes, quickly if it can, at once if it cannot.
impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.signal(Signal::SIGQUIT);
        if self.drain(Duration::from_secs(3)).is_err() {
            let _ = killpg(self.pid(), Signal::SIGKILL);
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} had printed:\n{}", self.name, self.log());
        }
    }
}

/// A program that has ended.
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All it printed, line by line.
    pub printed: Vec<String>,
}

/// Sends the lines of `output` on until it is closed.
fn forward(output: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}
