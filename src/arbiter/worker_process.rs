//! One worker process, from its start to its end (WORK-1).

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixDatagram;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::core::{Event, WorkerExit, WorkerId};
use super::hooks::{self, Pending, WorkerInfo};
use super::hub::{Hub, WorkerStart};
use super::output::Output;
use super::{systemd, tasks};
use crate::wire::Codec;

/// Tells a worker where the hooks are that it runs itself (LIFE-19).
const HOOKS_FILE: &str = "DIRTY_HOOKS_FILE";

/// Runs a worker: starts it, waits for READY, logs its output, and reports its end.
pub(super) async fn run(hub: Rc<Hub>, start: WorkerStart) {
    let worker = start.worker;
    // Asked once: the hooks may change while the process is started.
    let is_gated = hub.hooks.gates_workers();
    let notify_path = hub.socket.private_path(&format!("n{worker}"));
    let started = async {
        let notify = UnixDatagram::bind(&notify_path)?;
        std::fs::set_permissions(&notify_path, std::fs::Permissions::from_mode(0o600))?;
        let child = hub.launcher.spawn(command(&hub, &start, is_gated)?).await?;
        Ok::<_, io::Error>((notify, child))
    };
    let exit = match started.await {
        Ok((notify, child)) => {
            // A process that has not been waited for has a number.
            let pid = child.id().unwrap_or_default();
            let info = WorkerInfo { id: worker, pid, apps: start.apps, seat: start.seat, exit: None };
            let exit = supervise(&hub, &info, notify, child, is_gated).await;
            hub.hooks.worker_exit(WorkerInfo { exit: Some(exit), ..info });
            exit
        }
        Err(error) => {
            tracing::error!(%worker, %error, "failed to start a worker");
            WorkerExit::Unknown
        }
    };
    // Whatever the worker left; it may have removed its socket itself.
    let _ = std::fs::remove_file(notify_path);
    let _ = std::fs::remove_file(hub.worker_socket(worker));
    hub.ended(worker);
    hub.feed(Event::Exited { worker, exit });
}

fn command(hub: &Hub, start: &WorkerStart, is_gated: bool) -> io::Result<Command> {
    let (config, worker) = (&start.config, start.worker);
    let words = config.worker_command.clone();
    let words = if is_gated { hooks::gated(&words) } else { words };
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::Error::other("the worker command is empty"));
    };
    let list = |apps: &[String]| serde_json::to_string(apps).map_err(io::Error::other);
    let absolute = |path: std::path::PathBuf| std::path::absolute(path);
    let mut command = Command::new(program);
    systemd::withhold(&mut command);
    command
        .args(arguments)
        .env("DIRTY_WORKER_SOCKET", absolute(hub.worker_socket(worker))?)
        .env("DIRTY_APPS", list(&start.apps)?)
        .env("DIRTY_FIXED_APPS", list(&start.fixed)?)
        .env("DIRTY_SEAT", start.seat.to_string())
        .env("DIRTY_THREADS", config.pool.threads.to_string())
        .env("DIRTY_WORKER_ID", worker.to_string())
        .env("DIRTY_TIMEOUT", config.pool.timeout.as_secs_f64().to_string())
        .env("DIRTY_MAX_FRAME", config.limits.max_payload.to_string())
        .env("DIRTY_MAX_DEPTH", config.limits.max_depth.to_string())
        .env("NOTIFY_SOCKET", absolute(hub.socket.private_path(&format!("n{worker}")))?)
        // The lifeline: its end tells the worker that the arbiter is gone (WORK-5).
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Signals for the arbiter's terminal are the arbiter's to pass on.
        .process_group(0);
    match &config.hooks_file {
        Some(file) => command.env(HOOKS_FILE, absolute(file.clone())?),
        // What the arbiter's own environment says is not in effect: LIFE-9, LIFE-11.
        None => command.env_remove(HOOKS_FILE),
    };
    if !config.pool.watchdog.is_zero() {
        command.env("WATCHDOG_USEC", config.pool.watchdog.as_micros().to_string());
    }
    Ok(command)
}

/// Sees to a worker process until its end.
async fn supervise(
    hub: &Rc<Hub>,
    info: &WorkerInfo,
    notify: UnixDatagram,
    mut child: Child,
    is_gated: bool,
) -> WorkerExit {
    let worker = info.id;
    hub.started(worker, info.pid);
    tracing::info!(%worker, pid = info.pid, apps = info.apps.join(","), "started a worker");
    hub.feed(Event::Spawned(worker));
    let stdout = child.stdout.take().map(ChildStdout::into_owned_fd);
    let stderr = child.stderr.take().map(ChildStderr::into_owned_fd);
    let outputs =
        [("stdout", stdout), ("stderr", stderr)].map(|(stream, pipe)| capture(worker, stream, pipe?));
    let status = see_through(hub, info, notify, &mut child, is_gated).await;
    // Its number may be another's now.
    hub.ended(worker);
    // Its last lines come before the news of its end (WORK-15).
    for output in outputs.into_iter().flatten() {
        output.drain().await;
    }
    status.map_or(WorkerExit::Unknown, exit_of)
}

/// Takes a worker process from its start to its end. It has its lifeline for as long (WORK-5).
async fn see_through(
    hub: &Hub,
    info: &WorkerInfo,
    notify: UnixDatagram,
    child: &mut Child,
    is_gated: bool,
) -> io::Result<ExitStatus> {
    let mut lifeline = child.stdin.take();
    let mut post_fork = if is_gated { hub.hooks.post_fork(info) } else { None };
    if is_gated && post_fork.is_none() {
        open_gate(&mut lifeline).await;
    }
    let mut worker_init = None;
    let mut is_ready = false;
    let mut message = vec![0; longest_notification(&info.apps)];
    loop {
        tokio::select! {
            status = child.wait() => {
                // Its last words say at which app it failed (WORK-17).
                while let Ok(length) = notify.try_recv(&mut message) {
                    notified(hub, info.id, whole_lines(info.id, &message, length));
                }
                return status;
            },
            passed = passed(&mut post_fork) => match passed {
                true => open_gate(&mut lifeline).await,
                false => child.start_kill()?,
            },
            passed = passed(&mut worker_init) => match passed {
                true => hub.feed(Event::Ready(info.id)),
                false => child.start_kill()?,
            },
            received = notify.recv(&mut message) => match received {
                Ok(length) if notified(hub, info.id, whole_lines(info.id, &message, length)) && !is_ready => {
                    is_ready = true;
                    worker_init = hub.hooks.worker_init(info);
                    if worker_init.is_none() {
                        hub.feed(Event::Ready(info.id));
                    }
                }
                Ok(_) => (),
                Err(error) => tracing::warn!(worker = %info.id, %error, "failed to read a worker's notification"),
            },
        }
    }
}

/// Lets a worker execute its command.
async fn open_gate(lifeline: &mut Option<ChildStdin>) {
    if let Some(gate) = lifeline {
        // A process that has ended meanwhile takes nothing; its end is noticed by who waits for it.
        let _ = gate.write_all(b"\n").await;
    }
}

/// Waits for a hook that is due, and takes it; whether it succeeded.
async fn passed(hook: &mut Option<Pending>) -> bool {
    let Some(pending) = hook else { return std::future::pending().await };
    let passed = pending.await.unwrap_or(false);
    *hook = None;
    passed
}

/// Logs what a worker prints to one of its streams (WORK-12).
fn capture(worker: WorkerId, stream: &'static str, pipe: io::Result<OwnedFd>) -> Option<Rc<Output>> {
    let log = move |line: &str, cut: bool| {
        tracing::info!(%worker, stream, cut = cut.then_some(true), "{line}");
    };
    match pipe.and_then(|pipe| Output::new(pipe, log)) {
        Ok(output) => {
            let output = Rc::new(output);
            let logs = Rc::clone(&output);
            tasks::spawn(async move { logs.log().await });
            Some(output)
        }
        Err(error) => {
            tracing::warn!(%worker, stream, %error, "failed to read what a worker prints");
            None
        }
    }
}

pub(super) fn exit_of(status: ExitStatus) -> WorkerExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => WorkerExit::Code(code),
        (None, Some(signal)) => WorkerExit::Signal(signal),
        (None, None) => WorkerExit::Unknown,
    }
}

/// How long a worker's notification may be, in bytes: the list of its apps fits, each of its characters escaped (WORK-14).
fn longest_notification(apps: &[String]) -> usize {
    const ESCAPED: usize = r"\u0041".len();
    const SEPARATORS: usize = r#""", "#.len();
    64 * 1024 + apps.iter().map(|app| ESCAPED * app.len() + SEPARATORS).sum::<usize>()
}

/// The lines of a datagram of which so many bytes were read. One that fills the buffer may have been cut.
fn whole_lines(worker: WorkerId, message: &[u8], length: usize) -> &[u8] {
    if length < message.len() {
        return &message[..length];
    }
    tracing::warn!(%worker, "cut a worker's notification: it has {length} bytes or more; its last line is ignored");
    let end = message.iter().rposition(|byte| *byte == b'\n');
    &message[..end.unwrap_or_default()]
}

/// One datagram of the systemd notify protocol: assignments, one a line. Whether the worker says that it is ready.
fn notified(hub: &Hub, worker: WorkerId, message: &[u8]) -> bool {
    let mut ready = false;
    for line in message.split(|byte| *byte == b'\n') {
        match line {
            b"READY=1" => ready = true,
            b"WATCHDOG=1" => hub.feed(Event::Alive(worker)),
            _ => {
                if let Some(list) = line.strip_prefix(b"X_DIRTY_APPS=") {
                    serves(hub, worker, list);
                } else if line == b"X_DIRTY_CODEC=gd/1" {
                    hub.worker_codecs.borrow_mut().insert(worker, Codec::Gd);
                } else if let Some(app_path) = line.strip_prefix(b"X_DIRTY_LOADING=") {
                    let app_path = std::str::from_utf8(app_path).ok().filter(|app_path| !app_path.is_empty());
                    hub.feed(Event::Loading { worker, app_path });
                }
            }
        }
    }
    ready
}

/// A worker says which of its apps it serves, before its READY (WORK-14).
fn serves(hub: &Hub, worker: WorkerId, list: &[u8]) {
    let text = std::str::from_utf8(list).unwrap_or_default();
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(apps) => hub.feed(Event::Serves { worker, apps: &apps }),
        Err(error) => {
            tracing::warn!(%worker, %error, "ignored X_DIRTY_APPS: expected a JSON array of app paths (WORK-14)");
        }
    }
}
