//! `dirty check`: judge an arbiter or a worker by the golden transcripts.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::subject::{self, PlayArgs};
use crate::check::report;
use crate::check::requirements::Requirements;
use crate::check::run::{Played, Run, Selection, SocketStage, run as play_all};
use crate::check::subject::Source;
use crate::check::transcript::FEATURES;
use crate::check::{FileError, corpus};
use crate::message::Role;

/// Judge an arbiter or a worker by the golden transcripts.
///
/// Exit codes: 0 conformant, 1 not, 2 wrong usage, 3 the subject could not be run.
#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(subcommand)]
    subject: SubjectArgs,
}

#[derive(Subcommand)]
enum SubjectArgs {
    /// Judge an arbiter: one that listens on a socket, one that is started by a command, or the built-in one.
    ///
    /// It must serve fixture:App (golden/README.md) by two workers of one slot each. A command finds in its environment what
    /// to be: DIRTY_SOCKET (a path), DIRTY_APPS (a JSON array), DIRTY_WORKERS, DIRTY_THREADS and DIRTY_TIMEOUT (seconds).
    /// When it serves, it writes a line that begins with "listening on " to standard output; the end of its standard input
    /// tells it to end.
    Arbiter {
        #[command(flatten)]
        common: Common,
        /// The command that starts the arbiter, after --.
        #[arg(last = true, value_name = "CMD", conflicts_with = "socket")]
        command: Vec<OsString>,
    },
    /// Judge a worker: one that listens on a socket, one that is started by a command, or the built-in one.
    ///
    /// A command is started under the worker contract (spec/workers.md): environment, READY, lifeline. It must serve
    /// fixture:App (golden/README.md).
    Worker {
        #[command(flatten)]
        common: Common,
        /// The command that starts the worker, after --.
        #[arg(last = true, value_name = "CMD", conflicts_with = "socket")]
        command: Vec<OsString>,
    },
}

#[derive(Args)]
struct Common {
    /// The socket of a subject that runs already. Without it one is started.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Write the report as JSON (schemas/report.schema.json) to this file, or to stdout with -.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as JUnit XML to this file, or to stdout with -: one test case for each requirement.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as one page to browse (HTML) to this file, or to stdout with -: requirements, transcripts, and the
    /// timed conversation of each.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Play only the transcripts whose id fits, such as "framing/*". May be repeated.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// A feature that the subject lacks: transcripts that need it are skipped, and said to be. May be repeated.
    #[arg(long, value_name = "FEATURE", value_parser = clap::builder::PossibleValuesParser::new(FEATURES))]
    without: Vec<String>,
    #[command(flatten)]
    play: PlayArgs,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Transcript(#[from] FileError),
    #[error("no transcript for this role fits {0}: `dirty golden list` lists them")]
    Nothing(String),
    #[error(transparent)]
    Subject(#[from] crate::check::subject::SubjectError),
    #[error("failed to find this program: {0}")]
    Itself(std::io::Error),
    #[error("failed to write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("failed to make the report: {0}")]
    Report(String),
}

pub(super) fn run(args: CheckArgs) -> ExitCode {
    let (role, common, command) = match args.subject {
        SubjectArgs::Arbiter { common, command } => (Role::Arbiter, common, command),
        SubjectArgs::Worker { common, command } => (Role::Worker, common, command),
    };
    match check(role, &common, command) {
        Ok(run) if run.is_conformant() => Exit::Ok.into(),
        Ok(_) => Exit::Failed.into(),
        Err(error) => {
            eprintln!("dirty check: {error}");
            match error {
                CheckError::Nothing(_) | CheckError::Transcript(_) => Exit::Usage.into(),
                _ => Exit::Unreachable.into(),
            }
        }
    }
}

fn check(role: Role, common: &Common, command: Vec<OsString>) -> Result<Run, CheckError> {
    let transcripts = corpus::transcripts()?;
    let requirements = Requirements::embedded()?;
    let selection = Selection { only: common.only.clone(), without: common.without.clone() };
    if !transcripts.iter().any(|it| it.judges(role) && selection.has(&it.id)) {
        return Err(CheckError::Nothing(common.only.join(" or ")));
    }
    let source = match &common.socket {
        Some(socket) => Source::Socket(socket.clone()),
        None if !command.is_empty() => Source::Command(command),
        None => Source::BuiltIn(std::env::current_exe().map_err(CheckError::Itself)?),
    };
    subject::end_on_interrupt();
    let mut stage = SocketStage::new(role, source);
    let mut out = Output { quiet: to_stdout(common) };
    let mut on_played = |played: &Played| out.line(&report::line(played));
    let run = play_all(transcripts, &mut stage, &selection, &common.play.options(), &mut on_played)?;
    for (played, failure) in run.failures() {
        out.line(&format!("\n{}", report::failure(played, failure, &requirements)));
    }
    out.line(&format!("\n{}", report::summary(&run, &requirements).trim_end()));
    if let Some(path) = &common.json {
        let text =
            report::json(&run, &requirements).map_err(|error| CheckError::Report(error.to_string()))?;
        write(path, &text)?;
    }
    if let Some(path) = &common.junit {
        let text =
            report::junit(&run, &requirements).map_err(|error| CheckError::Report(error.to_string()))?;
        write(path, &text)?;
    }
    if let Some(path) = &common.html {
        write(path, &report::html(&run, &requirements))?;
    }
    Ok(run)
}

/// Whether a report for programs goes to stdout, so that the one for people must not.
fn to_stdout(common: &Common) -> bool {
    [&common.json, &common.junit, &common.html].into_iter().flatten().any(|path| path == Path::new("-"))
}

/// Where the report for people goes.
struct Output {
    quiet: bool,
}

impl Output {
    fn line(&mut self, text: &str) {
        // Whoever reads this may stop reading; the exit code still says what was found.
        let _ = if self.quiet {
            writeln!(std::io::stderr().lock(), "{text}")
        } else {
            writeln!(std::io::stdout().lock(), "{text}")
        };
    }
}

fn write(path: &Path, text: &str) -> Result<(), CheckError> {
    let written = if path == Path::new("-") {
        std::io::stdout().lock().write_all(text.as_bytes())
    } else {
        std::fs::write(path, text)
    };
    written.map_err(|source| CheckError::Write { path: path.to_owned(), source })
}
