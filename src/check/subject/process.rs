//! A child process with its group, its private directory and what it wrote; all of it ends with the value.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::SubjectError;

/// How long a subject may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of its standard error is shown, in lines.
const LAST_LINES: usize = 8;

/// The process groups that are alive, with their directories: for an end in a hurry.
static LIVE: Mutex<Live> = Mutex::new(Live { groups: BTreeMap::new(), files: Vec::new(), over: false });

struct Live {
    groups: BTreeMap<i32, PathBuf>,
    /// Files that are to be removed.
    files: Vec<PathBuf>,
    /// Nothing may be started any more.
    over: bool,
}

fn live() -> MutexGuard<'static, Live> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has [`exit_with_all`] remove a file too.
pub(in crate::check) fn remove_at_exit(file: &Path) {
    let mut live = live();
    if !live.files.iter().any(|it| it == file) {
        live.files.push(file.to_owned());
    }
}

/// Kills every subject that this process has started, removes their directories, and ends this process. None is
/// started and none is waited for any more, whatever other threads are doing.
pub fn exit_with_all(code: i32) -> ! {
    let mut live = live();
    live.over = true;
    for (group, directory) in std::mem::take(&mut live.groups) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        let _ = std::fs::remove_dir_all(directory);
    }
    for file in std::mem::take(&mut live.files) {
        let _ = std::fs::remove_file(file);
    }
    // The lock is held until the end: whoever sees a subject die waits here instead of reporting it.
    std::process::exit(code)
}

/// A child process, leader of its own group.
#[derive(Debug)]
pub(in crate::check) struct Process {
    child: Child,
    name: String,
    /// Open as long as it shall live: its end is the end of a worker.
    lifeline: Option<ChildStdin>,
    pub(in crate::check) stdout: Option<ChildStdout>,
    directory: TempDir,
}

/// Spawns on a thread that never ends. A worker may have asked to die with its parent, and to Linux that is the thread
/// that made it.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, incoming) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in incoming {
                // Whoever asked waits for the answer.
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    let gone = |_| io::Error::other("the thread that starts processes has ended");
    spawner.send((command, reply)).map_err(|_| gone(mpsc::RecvError))?;
    answer.recv().map_err(gone)?
}

impl Process {
    /// Starts `command` in a group of its own. Standard error goes to a file in `directory`; standard output too,
    /// unless it is `piped`.
    pub(in crate::check) fn start(
        mut command: Command,
        directory: TempDir,
        piped: bool,
    ) -> Result<Process, SubjectError> {
        let system = |action| move |source| SubjectError::System { action, source };
        let output =
            File::create(directory.path().join("output")).map_err(system("make a file for its output"))?;
        let copy = output.try_clone().map_err(system("make a file for its output"))?;
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stderr(output).process_group(0);
        command.stdout(if piped { Stdio::piped() } else { copy.into() });
        // Held until the child is in the list, so that no end in a hurry can miss it.
        let mut live = live();
        let spawned = if live.over { Err(io::Error::other("interrupted")) } else { spawn(command) };
        let mut child = spawned.map_err(|source| SubjectError::Spawn { program: name.clone(), source })?;
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take();
        let process = Process { child, name, lifeline, stdout, directory };
        live.groups.insert(process.group().as_raw(), process.directory.path().to_owned());
        drop(live);
        Ok(process)
    }

    fn group(&self) -> Pid {
        // Process ids are positive and far below the limit of an i32.
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Whether it has not ended. It is not reaped, so that its group id stays its own.
    pub(in crate::check) fn is_alive(&mut self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        matches!(waitid(Id::Pid(self.group()), flags), Ok(WaitStatus::StillAlive))
    }

    /// The last lines that it wrote.
    pub(in crate::check) fn last_words(&self) -> String {
        let text = std::fs::read(self.directory.path().join("output")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// The last lines that it wrote, as the end of an error message.
    fn said(&self) -> String {
        match self.last_words() {
            words if words.is_empty() => "; it wrote nothing on standard error".to_string(),
            words => format!("; the last of its standard error:\n{words}"),
        }
    }

    /// It has ended, or it will at once: says so.
    pub(in crate::check) fn ended(mut self, expected: &'static str) -> SubjectError {
        self.wait_for_end(Duration::from_secs(1));
        let said = self.said();
        let _ = killpg(self.group(), Signal::SIGKILL);
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        SubjectError::Ended { program: self.name.clone(), status, expected, said }
    }

    /// It has not become ready in time.
    pub(in crate::check) fn slow(self, time: Duration, expected: &'static str) -> SubjectError {
        let said = self.said();
        SubjectError::Slow { program: self.name.clone(), seconds: time.as_secs(), expected, said }
    }

    /// It has written something unexpected.
    pub(in crate::check) fn odd(self, line: String, expected: &'static str) -> SubjectError {
        let said = self.said();
        SubjectError::Odd { program: self.name.clone(), line, expected, said }
    }

    /// Its standard input, for who writes to it: it is no lifeline any more.
    pub(in crate::check) fn stdin(&mut self) -> Option<ChildStdin> {
        self.lifeline.take()
    }

    /// How it has ended, if it has or does so within `time`.
    pub(in crate::check) fn status_within(&mut self, time: Duration) -> Option<String> {
        self.wait_for_end(time);
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.group()), flags) {
            Ok(WaitStatus::Exited(_, code)) => Some(format!("exit status: {code}")),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("signal: {signal}")),
            _ => None,
        }
    }

    /// Gives it so long to end by itself, and kills what is left of its group.
    pub(in crate::check) fn end_within(&mut self, time: Duration) {
        self.wait_for_end(time);
        let _ = killpg(self.group(), Signal::SIGKILL);
        self.wait_for_end(PATIENCE);
    }

    fn wait_for_end(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.is_alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = self.group();
        if self.is_alive() {
            let _ = killpg(group, Signal::SIGTERM);
            drop(self.lifeline.take());
            self.wait_for_end(PATIENCE);
        }
        // Whatever the leader has left behind in its group; the leader itself, if it would not listen.
        let _ = killpg(group, Signal::SIGKILL);
        let _: io::Result<_> = self.child.wait();
        live().groups.remove(&group.as_raw());
    }
}
