//! Hooks that are shell commands.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::{ArbiterInfo, Hook, HookResult, Hooks, WorkerInfo};
use crate::arbiter::core::WorkerExit;
use crate::arbiter::output::Output;
use crate::arbiter::systemd;
use crate::arbiter::worker_process::exit_of;

/// Hooks that are shell commands, at most one each.
///
/// A command is run by `/bin/sh` with its context on standard input, as one JSON object on one line
/// (`schemas/hook.schema.json`), and its name in the environment variable `DIRTY_HOOK`. What it prints goes to the
/// arbiter's log, line by line. It has failed if its exit code is not 0, or if it still runs when its time is over: then
/// it is killed with everything that it has started in its process group.
///
/// ```
/// use std::time::Duration;
/// use dirty_arbiter::arbiter::CommandHooks;
///
/// let hooks = CommandHooks::new()
///     .with_dirty_worker_exit(r#"read -r context; logger "a dirty worker has ended: $context""#)
///     .with_timeout(Duration::from_secs(5));
/// ```
///
/// Clones are handles to the same commands: one that is kept can [replace](Self::replace) those of a running arbiter.
#[derive(Debug, Clone)]
pub struct CommandHooks {
    commands: Arc<Mutex<Commands>>,
    aborted: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Clone)]
struct Commands {
    on_dirty_starting: Option<String>,
    dirty_post_fork: Option<String>,
    dirty_worker_init: Option<String>,
    dirty_worker_exit: Option<String>,
    file: Option<HooksFile>,
    timeout: Duration,
}

/// A file with hooks that are Python functions, and the Python that runs them.
#[derive(Debug, Clone)]
struct HooksFile {
    python: OsString,
    path: PathBuf,
}

impl Default for CommandHooks {
    fn default() -> Self {
        let commands = Commands {
            on_dirty_starting: None,
            dirty_post_fork: None,
            dirty_worker_init: None,
            dirty_worker_exit: None,
            file: None,
            timeout: CommandHooks::DEFAULT_TIMEOUT,
        };
        CommandHooks { commands: Arc::new(Mutex::new(commands)), aborted: Arc::default() }
    }
}

impl CommandHooks {
    /// How long a command may take unless [something else is set](Self::with_timeout).
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// No commands.
    pub fn new() -> Self {
        CommandHooks::default()
    }

    /// Sets the command for [`Hooks::on_dirty_starting`].
    #[must_use]
    pub fn with_on_dirty_starting(self, command: impl Into<String>) -> Self {
        self.commands().on_dirty_starting = Some(command.into());
        self
    }

    /// Sets the command for [`Hooks::dirty_post_fork`].
    #[must_use]
    pub fn with_dirty_post_fork(self, command: impl Into<String>) -> Self {
        self.commands().dirty_post_fork = Some(command.into());
        self
    }

    /// Sets the command for [`Hooks::dirty_worker_init`].
    #[must_use]
    pub fn with_dirty_worker_init(self, command: impl Into<String>) -> Self {
        self.commands().dirty_worker_init = Some(command.into());
        self
    }

    /// Sets the command for [`Hooks::dirty_worker_exit`].
    #[must_use]
    pub fn with_dirty_worker_exit(self, command: impl Into<String>) -> Self {
        self.commands().dirty_worker_exit = Some(command.into());
        self
    }

    /// Sets a file with Python functions. Those called `on_dirty_starting` and `dirty_worker_exit` are called here, after
    /// the command for the same hook, by `python -m dirty_arbiter.hooks`; the other two are called by the workers, if
    /// [they are told of the file](crate::arbiter::ArbiterConfig::hooks_file) (LIFE-19). The file is read anew each time.
    #[must_use]
    pub fn with_hooks_file(self, python: impl Into<OsString>, path: impl Into<PathBuf>) -> Self {
        self.commands().file = Some(HooksFile { python: python.into(), path: path.into() });
        self
    }

    /// Sets how long each command may take; zero is no limit.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.commands().timeout = timeout;
        self
    }

    /// Takes over the commands and the time limit of others, for the hooks that begin from now on.
    pub fn replace(&self, others: &CommandHooks) {
        let others = others.commands().clone();
        *self.commands() = others;
    }

    fn commands(&self) -> MutexGuard<'_, Commands> {
        // Nothing panics while it holds the lock; the commands would be whole even so.
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commands of a hook in their order, and the time limit of each.
    fn commands_of(&self, hook: Hook) -> (Vec<Command>, Duration) {
        let commands = self.commands();
        let of_the_shell = match hook {
            Hook::OnDirtyStarting => &commands.on_dirty_starting,
            Hook::DirtyPostFork => &commands.dirty_post_fork,
            Hook::DirtyWorkerInit => &commands.dirty_worker_init,
            Hook::DirtyWorkerExit => &commands.dirty_worker_exit,
        };
        let of_the_shell = of_the_shell.as_ref().map(|command| {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(command);
            shell
        });
        // The others are the worker's: run here as well, they would run twice (LIFE-19).
        let is_ours = matches!(hook, Hook::OnDirtyStarting | Hook::DirtyWorkerExit);
        let of_the_file = commands.file.as_ref().filter(|_| is_ours).map(|file| {
            let mut python = Command::new(&file.python);
            python.args(["-m", "dirty_arbiter.hooks"]).arg(&file.path).arg(hook.name());
            python
        });
        (of_the_shell.into_iter().chain(of_the_file).collect(), commands.timeout)
    }

    fn run(&self, hook: Hook, arbiter: Option<&ArbiterInfo>, worker: Option<&WorkerInfo>) -> HookResult {
        let (commands, timeout) = self.commands_of(hook);
        let context = context(hook, arbiter, worker);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            for command in commands {
                self.run_command(hook, command, timeout, &context).await?;
            }
            Ok(())
        })
    }

    async fn run_command(
        &self,
        hook: Hook,
        command: Command,
        timeout: Duration,
        context: &str,
    ) -> HookResult {
        let mut aborted = self.aborted.subscribe();
        if *aborted.borrow() {
            return Err("the arbiter waits no longer".into());
        }
        let program = command.as_std().get_program().to_owned();
        let mut child =
            start(hook, command).map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let stdin = child.stdin.take();
        let last_line = Rc::new(RefCell::new(String::new()));
        let output = |pipe: io::Result<OwnedFd>, stream| {
            let last_line = Rc::clone(&last_line);
            Output::new(pipe?, move |line, cut| {
                if stream == "stderr" && !line.trim().is_empty() {
                    line.trim().clone_into(&mut last_line.borrow_mut());
                }
                tracing::info!(%hook, stream, cut = cut.then_some(true), "{line}");
            })
        };
        let stdout = child.stdout.take().map(|pipe| output(pipe.into_owned_fd(), "stdout")).transpose()?;
        let stderr = child.stderr.take().map(|pipe| output(pipe.into_owned_fd(), "stderr")).transpose()?;
        let write = async {
            if let Some(mut stdin) = stdin {
                // A command need not read it.
                let _ = stdin.write_all(context.as_bytes()).await;
            }
        };
        let both = async {
            tokio::join!(write, log(&stdout), log(&stderr));
            std::future::pending::<Result<ExitStatus, String>>().await
        };
        let status = tokio::select! {
            status = child.wait() => status.map_err(|error| error.to_string()),
            status = both => status,
            () = elapsed(timeout) => {
                kill(&mut child).await;
                Err(format!("it still ran after {} s and was killed", timeout.as_secs_f64()))
            }
            _ = aborted.wait_for(|aborted| *aborted) => {
                kill(&mut child).await;
                Err("it was killed: the arbiter waits no longer".to_owned())
            }
        };
        for output in [stdout, stderr].into_iter().flatten() {
            output.drain().await;
        }
        judge(status?, &last_line.borrow())
    }
}

impl Hooks for CommandHooks {
    fn on_dirty_starting(&self, arbiter: &ArbiterInfo) -> HookResult {
        self.run(Hook::OnDirtyStarting, Some(arbiter), None)
    }

    fn dirty_post_fork(&self, arbiter: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
        self.run(Hook::DirtyPostFork, Some(arbiter), Some(worker))
    }

    fn dirty_worker_init(&self, worker: &WorkerInfo) -> HookResult {
        self.run(Hook::DirtyWorkerInit, None, Some(worker))
    }

    fn dirty_worker_exit(&self, arbiter: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
        self.run(Hook::DirtyWorkerExit, Some(arbiter), Some(worker))
    }

    fn uses(&self, hook: Hook) -> bool {
        !self.commands_of(hook).0.is_empty()
    }

    fn abort(&self) {
        self.aborted.send_replace(true);
    }
}

/// What a command is told, as one line of JSON: see `schemas/hook.schema.json`.
fn context(hook: Hook, arbiter: Option<&ArbiterInfo>, worker: Option<&WorkerInfo>) -> String {
    let mut context = json!({ "hook": hook.name() });
    if let Some(ArbiterInfo { pid, socket, version }) = arbiter {
        let socket = socket.to_string_lossy();
        context["arbiter"] = json!({ "pid": pid, "socket": socket, "version": version });
    }
    if let Some(WorkerInfo { id, pid, apps, seat, exit }) = worker {
        context["worker"] = json!({ "id": id.0, "pid": pid, "apps": apps, "seat": seat });
        if let Some(exit) = exit {
            context["worker"]["exit"] = exit_context(*exit);
        }
    }
    format!("{context}\n")
}

fn exit_context(exit: WorkerExit) -> Value {
    match exit {
        WorkerExit::Code(code) => json!({ "exit_code": code }),
        WorkerExit::Signal(signal) => json!({ "signal": signal }),
        WorkerExit::Unknown => json!({}),
    }
}

fn start(hook: Hook, mut command: Command) -> io::Result<Child> {
    systemd::withhold(&mut command);
    command
        .env("DIRTY_HOOK", hook.name())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own group can be killed as a whole, and gets no signals from the arbiter's terminal.
        .process_group(0)
        .spawn()
}

async fn log(output: &Option<Output>) {
    if let Some(output) = output {
        output.log().await;
    }
}

async fn elapsed(limit: Duration) {
    match limit {
        Duration::ZERO => std::future::pending().await,
        limit => tokio::time::sleep(limit).await,
    }
}

/// Kills a command with its process group, and waits for its end.
async fn kill(child: &mut Child) {
    // It has not been waited for, so the number is still its own.
    if let Some(group) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.wait().await;
}

/// What an exit says, with the last line of standard error, which is where programs give their reason.
fn judge(status: ExitStatus, last_line: &str) -> HookResult {
    match exit_of(status) {
        WorkerExit::Code(0) => Ok(()),
        exit if last_line.is_empty() => Err(exit.to_string().into()),
        exit => Err(format!("{exit}: {last_line}").into()),
    }
}
