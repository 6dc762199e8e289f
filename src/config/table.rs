//! The settings, as a table: parsing, layering, flags, help and `dirty config show` all follow it.

use super::kind::Kind;
use super::setting::{Flag, Key, Setting};

const GIB: u64 = 1 << 30;

const fn setting(key: Key, name: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, name, is_hook: false, kind, default: None, flag: None, reloadable: true, help }
}

impl Setting {
    const fn default(mut self, text: &'static str) -> Setting {
        self.default = Some(text);
        self
    }

    const fn flag(mut self, long: &'static str, value: &'static str) -> Setting {
        self.flag = Some(Flag { long, value });
        self
    }

    /// Only a restart changes it.
    const fn fixed(mut self) -> Setting {
        self.reloadable = false;
        self
    }

    const fn hook(mut self) -> Setting {
        self.is_hook = true;
        self
    }
}

/// Every setting, in the order of [`Key`].
pub(crate) static SETTINGS: &[Setting] = &[
    setting(
        Key::Apps,
        "dirty_apps",
        Kind::Apps,
        "An app to serve, \"module:Class\", or \"module:Class:N\" to load it in N workers only. May be repeated. Without \
         any, the built-in fixture:App and demo:LLM are served",
    )
    .default("fixture:App,demo:LLM")
    .flag("app", "SPEC"),
    setting(Key::Workers, "dirty_workers", Kind::Integer { min: 1, max: 1_024 }, "How many worker processes")
        .default("2")
        .flag("workers", "N"),
    setting(
        Key::Threads,
        "dirty_threads",
        Kind::Integer { min: 1, max: 1_024 },
        "Requests that each worker runs at a time",
    )
    .default("1")
    .flag("threads", "N"),
    setting(
        Key::Timeout,
        "dirty_timeout",
        Kind::Seconds,
        "Limit of a call, and of each pause in a stream, in seconds; 0 for none",
    )
    .default("300")
    .flag("timeout", "SECONDS"),
    setting(
        Key::GracefulTimeout,
        "dirty_graceful_timeout",
        Kind::Seconds,
        "How long a graceful shutdown may take, in seconds; 0 for ever",
    )
    .default("30")
    .flag("graceful-timeout", "SECONDS"),
    setting(Key::Queue, "dirty_queue", Kind::Integer { min: 0, max: 10_000_000 }, "Requests that may wait per app")
        .default("1000")
        .flag("queue", "N"),
    setting(
        Key::QueueTimeout,
        "dirty_queue_timeout",
        Kind::Seconds,
        "How long a request may wait for a free worker, in seconds; 0 for ever",
    )
    .default("300")
    .flag("queue-timeout", "SECONDS"),
    setting(
        Key::BootTimeout,
        "dirty_boot_timeout",
        Kind::Seconds,
        "How long a worker may take to start, in seconds; 0 for ever",
    )
    .default("300")
    .flag("boot-timeout", "SECONDS"),
    setting(
        Key::CancelGrace,
        "dirty_cancel_grace",
        Kind::Seconds,
        "How long a worker may take to give up a request that was told to end, in seconds, before it is replaced",
    )
    .default("5")
    .flag("cancel-grace", "SECONDS"),
    setting(
        Key::Watchdog,
        "dirty_watchdog",
        Kind::Seconds,
        "How long a worker may show no sign of life, in seconds, before it counts as hung and is replaced; 0 for ever",
    )
    .default("30")
    .flag("watchdog", "SECONDS"),
    setting(
        Key::OnDisconnect,
        "dirty_on_disconnect",
        Kind::Choice(&["finish", "cancel"]),
        "What becomes of a request whose client leaves, unless its app says otherwise",
    )
    .default("finish")
    .flag("on-disconnect", "WHAT"),
    setting(
        Key::WorkerCommand,
        "dirty_worker_command",
        Kind::Text,
        "The shell command that starts a worker, instead of the built-in host. It replaces the shell: to set a variable, \
         use \"env NAME=VALUE command\"",
    )
    .flag("worker-command", "COMMAND"),
    setting(
        Key::Python,
        "dirty_python",
        Kind::Text,
        "The Python whose dirty_arbiter package hosts the apps. Without it: the python3 beside this program, or in PATH, \
         unless every app is built in or a worker command is given",
    )
    .flag("python", "PATH"),
    setting(
        Key::HooksFile,
        "dirty_hooks_file",
        Kind::Text,
        "A Python file with functions on_dirty_starting, dirty_post_fork, dirty_worker_init and dirty_worker_exit, to be \
         called at the points that bear their names",
    )
    .flag("hooks", "FILE"),
    setting(
        Key::Socket,
        "dirty_socket",
        Kind::Text,
        "Where to listen. Without it: DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET, or $XDG_RUNTIME_DIR/dirty/arbiter.sock",
    )
    .flag("socket", "PATH")
    .fixed(),
    setting(
        Key::SocketMode,
        "dirty_socket_mode",
        Kind::Mode,
        "The permission bits of the socket, in octal; 0660 if a group is given and this is not",
    )
    .default("0600")
    .flag("socket-mode", "MODE")
    .fixed(),
    setting(
        Key::SocketGroup,
        "dirty_socket_group",
        Kind::Account,
        "The group of the socket, by name or number: its members are served",
    )
    .flag("socket-group", "GROUP")
    .fixed(),
    setting(
        Key::AllowedUsers,
        "dirty_allowed_users",
        Kind::Accounts,
        "A user to serve, by name or number, besides the arbiter's own and root. May be repeated",
    )
    .flag("allow-user", "USER")
    .fixed(),
    setting(
        Key::MaxConnections,
        "dirty_max_connections",
        Kind::Integer { min: 1, max: 1_048_576 },
        "Client connections at a time",
    )
    .default("4096")
    .flag("max-connections", "N")
    .fixed(),
    setting(
        Key::MaxFrame,
        "dirty_max_frame",
        Kind::Integer { min: 65_536, max: GIB },
        "The longest message, in bytes",
    )
    .default("67108864")
    .flag("max-frame", "BYTES")
    .fixed(),
    setting(
        Key::MaxDepth,
        "dirty_max_depth",
        Kind::Integer { min: 64, max: 65_536 },
        "The deepest nesting of a message",
    )
    .default("512")
    .flag("max-depth", "LEVELS")
    .fixed(),
    setting(
        Key::ClientBuffer,
        "dirty_client_buffer",
        Kind::Integer { min: 1, max: GIB },
        "Bytes that may wait for one slow client before the workers that feed it pause",
    )
    .default("262144")
    .flag("client-buffer", "BYTES")
    .fixed(),
    setting(
        Key::Compat,
        "dirty_compat",
        Kind::Choice(&["strict", "gunicorn"]),
        "Follow the specification, or the habits of another arbiter where it differs",
    )
    .default("strict")
    .flag("compat", "NAME")
    .fixed(),
    setting(
        Key::DieWithParent,
        "dirty_die_with_parent",
        Kind::Switch,
        "End when the process that started the arbiter ends",
    )
    .default("false")
    .flag("die-with-parent", "BOOL")
    .fixed(),
    setting(
        Key::LogLevel,
        "dirty_log_level",
        Kind::Choice(&["off", "error", "warn", "info", "debug", "trace"]),
        "What to log",
    )
    .default("info")
    .flag("log-level", "LEVEL")
    .fixed(),
    setting(Key::LogFormat, "dirty_log_format", Kind::Choice(&["text", "json"]), "How to write a log line")
        .default("text")
        .flag("log-format", "FORMAT")
        .fixed(),
    setting(
        Key::LogFile,
        "dirty_log_file",
        Kind::Text,
        "The file to append the log to, instead of standard error. SIGUSR1 opens it again",
    )
    .flag("log-file", "PATH")
    .fixed(),
    setting(
        Key::OnDirtyStarting,
        "on_dirty_starting",
        Kind::Text,
        "The shell command to run before the first worker is started",
    )
    .hook(),
    setting(
        Key::PostFork,
        "dirty_post_fork",
        Kind::Text,
        "The shell command to run when a worker process exists and has loaded no app",
    )
    .hook(),
    setting(
        Key::WorkerInit,
        "dirty_worker_init",
        Kind::Text,
        "The shell command to run when a worker has loaded its apps",
    )
    .hook(),
    setting(
        Key::WorkerExit,
        "dirty_worker_exit",
        Kind::Text,
        "The shell command to run when a worker process has ended",
    )
    .hook(),
    setting(
        Key::HookTimeout,
        "dirty_hook_timeout",
        Kind::Seconds,
        "How long a hook may take, in seconds; 0 for ever",
    )
    .default("30")
    .hook(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_keys() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            assert_eq!(setting.key as usize, index, "{}", setting.name);
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for setting in SETTINGS {
            if let Some(text) = setting.default {
                setting.kind.read_text(text).unwrap_or_else(|error| panic!("{}: {error}", setting.name));
            }
        }
    }

    #[test]
    fn the_default_apps_are_the_built_in_ones() {
        assert_eq!(SETTINGS[Key::Apps as usize].default, Some(crate::apps::BUILT_IN.join(",").as_str()));
    }
}
