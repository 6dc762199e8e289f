//! The `dirty` command line: one file a command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod adapter;
mod call;
mod check;
mod completions;
mod config;
mod control;
mod demo;
mod drain;
mod exit;
mod explain;
mod golden;
mod lint;
mod logging;
mod promote;
mod proxy;
mod reload;
mod replay;
mod sabotage;
mod scale;
mod schema;
mod serve;
mod setting_flags;
mod status;
mod stream;
mod subject;
mod title;
mod validate;
mod worker;

/// A pool of long-lived, stateful worker processes behind a Unix socket.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not reachable, 4 timed out, 5 overloaded, 6 the app raised,
/// 78 wrong configuration.
/// Data goes to stdout, messages to stderr.
#[derive(Parser)]
#[command(name = "dirty", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Config(config::ConfigArgs),
    Worker(worker::WorkerArgs),
    #[command(hide = true)]
    Adapter(adapter::AdapterArgs),
    Call(call::CallArgs),
    Stream(stream::StreamArgs),
    Status(status::StatusArgs),
    Scale(scale::ScaleArgs),
    Reload(reload::ReloadArgs),
    Drain(drain::DrainArgs),
    Check(check::CheckArgs),
    Replay(replay::ReplayArgs),
    Golden(golden::GoldenArgs),
    Lint(lint::LintArgs),
    Explain(explain::ExplainArgs),
    Proxy(proxy::ProxyArgs),
    Promote(promote::PromoteArgs),
    Sabotage(sabotage::SabotageArgs),
    Validate(validate::ValidateArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}

/// Parses the process's arguments, runs the command they name and returns its exit code.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Config(args) => config::run(args),
        Command::Worker(args) => worker::run(args),
        Command::Adapter(args) => adapter::run(args),
        Command::Call(args) => call::run(args),
        Command::Stream(args) => stream::run(args),
        Command::Status(args) => status::run(args),
        Command::Scale(args) => scale::run(args),
        Command::Reload(args) => reload::run(args),
        Command::Drain(args) => drain::run(args),
        Command::Check(args) => check::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Golden(args) => golden::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Proxy(args) => proxy::run(args),
        Command::Promote(args) => promote::run(args),
        Command::Sabotage(args) => sabotage::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
    }
}
