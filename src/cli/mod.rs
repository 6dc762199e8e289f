//! The `dirty` command line: one file a command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod exit;

#[derive(Parser)]
#[command(name = "dirty", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {}

/// Parses the process's arguments, runs the command they name and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {}
}
