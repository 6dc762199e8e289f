//! `dirty stream`: one call, one line an item.

use std::process::ExitCode;

use clap::Args;
use serde_json::value::RawValue;

use super::call::{Output, RequestArgs};

/// Call an action that streams and print its items as they come.
///
/// Each item is printed on stdout as the JSON text that the worker sent, on a line of its own, at once. A plain result is
/// printed as the one item. An error goes to stderr, after the items that came before it; exit codes as for `dirty call`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StreamArgs {
    #[command(flatten)]
    request: RequestArgs,
}

const EXAMPLES: &str = r#"Arguments are JSON; quote them for the shell:
  dirty stream fixture:App count 5
  dirty stream demo:LLM generate '"Why is the sky blue?"' --timeout 10"#;

/// Runs the command.
pub(super) fn run(args: StreamArgs) -> ExitCode {
    let output = Output { command: "dirty stream", json: args.request.json() };
    output.finish(args.request.prepare().and_then(|call| {
        for item in call.stream::<Box<RawValue>>()? {
            output.line(&item?)?;
        }
        Ok(())
    }))
}
