//! `dirty status`: show what an arbiter does.

mod report;

use std::process::ExitCode;

use clap::Args;

use super::control::{self, ControlArgs, Failure};
use crate::control::PoolStatus;

/// Show the state of a running arbiter, of its apps and of its workers.
///
/// Times are means; --json has the distributions.
#[derive(Args)]
pub(super) struct StatusArgs {
    /// Print the PoolStatus object as the arbiter sent it, on one line; "dirty schema control-v1" describes it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn run(args: StatusArgs) -> ExitCode {
    control::finish("dirty status", status(&args))
}

fn status(args: &StatusArgs) -> Result<(), Failure> {
    let client = args.control.client(false)?;
    if !args.json {
        return control::print(&report::report(&client.status()?));
    }
    // Line breaks can only stand between the tokens of a JSON text.
    let text = client.status_text()?.get().replace(['\n', '\r'], " ");
    control::print(&(text + "\n"))
}
