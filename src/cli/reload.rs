//! `dirty reload`: replace the workers.

use std::process::ExitCode;

use clap::Args;

use super::control::{self, ControlArgs, Failure};
use crate::control::Operation;

/// Have a running arbiter read its configuration again and replace its workers, without losing a request.
///
/// The same as SIGHUP. An old worker ends when a new one is ready; if the new ones do not start, the old ones stay.
#[derive(Args)]
pub(super) struct ReloadArgs {
    /// Wait until every new worker is ready, and fail if one does not start.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn run(args: ReloadArgs) -> ExitCode {
    control::finish("dirty reload", reload(&args))
}

fn reload(args: &ReloadArgs) -> Result<(), Failure> {
    let result = args.control.manage(Operation::Reload, None, args.wait)?;
    let progress = if args.wait { "is ready" } else { "is on its way" };
    control::print(&match result.generation {
        Some(generation) => format!("generation {generation} of the workers {progress}\n"),
        None => "the workers are replaced after the reload that is under way\n".to_owned(),
    })
}
