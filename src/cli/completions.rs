//! `dirty completions`: completion scripts for shells.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::exit::Exit;

/// Print a completion script, for example: dirty completions bash > ~/.local/share/bash-completion/completions/dirty
#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(args: CompletionsArgs) -> ExitCode {
    clap_complete::generate(args.shell, &mut super::Cli::command(), "dirty", &mut std::io::stdout());
    Exit::Ok.into()
}
