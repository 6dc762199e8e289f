//! From settings to what the arbiter, its log and its hooks are told.

use std::ffi::OsString;

use super::log::{LogFormat, LogSettings};
use super::setting::Key;
use super::settings::Settings;
use crate::apps::BUILT_IN;
use crate::arbiter::core::AppAllocation;
use crate::arbiter::{ArbiterConfig, CommandHooks, Compat, SocketAccess};
use crate::wire::Limits;

/// The worker hosts that come with this program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    /// The command of the one that is part of it.
    pub built_in: Vec<OsString>,
    /// The Python that has the other, unless a setting names one.
    pub python: OsString,
}

/// The most that fits; on a 32-bit system the largest settings are cut.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The largest value of each setting that is read so is far below the limit of a `u32`.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Settings {
    /// What the arbiter is told. `socket` has been found.
    pub(super) fn arbiter(&self, socket: &str, access: SocketAccess, hosts: &Hosts) -> ArbiterConfig {
        let worker_command = self.worker_command(hosts);
        let mut config = ArbiterConfig::new(socket, worker_command);
        config.access = access;
        config.max_connections = size(self.integer(Key::MaxConnections));
        config.client_buffer = size(self.integer(Key::ClientBuffer));
        config.die_with_parent = self.is_on(Key::DieWithParent);
        config.hooks_file = self.path(Key::HooksFile);
        config.compat =
            if self.choice(Key::Compat) == "gunicorn" { Compat::Gunicorn } else { Compat::Strict };
        config.limits = Limits {
            max_payload: small(self.integer(Key::MaxFrame)),
            max_depth: size(self.integer(Key::MaxDepth)),
            allow_non_finite: config.compat == Compat::Gunicorn,
        };
        let pool = &mut config.pool;
        let apps = self.apps().iter().map(|app| AppAllocation {
            app_path: app.app_path.clone(),
            workers: app.workers,
            on_disconnect: app.on_disconnect.unwrap_or(self.on_disconnect()),
        });
        pool.apps = apps.collect();
        pool.workers = size(self.integer(Key::Workers));
        pool.threads = small(self.integer(Key::Threads));
        pool.timeout = self.time(Key::Timeout);
        pool.queue_timeout = self.time(Key::QueueTimeout);
        pool.boot_timeout = self.time(Key::BootTimeout);
        pool.cancel_grace = self.time(Key::CancelGrace);
        pool.graceful_timeout = self.time(Key::GracefulTimeout);
        pool.watchdog = self.time(Key::Watchdog);
        pool.queue = size(self.integer(Key::Queue));
        config
    }

    /// The command that starts a worker: the one that is set, else a host that has the apps.
    fn worker_command(&self, hosts: &Hosts) -> Vec<OsString> {
        if let Some(command) = self.text(Key::WorkerCommand) {
            // The shell splits the words; `exec` leaves no shell between the arbiter and its worker.
            return vec!["/bin/sh".into(), "-c".into(), format!("exec {command}").into()];
        }
        let needs_python = self.text(Key::Python).or(self.text(Key::HooksFile)).is_some();
        if !needs_python && self.apps().iter().all(|app| BUILT_IN.contains(&app.app_path.as_str())) {
            return hosts.built_in.clone();
        }
        vec![self.python(hosts), "-m".into(), "dirty_arbiter.worker".into()]
    }

    /// The Python that has the package.
    fn python(&self, hosts: &Hosts) -> OsString {
        self.text(Key::Python).map_or_else(|| hosts.python.clone(), OsString::from)
    }

    /// What the hooks are.
    pub(super) fn hooks(&self, hosts: &Hosts) -> CommandHooks {
        let mut hooks = CommandHooks::new().with_timeout(self.time(Key::HookTimeout));
        if let Some(command) = self.text(Key::OnDirtyStarting) {
            hooks = hooks.with_on_dirty_starting(command);
        }
        if let Some(command) = self.text(Key::PostFork) {
            hooks = hooks.with_dirty_post_fork(command);
        }
        if let Some(command) = self.text(Key::WorkerInit) {
            hooks = hooks.with_dirty_worker_init(command);
        }
        if let Some(command) = self.text(Key::WorkerExit) {
            hooks = hooks.with_dirty_worker_exit(command);
        }
        if let Some(file) = self.path(Key::HooksFile) {
            hooks = hooks.with_hooks_file(self.python(hosts), file);
        }
        hooks
    }

    /// What is logged, how, and where.
    pub(super) fn log(&self) -> LogSettings {
        let format = if self.choice(Key::LogFormat) == "json" { LogFormat::Json } else { LogFormat::Text };
        LogSettings { level: self.choice(Key::LogLevel), format, file: self.path(Key::LogFile) }
    }
}
