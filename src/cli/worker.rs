//! `dirty worker`: the built-in worker host, which the arbiter starts.

use std::process::ExitCode;

use clap::Args;
use tracing_subscriber::filter::LevelFilter;

use super::{sabotage, title};
use crate::apps;
use crate::check::sabotage::{Relay, Saboteur};
use crate::message::Role;

/// Run as a worker of an arbiter. Not for people: the arbiter starts it, and says what to do by environment variables.
#[derive(Args)]
#[command(hide = true)]
pub(super) struct WorkerArgs {
    /// What to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "DIRTY_LOG_LEVEL", default_value = "info")]
    log_level: LevelFilter,
    /// Break one rule of the protocol on purpose. `dirty sabotage list` shows the names.
    #[arg(long, value_name = "NAME", value_parser = sabotage::worker)]
    sabotage: Option<&'static Saboteur>,
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
    let Some(saboteur) = args.sabotage else { return apps::host().run() };
    let mut relay = None;
    apps::host().run_behind(|socket| {
        // The directory is this worker's own.
        let honest = socket.with_extension("honest");
        let public = std::mem::replace(socket, honest.clone());
        tracing::warn!("sabotage: this worker is {}: {}", saboteur.name, saboteur.does);
        relay = Some(Relay::start(Some(saboteur), Role::Worker, &public, &honest)?);
        Ok(())
    })
}
