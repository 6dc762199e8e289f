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
mod codec;
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
mod serving;
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

use control::Control;
use hooks::HookRunner;
use hub::Hub;
use launcher::Launcher;
use reloading::Loader;
use serving::{ReopenLogs, Serving};
use signals::Signals;
use socket::OwnedSocket;
use stopping::Stops;
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
    reopen_logs: Option<ReopenLogs>,
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
        let mut stops = self.stops;
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
        let (orders, ordered) = tokio::sync::mpsc::unbounded_channel();
        let hub = Hub::new(self.config, self.socket, launcher, hooks, orders, self.loader);
        let local = LocalSet::new();
        let serving = Serving {
            hub: hub.clone(),
            listener,
            control: control.clone(),
            control_listener,
            ordered,
            manager: Manager::find().map(Rc::new),
            stops,
            signals: self.signals,
            reopen_logs: self.reopen_logs,
        };
        // A task of its own: what the set itself waits for is looked at with every event of any connection.
        let served = local.run_until(async { tasks::spawn(serving.run()).await }).await;
        let ended =
            |error| ArbiterError::System { action: "serve to the end", source: io::Error::other(error) };
        let mut stops = served.map_err(ended)?;
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
