//! What a setting is.

use super::kind::Kind;
pub(crate) use super::table::SETTINGS;

/// The table of the configuration file that holds the hooks.
pub(crate) const HOOKS_TABLE: &str = "dirty_hooks";

/// The settings, in the order in which they are listed everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Apps,
    Workers,
    Threads,
    Timeout,
    GracefulTimeout,
    Queue,
    QueueTimeout,
    BootTimeout,
    CancelGrace,
    Watchdog,
    OnDisconnect,
    WorkerCommand,
    Python,
    HooksFile,
    Socket,
    SocketMode,
    SocketGroup,
    AllowedUsers,
    MaxConnections,
    MaxFrame,
    MaxDepth,
    ClientBuffer,
    Compat,
    DieWithParent,
    LogLevel,
    LogFormat,
    LogFile,
    OnDirtyStarting,
    PostFork,
    WorkerInit,
    WorkerExit,
    HookTimeout,
}

/// One setting: its name, what it may be, and what it is when nobody says.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Which one.
    pub key: Key,
    /// Its name in the configuration file.
    pub name: &'static str,
    /// Whether it stands in the table of the hooks instead of at the top.
    pub is_hook: bool,
    /// What values it takes.
    pub kind: Kind,
    /// Its value when nobody says, as text; `None` if it is not set then.
    pub default: Option<&'static str>,
    /// The flag that sets it.
    pub flag: Option<Flag>,
    /// Whether a reload can change it; else it takes a restart.
    pub reloadable: bool,
    /// What it is, for people.
    pub help: &'static str,
}

/// The flag that sets a setting.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name, without dashes.
    pub long: &'static str,
    /// What its value is called.
    pub value: &'static str,
}

impl Setting {
    /// Its name with the table that it stands in.
    pub fn path(&self) -> String {
        if self.is_hook { format!("{HOOKS_TABLE}.{}", self.name) } else { self.name.to_owned() }
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        let name = self.name.to_ascii_uppercase();
        if name.starts_with("DIRTY_") { name } else { format!("DIRTY_{name}") }
    }
}
