//! `dirty proxy`: record what live peers say to each other.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use crate::check::proxy::{ProxyError, ProxySocket, serve};
use crate::check::transcript::role_named;
use crate::message::Role;

/// Record what live peers say to each other, byte for byte.
///
/// It listens in front of an arbiter or a worker, passes everything on, and writes a trace (schemas/trace.schema.json)
/// until SIGINT or SIGTERM. `dirty promote` makes a transcript of a trace, `dirty explain` shows it.
///
/// Exit codes: 0 ended by a signal, 1 the trace could not be written, 2 wrong usage.
#[derive(Args)]
pub(super) struct ProxyArgs {
    /// The socket to listen on; only its owner may connect.
    #[arg(long, value_name = "PATH")]
    listen: PathBuf,
    /// The socket of the arbiter or worker to pass everything on to.
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// Where to write the trace; an existing file is replaced. With - to stdout.
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// What listens at --to.
    #[arg(long, value_name = "ROLE", default_value = "arbiter", value_parser = PossibleValuesParser::new(["arbiter", "worker"]).try_map(|name| role_named(&name)))]
    role: Role,
}

pub(super) fn run(args: ProxyArgs) -> ExitCode {
    let usage = |problem: String| {
        eprintln!("dirty proxy: {problem}");
        ExitCode::from(Exit::Usage)
    };
    let socket = match ProxySocket::bind(&args.listen) {
        Ok(socket) => socket,
        Err(error) => return usage(error.to_string()),
    };
    let out: Box<dyn Write> = if args.trace.as_os_str() == "-" {
        Box::new(std::io::stdout())
    } else {
        match File::create(&args.trace) {
            Ok(file) => Box::new(file),
            Err(error) => return usage(format!("failed to create {}: {error}", args.trace.display())),
        }
    };
    match record(&args, &socket, BufWriter::new(out)) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            eprintln!("dirty proxy: {error}");
            Exit::Failed.into()
        }
    }
}

fn record(args: &ProxyArgs, socket: &ProxySocket, out: impl Write + 'static) -> Result<(), ProxyError> {
    let failed = |source| ProxyError::Listen { path: args.listen.clone(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        eprintln!("recording on {}", args.listen.display());
        serve(socket, &args.to, args.role, out, stop).await
    })
}
