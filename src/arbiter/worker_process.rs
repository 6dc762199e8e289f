//! One worker process, from its start to its end (WORK-1).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};

use super::core::{Event, WorkerExit, WorkerId};
use super::hub::{Hub, WorkerStart};

/// Longest line of worker output that is logged, in bytes.
const MAX_LINE: usize = 8 * 1024;

/// Runs a worker: starts it, waits for READY, logs its output, and reports its end.
pub(super) async fn run(hub: Rc<Hub>, start: WorkerStart) {
    let worker = start.worker;
    let notify_path = hub.socket.private_path(&format!("n{worker}"));
    let started = async {
        let notify = UnixDatagram::bind(&notify_path)?;
        std::fs::set_permissions(&notify_path, std::fs::Permissions::from_mode(0o600))?;
        let child = hub.launcher.spawn(command(&hub, &start)?).await?;
        Ok::<_, io::Error>((notify, child))
    };
    let exit = match started.await {
        Ok((notify, child)) => supervise(&hub, worker, &start.apps, notify, child).await,
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

fn command(hub: &Hub, start: &WorkerStart) -> io::Result<Command> {
    let (config, worker) = (&start.config, start.worker);
    let Some((program, arguments)) = config.worker_command.split_first() else {
        return Err(io::Error::other("the worker command is empty"));
    };
    let list = |apps: &[String]| serde_json::to_string(apps).map_err(io::Error::other);
    let absolute = |path: std::path::PathBuf| std::path::absolute(path);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg0(format!("dirty-worker [{worker}]"))
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
    // An arbiter that is watched itself has these; they are not the worker's.
    command.env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
    if !config.pool.watchdog.is_zero() {
        command.env("WATCHDOG_USEC", config.pool.watchdog.as_micros().to_string());
    }
    Ok(command)
}

async fn supervise(
    hub: &Rc<Hub>,
    worker: WorkerId,
    apps: &[String],
    notify: UnixDatagram,
    mut child: Child,
) -> WorkerExit {
    if let Some(pid) = child.id() {
        hub.started(worker, pid);
        tracing::info!(%worker, pid, apps = apps.join(","), "started a worker");
    }
    hub.feed(Event::Spawned(worker));
    let _lifeline = child.stdin.take();
    child.stdout.take().map(|out| tokio::task::spawn_local(log_lines(worker, "stdout", out)));
    child.stderr.take().map(|err| tokio::task::spawn_local(log_lines(worker, "stderr", err)));
    let mut message = [0; 4096];
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            received = notify.recv(&mut message) => match received {
                Ok(length) => notified(hub, worker, &message[..length]),
                Err(error) => tracing::warn!(%worker, %error, "failed to read a worker's notification"),
            },
        }
    };
    status.map_or(WorkerExit::Unknown, exit_of)
}

fn exit_of(status: ExitStatus) -> WorkerExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => WorkerExit::Code(code),
        (None, Some(signal)) => WorkerExit::Signal(signal),
        (None, None) => WorkerExit::Unknown,
    }
}

/// One datagram of the systemd notify protocol: assignments, one a line.
fn notified(hub: &Hub, worker: WorkerId, message: &[u8]) {
    for line in message.split(|byte| *byte == b'\n') {
        match line {
            b"READY=1" => hub.feed(Event::Ready(worker)),
            b"WATCHDOG=1" => hub.feed(Event::Alive(worker)),
            _ => {
                if let Some(list) = line.strip_prefix(b"X_DIRTY_APPS=") {
                    serves(hub, worker, list);
                }
            }
        }
    }
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

/// Logs a worker's output line by line; a line that is too long is cut.
async fn log_lines(worker: WorkerId, stream: &'static str, output: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        let available = match lines.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(available) => available,
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend_from_slice(&available[..end.unwrap_or(taken).min(room)]);
        lines.consume(taken);
        if end.is_some() {
            log_line(worker, stream, &line);
            line.clear();
        }
    }
    if !line.is_empty() {
        log_line(worker, stream, &line);
    }
}

fn log_line(worker: WorkerId, stream: &str, line: &[u8]) {
    tracing::info!(%worker, stream, "{}", String::from_utf8_lossy(line));
}
