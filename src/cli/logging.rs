//! Logging of the long-running commands: to stderr, by level.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

#[derive(Args)]
pub(super) struct LoggingArgs {
    /// What to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "DIRTY_LOG_LEVEL", default_value = "info")]
    log_level: tracing_subscriber::filter::LevelFilter,
    /// How to write a log line.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl LoggingArgs {
    pub(super) fn start(&self) {
        let filter = EnvFilter::new(self.log_level.to_string());
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false);
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().init(),
        }
    }
}
