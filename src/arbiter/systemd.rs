//! What the arbiter tells the service manager that started it: the notify protocol of systemd (LIFE-16).

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::process::Command;
use tokio::time::{Interval, MissedTickBehavior};

use super::core::{AppState, PoolStatus, WorkerStage};
use super::hub::Hub;

/// When a manager that did not take a message is told again.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps a child process from speaking to the manager in the arbiter's name.
pub(super) fn withhold(command: &mut Command) {
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
}

/// The service manager.
#[derive(Debug)]
pub(super) struct Manager {
    socket: UnixDatagram,
    /// How often it wants to hear that the arbiter is alive.
    watchdog: Option<Duration>,
    /// What it has been told.
    told: RefCell<News>,
    stopping: Cell<bool>,
}

/// What there is to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct News {
    /// Every app is ready or failed.
    ready: bool,
    /// How many reloads have begun.
    reloads: u64,
    /// Whether a reload is under way.
    reloading: bool,
    /// Whether the arbiter is about to end.
    stopping: bool,
    /// The pool in a few words.
    status: String,
}

impl Manager {
    /// Finds the manager by NOTIFY_SOCKET; without that there is none. Inside a worker the variable is for that worker: its
    /// READY must not be said by an arbiter that it has started.
    pub fn find() -> Option<Manager> {
        if std::env::var_os("DIRTY_WORKER_SOCKET").is_some() {
            return None;
        }
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())?;
        match connect(&address) {
            Ok(socket) => Some(Manager {
                socket,
                watchdog: sd_notify::watchdog_enabled(),
                told: RefCell::default(),
                stopping: Cell::new(false),
            }),
            Err(error) => {
                tracing::warn!(%error, "failed to reach the service manager at NOTIFY_SOCKET; it is told nothing");
                None
            }
        }
    }

    /// Tells the manager what is new whenever there is something, and that the event loop turns.
    pub async fn keep_informed(&self, hub: &Hub) {
        let mut beat = self.watchdog.map(|period| {
            // At least twice in a period, with time to spare.
            let mut beat = tokio::time::interval((period / 3).max(Duration::from_millis(1)));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        });
        loop {
            let all_told = self.tell(&self.news(hub));
            tokio::select! {
                () = hub.pool_changed.notified() => (),
                () = next(&mut beat) => {
                    self.send(&[NotifyState::Watchdog]);
                }
                () = tokio::time::sleep(RETRY), if !all_told => (),
            }
        }
    }

    /// The arbiter is about to end. Nothing else is told from now on.
    pub fn stop(&self, hub: &Hub) {
        self.stopping.set(true);
        self.tell(&self.news(hub));
    }

    fn news(&self, hub: &Hub) -> News {
        let pool = hub.status();
        let ready = pool.workers.iter().filter(|worker| worker.state == WorkerStage::Ready).count();
        let (reloads, reloading) = hub.reloads();
        News {
            ready: pool.apps.iter().all(|app| app.state != AppState::Starting),
            reloads,
            reloading,
            stopping: self.stopping.get(),
            status: status(ready, &pool),
        }
    }

    /// Tells what the manager does not know yet; whether it took all of it.
    fn tell(&self, news: &News) -> bool {
        let told = &mut *self.told.borrow_mut();
        let status = || NotifyState::Status(&news.status);
        if news.stopping {
            told.stopping = told.stopping || self.send(&[NotifyState::Stopping]);
            return told.stopping;
        }
        // One that has ended before it could be told of is told all the same, as a begin and an end.
        let reload = news.reloading || news.reloads != told.reloads;
        if told.ready && reload && !told.reloading {
            let begin = [NotifyState::Reloading].into_iter().chain(NotifyState::monotonic_usec_now().ok());
            if !self.send(&begin.collect::<Vec<_>>()) {
                return false;
            }
            (told.reloading, told.reloads) = (true, news.reloads);
        }
        if (news.ready && !told.ready) || (told.reloading && !news.reloading) {
            if !self.send(&[NotifyState::Ready, status()]) {
                return false;
            }
            *told = News { ready: true, ..news.clone() };
        }
        if told.status != news.status {
            if !self.send(&[status()]) {
                return false;
            }
            told.status.clone_from(&news.status);
        }
        true
    }

    /// Sends one message without waiting; whether the manager took it.
    fn send(&self, states: &[NotifyState]) -> bool {
        let lines: Vec<String> = states.iter().map(NotifyState::to_string).collect();
        match self.socket.send(lines.join("\n").as_bytes()) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the service manager did not take a notification");
                false
            }
        }
    }
}

/// The pool in a few words.
fn status(ready: usize, pool: &PoolStatus) -> String {
    let mut text = format!("{ready} of {} workers are ready", pool.target_workers);
    let failed = pool.apps.iter().filter(|app| app.state == AppState::Failed);
    let failed: Vec<&str> = failed.map(|app| app.app_path.as_str()).collect();
    if !failed.is_empty() {
        text.push_str("; failed: ");
        text.push_str(&failed.join(", "));
    }
    text
}

/// Waits for the next beat; without a watchdog there is none.
async fn next(beat: &mut Option<Interval>) {
    match beat {
        Some(beat) => {
            beat.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// A path, or `@` and a name without a place in the file system.
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // The event loop does not wait for a manager that does not read.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        return Ok(socket);
    }
    socket.connect(address)?;
    Ok(socket)
}
