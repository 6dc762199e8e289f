//! The arbiter: accepts clients, keeps a pool of worker processes, and relays between them.
//!
//! [`core`] decides; everything else here moves bytes, processes and signals. One thread runs one event loop: a relay
//! spends its time in the kernel, and one loop needs no locks.
//!
//! ```no_run
//! use dirty_arbiter::arbiter::{Arbiter, ArbiterConfig};
//! # async fn serve() -> Result<(), dirty_arbiter::arbiter::ArbiterError> {
//! let mut config = ArbiterConfig::new("/run/dirty/arbiter.sock", vec!["my-worker".into()]);
//! config.pool.apps.push("fixture:App".parse()?);
//! let arbiter = Arbiter::bind(config)?;
//! arbiter.run().await
//! # }
//! ```

pub mod core;

mod access;
mod answers;
mod client_link;
mod config;
mod control;
mod control_link;
mod control_status;
mod hooks;
mod hub;
mod intake;
mod launcher;
mod listener;
mod lock;
mod log;
mod outbox;
mod output;
mod parent;
#[cfg(all(test, feature = "cli"))]
mod paused;
mod reading;
mod reloading;
mod signals;
mod slot_link;
mod socket;
mod stopping;
mod stream;
mod systemd;
mod tasks;
mod worker_process;

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::LocalSet;

pub use access::SocketAccess;
pub use config::{AppSpecError, ArbiterConfig, Compat};
pub use hooks::{ArbiterInfo, CommandHooks, Hook, HookResult, Hooks, WorkerInfo};
pub use socket::SocketError;

use self::core::Event;
use control::Control;
use hooks::HookRunner;
use hub::{Hub, Order};
use launcher::Launcher;
use reloading::Loader;
use signals::Signals;
use socket::OwnedSocket;
use stopping::{Patience, Stop, Stops};
use systemd::Manager;

/// Why an arbiter cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArbiterError {
    /// The socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// An app's specification makes no sense.
    #[error(transparent)]
    AppSpec(#[from] AppSpecError),
    /// The system refused something that an arbiter cannot do without.
    #[error("failed to {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The hook `on_dirty_starting` failed (LIFE-14).
    #[error("failed to start: hook on_dirty_starting failed: {reason} (LIFE-14)")]
    Hook {
        /// What the hook said, or how it ended.
        reason: String,
    },
}

/// An arbiter that listens. Clients may connect; they are served once it [runs](Self::run).
pub struct Arbiter {
    config: ArbiterConfig,
    loader: Option<Loader>,
    reopen_logs: Option<Box<dyn Fn()>>,
    socket: OwnedSocket,
    listener: std::os::unix::net::UnixListener,
    control: std::os::unix::net::UnixListener,
    hooks: Option<Arc<dyn Hooks>>,
    stops: Stops,
    signals: Signals,
}

impl Arbiter {
    /// Takes the socket's path and listens on it (SEC-1, SEC-3, SEC-4). Before that it takes over the signals that an
    /// arbiter obeys: those that come from then on are obeyed when it [runs](Self::run).
    ///
    /// Must be called within a tokio runtime with I/O, the one that it runs in.
    ///
    /// # Errors
    /// [`ArbiterError::Socket`]: nothing was changed, stolen or removed. [`ArbiterError::System`] when a signal or the
    /// parent cannot be watched.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(config: ArbiterConfig) -> Result<Arbiter, ArbiterError> {
        // Whoever finds the socket knows of this process.
        let (stops, signals) = (Stops::watch(config.die_with_parent)?, Signals::watch()?);
        let (socket, listener) = OwnedSocket::bind(&config.socket, &config.access)?;
        let control = socket.bind_control()?;
        Ok(Arbiter {
            config,
            loader: None,
            reopen_logs: None,
            socket,
            listener,
            control,
            hooks: None,
            stops,
            signals,
        })
    }

    /// Sets where a reload (SIGHUP) reads the configuration from, as a whole or not at all (LIFE-3). Without it the
    /// configuration stays as it is, and a reload only replaces the workers.
    ///
    /// The socket of the new configuration is ignored: it cannot change without a restart.
    pub fn with_reload(mut self, load: impl Fn() -> Result<ArbiterConfig, String> + 'static) -> Self {
        self.loader = Some(Box::new(load));
        self
    }

    /// Sets what opens the log files again on SIGUSR1 (LIFE-4).
    pub fn on_reopen_logs(mut self, reopen: impl Fn() + 'static) -> Self {
        self.reopen_logs = Some(Box::new(reopen));
        self
    }

    /// Runs these hooks at their points of the life cycle (LIFE-7).
    #[must_use]
    pub fn with_hooks(mut self, hooks: impl Hooks) -> Arbiter {
        self.hooks = Some(Arc::new(hooks));
        self
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.config.socket
    }

    /// Serves until SIGTERM, SIGINT or a drain on the control socket (drains first, LIFE-1) or SIGQUIT (at once, LIFE-2).
    /// Returns when every worker is gone, every answer is read and every hook has ended; a signal that comes while only
    /// clients or hooks are waited for ends the waiting. The socket is removed. SIGHUP reloads (LIFE-3), SIGTTIN and SIGTTOU make the
    /// pool one worker larger or smaller (LIFE-5), SIGUSR1 reopens the log files (LIFE-4).
    ///
    /// If `NOTIFY_SOCKET` is in the environment, the service manager there is told how the arbiter is (LIFE-16).
    ///
    /// Must be called within a tokio runtime with I/O and time; a current-thread runtime is the right one.
    ///
    /// A panic in one of its tasks is logged and aborts the process (LIFE-18), whatever else that does: an arbiter that
    /// cannot be trusted must not go on, and its workers end with the process.
    ///
    /// # Errors
    /// [`ArbiterError::System`] when the event loop cannot be set up, [`ArbiterError::Hook`] when `on_dirty_starting`
    /// fails.
    pub async fn run(self) -> Result<(), ArbiterError> {
        let system = |action| move |source| ArbiterError::System { action, source };
        let listener = UnixListener::from_std(self.listener).map_err(system("watch the socket"))?;
        let control_listener =
            UnixListener::from_std(self.control).map_err(system("watch the control socket"))?;
        let control = Control::new(&self.config.socket);
        let launcher = Launcher::start().map_err(system("start the launcher thread"))?;
        let (mut stops, mut signals) = (self.stops, self.signals);
        let (pid, socket) = (std::process::id(), self.config.socket.clone());
        let arbiter = ArbiterInfo { pid, socket, version: env!("CARGO_PKG_VERSION") };
        let hooks =
            HookRunner::start(self.hooks, arbiter).map_err(system("start the thread of the hooks"))?;
        tokio::select! {
            started = hooks.starting() => started.map_err(|reason| ArbiterError::Hook { reason })?,
            _ = stops.next() => {
                hooks.abort().await;
                return Ok(());
            }
        }
        let (orders, mut ordered) = tokio::sync::mpsc::unbounded_channel();
        let hub = Hub::new(self.config, self.socket, launcher, hooks, orders, self.loader);
        let manager = Manager::find().map(Rc::new);
        let local = LocalSet::new();
        local
            .run_until(async {
                hub.feed(Event::Start);
                let timers = tasks::spawn({
                    let hub = hub.clone();
                    async move { hub.run_timers().await }
                });
                let accepting = tasks::spawn(listener::accept(hub.clone(), listener));
                tasks::spawn(control_link::accept(hub.clone(), control.clone(), control_listener));
                if let Some(manager) = manager.clone() {
                    let hub = hub.clone();
                    tasks::spawn(async move { manager.keep_informed(&hub).await });
                }
                let patience = Patience::default();
                let stop = |stop| {
                    accepting.abort();
                    patience.stop(stop, hub.config().pool.graceful_timeout);
                    manager.iter().for_each(|manager| manager.stop(&hub));
                    hub.feed(match stop {
                        Stop::Gracefully => Event::Drain,
                        Stop::AtOnce => Event::Quit,
                    });
                };
                loop {
                    tokio::select! {
                        Some(order) = ordered.recv() => start(&hub, order),
                        how = stops.next() => stop(how),
                        () = control.drain.notified() => stop(Stop::Gracefully),
                        _ = signals.hup.recv() => hub.reload(None),
                        _ = signals.ttin.recv() => hub.scale_by(1),
                        _ = signals.ttou.recv() => hub.scale_by(-1),
                        _ = signals.usr1.recv() => reopen_logs(self.reopen_logs.as_deref()),
                        _ = signals.usr2.recv() => tracing::info!("SIGUSR2 has no meaning here, ignored"),
                        () = hub.finished.notified() => break,
                    }
                }
                timers.abort();
                tokio::select! {
                    () = hub.write_out() => (),
                    () = patience.end(stops.next()) => (),
                }
            })
            .await;
        let waiting = control.end_waiters();
        drop(local);
        // The clients have their answers: the wait for hooks is not theirs.
        hub.clients.borrow_mut().clear();
        tokio::select! {
            () = hub.hooks.settled() => (),
            _ = stops.next() => hub.hooks.abort().await,
        }
        // With the last task goes the hub, and with that the socket and its lock: the path is free.
        drop(hub);
        tracing::info!("the arbiter has ended");
        Control::tell_end(waiting);
        Ok(())
    }
}

impl std::fmt::Debug for Arbiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arbiter").field("config", &self.config).finish_non_exhaustive()
    }
}

fn reopen_logs(reopen: Option<&dyn Fn()>) {
    match reopen {
        Some(reopen) => reopen(),
        None => tracing::info!("SIGUSR1, and there is no log file to reopen"),
    }
}

fn start(hub: &Rc<Hub>, order: Order) {
    let hub = Rc::clone(hub);
    match order {
        Order::StartWorker(start) => drop(tasks::spawn(worker_process::run(hub, start))),
        Order::OpenSlot(slot) => drop(tasks::spawn(slot_link::run(hub, slot))),
        Order::Reload => hub.reload(None),
    }
}
