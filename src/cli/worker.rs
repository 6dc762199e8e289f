//! `dirty worker`: the built-in worker host, which the arbiter starts.

use std::process::ExitCode;

use clap::Args;
use tracing_subscriber::filter::LevelFilter;

use super::title;
use crate::apps;

/// Run as a worker of an arbiter. Not for people: the arbiter starts it, and says what to do by environment variables.
#[derive(Args)]
#[command(hide = true)]
pub(super) struct WorkerArgs {
    /// What to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "DIRTY_LOG_LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

pub(super) fn run(args: WorkerArgs) -> ExitCode {
    let number = std::env::var("DIRTY_WORKER_ID").unwrap_or_default();
    title::take(&format!("dirty-worker [{number}]"));
    // The arbiter takes every line from stderr into its own log, and puts the time to it.
    tracing_subscriber::fmt()
        .with_max_level(args.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .init();
    apps::host().run()
}
