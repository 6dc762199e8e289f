//! `dirty drain`: end the arbiter gracefully.

use std::process::ExitCode;

use clap::Args;

use super::control::{self, ControlArgs, Failure};
use crate::control::Operation;

/// Have a running arbiter finish the requests that it has accepted, and end.
///
/// The same as SIGTERM. New requests are refused at once; requests that outlast the graceful time-out are not waited for.
#[derive(Args)]
pub(super) struct DrainArgs {
    /// Wait until the arbiter has ended, so that another can take its socket.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn run(args: DrainArgs) -> ExitCode {
    control::finish("dirty drain", drain(&args))
}

fn drain(args: &DrainArgs) -> Result<(), Failure> {
    args.control.manage(Operation::Drain, None, args.wait)?;
    control::print(if args.wait { "the arbiter has ended\n" } else { "the arbiter drains\n" })
}
