//! What is measured: a relay, or none, in front of the same workers.

use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{cpu, echo_worker, floor};

/// How the arbiter of this build is named.
pub const OURS: &str = "ours";
const WORKERS: usize = 2;
const BOOT: Duration = Duration::from_secs(20);

/// Which process runs where.
#[derive(Clone, Copy, PartialEq)]
pub enum Placement {
    /// The relay on one processor, the workers and the load on another.
    Apart,
    /// All on one processor: no wake-up crosses to another, what remains is work.
    Together,
    /// The kernel chooses.
    Free,
}

impl Placement {
    pub fn relay(self) -> Option<usize> {
        match self {
            Self::Apart => Some(0),
            Self::Together => Some(1),
            Self::Free => None,
        }
    }

    /// Where the workers and the load are.
    pub fn others(self) -> Option<usize> {
        (self != Self::Free).then_some(1)
    }
}

/// What answers the load.
#[derive(Clone, PartialEq)]
pub enum Subject {
    /// No relay: the load goes to the workers.
    Direct,
    /// The leanest relay.
    Floor,
    /// gunicorn's arbiter, run by a Python that has it.
    Gunicorn { python: PathBuf },
    /// `dirty serve`, of this build or another.
    Dirty { name: String, program: PathBuf },
}

impl Subject {
    pub fn name(&self) -> &str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Gunicorn { .. } => "gunicorn",
            Self::Dirty { name, .. } => name,
        }
    }
}

/// A process that ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A subject at work.
pub struct Running {
    relay: Option<Process>,
    /// The relay, where it is a child of the process that was started.
    inner: Option<u32>,
    _workers: Vec<Process>,
    pub sockets: Vec<PathBuf>,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Before its workers: it would replace them.
        if let Some(process) = self.inner.and_then(|process| i32::try_from(process).ok()) {
            // One that has ended already is as good.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
}

impl Running {
    /// The process of the relay, if there is one.
    pub fn relay(&self) -> Option<u32> {
        self.inner.or_else(|| self.relay.as_ref().map(|process| process.0.id()))
    }

    pub fn start(subject: &Subject, placement: Placement) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut workers = Vec::new();
        let mut sockets = Vec::new();
        if matches!(subject, Subject::Direct | Subject::Floor) {
            for number in 0..WORKERS {
                let socket = folder.path().join(format!("w{number}.sock"));
                let mut command = role(placement.others())?;
                command.arg("worker").env("DIRTY_WORKER_SOCKET", &socket);
                workers.push(spawn(&mut command)?);
                sockets.push(socket);
            }
            sockets.iter().try_for_each(|socket| listens(socket))?;
        }
        let front = folder.path().join("d.sock");
        let relay_processor = placement.relay();
        let mut inner = None;
        let relay = match subject {
            Subject::Direct => None,
            Subject::Floor => {
                let mut command = role(relay_processor)?;
                command.arg("floor").arg(&front).args(&sockets);
                Some(spawn(&mut command)?)
            }
            Subject::Gunicorn { python } => {
                let mut command = role(relay_processor)?;
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/gunicorn_arbiter.py");
                command.arg("exec").arg(python).arg("-B").arg(script).arg(&front).arg(WORKERS.to_string());
                command.arg(std::env::current_exe()?);
                if let Some(processor) = placement.others() {
                    command.args(["--on", &processor.to_string()]);
                }
                command.arg("worker").env("TMPDIR", folder.path());
                let mut process = spawn(command.stdout(Stdio::piped()))?;
                inner = Some(printed_number(&mut process)?);
                Some(process)
            }
            Subject::Dirty { program, .. } => {
                let mut command = role(relay_processor)?;
                let own = std::env::current_exe()?;
                let place =
                    placement.others().map_or(String::new(), |processor| format!(" --on {processor}"));
                command.arg("exec").arg(program).args([
                    "serve",
                    "--app",
                    "bench:App",
                    "--log-level",
                    "error",
                ]);
                command.args(["--workers", &WORKERS.to_string(), "--socket"]).arg(&front);
                command.arg("--worker-command").arg(format!("{}{place} worker", own.display()));
                Some(spawn(&mut command)?)
            }
        };
        if relay.is_some() {
            listens(&front)?;
            sockets = vec![front];
        }
        Ok(Self { relay, inner, _workers: workers, sockets, _folder: folder })
    }
}

/// This program in another role.
pub fn role(processor: Option<usize>) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdout(Stdio::null());
    if let Some(processor) = processor {
        command.args(["--on", &processor.to_string()]);
    }
    Ok(command)
}

fn spawn(command: &mut Command) -> io::Result<Process> {
    // Standard input is the lifeline: a worker ends when whoever started it does.
    command.stdin(Stdio::piped()).spawn().map(Process)
}

/// The number on the first line that a process prints.
fn printed_number(process: &mut Process) -> io::Result<u32> {
    let mut line = String::new();
    if let Some(output) = process.0.stdout.as_mut() {
        BufReader::new(output).read_line(&mut line)?;
    }
    line.trim().parse().map_err(|_| io::Error::other(format!("expected a process id, found {line:?}")))
}

fn listens(socket: &Path) -> io::Result<()> {
    let deadline = Instant::now() + BOOT;
    while let Err(error) = UnixStream::connect(socket) {
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("failed to connect to {}: {error}", socket.display())));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// What a process of the benchmark does, if its arguments give it a role; `None` for the command itself.
pub fn play(arguments: &[String]) -> Option<io::Result<()>> {
    let arguments = match arguments {
        [on, processor, rest @ ..] if on == "--on" => {
            if let Err(error) = cpu::stay_on(processor.parse().ok()?) {
                return Some(Err(error));
            }
            rest
        }
        all => all,
    };
    match arguments {
        [role] if role == "worker" => Some(match std::env::var_os("DIRTY_WORKER_SOCKET") {
            Some(socket) => echo_worker::run(Path::new(&socket)),
            None => Err(io::Error::other("DIRTY_WORKER_SOCKET is not set")),
        }),
        [role, listen, workers @ ..] if role == "floor" => Some(floor::run(Path::new(listen), workers)),
        [role, program, rest @ ..] if role == "exec" => Some(Err(Command::new(program).args(rest).exec())),
        [role, scenario, seconds, sockets @ ..] if role == "load" => {
            Some(crate::measuring::load_role(scenario, seconds, sockets))
        }
        _ => None,
    }
}
