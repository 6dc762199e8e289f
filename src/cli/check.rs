//! `dirty check`: judge an arbiter, a worker or a client by the golden transcripts.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::exit::Exit;
use super::sabotage;
use super::subject::{self, PlayArgs};
use crate::check::adapter::{ByHandStage, ClientStage, HELLO_WITHIN};
use crate::check::baseline::Baseline;
use crate::check::coverage::Coverage;
use crate::check::report;
use crate::check::requirements::Requirements;
use crate::check::run::{Played, Run, Selection, SocketStage, Stage, run as play_all};
use crate::check::sabotage::{Matrix, Saboteur};
use crate::check::subject::{Source, SubjectError};
use crate::check::transcript::{FEATURES, Level, Transcript};
use crate::check::{FileError, corpus};
use crate::message::Role;

/// Judge an arbiter, a worker or a client by the golden transcripts.
///
/// Exit codes: 0 conformant (or failing just as --baseline says), 1 not, 2 wrong usage, 3 the subject could not be run.
#[derive(Args)]
#[command(arg_required_else_help = true, args_conflicts_with_subcommands = true)]
pub(super) struct CheckArgs {
    /// Judge nothing: show what the transcripts cover, and how many saboteurs they catch.
    #[arg(long)]
    coverage: bool,
    #[command(subcommand)]
    subject: Option<SubjectArgs>,
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
        /// The socket of a subject that runs already. Without it one is started.
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
        /// Put a saboteur before it, to see how the transcripts catch that. `dirty sabotage list` shows the names.
        #[arg(long, value_name = "NAME", value_parser = sabotage::arbiter)]
        sabotage: Option<&'static Saboteur>,
        /// The command that starts the arbiter, after --.
        #[arg(last = true, value_name = "CMD", conflicts_with = "socket")]
        command: Vec<OsString>,
    },
    /// Judge a worker: one that listens on a socket, one that is started by a command, or the built-in one.
    ///
    /// A command is started under the worker contract (spec/workers.md): environment, READY, lifeline. It must serve
    /// fixture:App (golden/README.md).
    Worker {
        /// The socket of a subject that runs already. Without it one is started.
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
        /// Put a saboteur before it, to see how the transcripts catch that. `dirty sabotage list` shows the names.
        #[arg(long, value_name = "NAME", value_parser = sabotage::worker)]
        sabotage: Option<&'static Saboteur>,
        /// The command that starts the worker, after --.
        #[arg(last = true, value_name = "CMD", conflicts_with = "socket")]
        command: Vec<OsString>,
    },
    /// Judge a client: one that an adapter drives, or one that you drive by hand, or the built-in one.
    ///
    /// The kit plays the arbiter. An adapter is a small program that makes the client call what the kit says
    /// (golden/adapters.md); it is started once for each transcript.
    Client {
        #[command(flatten)]
        common: Common,
        /// Without an adapter: print the socket and the calls to make, and wait for you to make them. The socket is made
        /// at PATH, or in a temporary directory.
        #[arg(long, value_name = "PATH", num_args = 0..=1, conflicts_with = "command")]
        listen: Option<Option<PathBuf>>,
        /// Put a saboteur between the client and the kit, to see how the transcripts catch that. `dirty sabotage list`
        /// shows the names.
        #[arg(long, value_name = "NAME", value_parser = sabotage::client, conflicts_with = "listen")]
        sabotage: Option<&'static Saboteur>,
        /// The command that starts the adapter, after --.
        #[arg(last = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

#[derive(Args)]
struct Common {
    /// Write the report as JSON (schemas/report.schema.json) to this file, or to stdout with -.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as JUnit XML to this file, or to stdout with -: one test case for each requirement.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as Markdown to this file, or to stdout with -.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the report as one page to browse (HTML) to this file, or to stdout with -: requirements, transcripts, and the
    /// timed conversation of each.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Play only the transcripts whose id fits, such as "framing/*". May be repeated.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Play only the transcripts up to this level: L0 codec, L1 calls and errors, L2 streams and cancel, L3 pipelining,
    /// deadlines, metadata.
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(Level::ALL.map(Level::name)))]
    level: Option<String>,
    /// A feature that the subject lacks: transcripts that need it are skipped, and said to be. May be repeated.
    #[arg(long, value_name = "FEATURE", value_parser = PossibleValuesParser::new(FEATURES))]
    without: Vec<String>,
    /// Known failures with reasons (schemas/baseline.schema.json). One that does not fail any more fails the run.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    play: PlayArgs,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("no transcript for this role fits {0}: `dirty golden list` lists them")]
    Nothing(String),
    #[error("failed to read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Subject(#[from] SubjectError),
    #[error("failed to find this program: {0}")]
    Itself(std::io::Error),
    #[error("failed to make a place for the socket: {0}")]
    Place(std::io::Error),
    #[error("failed to write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("failed to make the report: {0}")]
    Report(String),
}

/// What is judged.
enum Subject {
    Served(Role, Source, Option<&'static Saboteur>),
    Adapter(Vec<OsString>, Option<&'static Saboteur>),
    ByHand(Option<PathBuf>),
}

pub(super) fn run(args: CheckArgs) -> ExitCode {
    let Some(asked) = args.subject else { return coverage() };
    match subject(asked).and_then(|(subject, common)| check(subject, &common)) {
        Ok(run) if run.is_as_expected() => Exit::Ok.into(),
        Ok(_) => Exit::Failed.into(),
        Err(error) => {
            eprintln!("dirty check: {error}");
            match error {
                CheckError::Nothing(_) | CheckError::File(_) | CheckError::Read { .. } => Exit::Usage.into(),
                _ => Exit::Unreachable.into(),
            }
        }
    }
}

/// `dirty check --coverage`.
fn coverage() -> ExitCode {
    let text = Matrix::embedded().and_then(|matrix| Ok(Coverage::of(&matrix)?.text()));
    match text {
        Ok(text) => {
            Output { quiet: false }.line(text.trim_end());
            Exit::Ok.into()
        }
        Err(error) => {
            eprintln!("dirty check: {error}");
            Exit::Usage.into()
        }
    }
}

fn subject(args: SubjectArgs) -> Result<(Subject, Common), CheckError> {
    let served = |role, socket: Option<PathBuf>, command: Vec<OsString>, saboteur| {
        Ok::<_, CheckError>(Subject::Served(
            role,
            match socket {
                Some(socket) => Source::Socket(socket),
                None if !command.is_empty() => Source::Command(command),
                None => Source::BuiltIn(std::env::current_exe().map_err(CheckError::Itself)?),
            },
            saboteur,
        ))
    };
    Ok(match args {
        SubjectArgs::Arbiter { socket, common, sabotage, command } => {
            (served(Role::Arbiter, socket, command, sabotage)?, common)
        }
        SubjectArgs::Worker { socket, common, sabotage, command } => {
            (served(Role::Worker, socket, command, sabotage)?, common)
        }
        SubjectArgs::Client { listen: Some(path), common, .. } => (Subject::ByHand(path), common),
        SubjectArgs::Client { command, common, sabotage, .. } => {
            (Subject::Adapter(command, sabotage), common)
        }
    })
}

fn check(subject: Subject, common: &Common) -> Result<Run, CheckError> {
    let transcripts = corpus::transcripts()?;
    let requirements = Requirements::embedded()?;
    let selection = selection(common, &transcripts)?;
    let role = match &subject {
        Subject::Served(role, ..) => *role,
        Subject::Adapter(..) | Subject::ByHand(_) => Role::Client,
    };
    if !transcripts.iter().any(|it| it.judges(role) && selection.has(it)) {
        let level = common.level.iter().map(|level| format!("level {level}"));
        let asked: Vec<String> = common.only.iter().cloned().chain(level).collect();
        return Err(CheckError::Nothing(asked.join(" and ")));
    }
    subject::end_on_interrupt();
    let out = Output { quiet: to_stdout(common) };
    let mut show = |text: &str| out.line(text);
    let mut place = None;
    let mut stage: Box<dyn Stage + '_> = match subject {
        Subject::Served(role, source, saboteur) => {
            let stage = SocketStage::new(role, source);
            Box::new(match saboteur {
                Some(saboteur) => stage.sabotaged_by(saboteur),
                None => stage,
            })
        }
        Subject::Adapter(command, saboteur) => {
            let stage = adapter(&command, common)?;
            Box::new(match saboteur {
                Some(saboteur) => stage.sabotaged_by(saboteur),
                None => stage,
            })
        }
        Subject::ByHand(Some(socket)) => Box::new(ByHandStage::new(socket, &mut show)),
        Subject::ByHand(None) => {
            let directory = tempfile::tempdir().map_err(CheckError::Place)?;
            let socket = place.insert(directory).path().join("arbiter.sock");
            Box::new(ByHandStage::new(socket, &mut show))
        }
    };
    let mut on_played = |played: &Played| out.line(&report::line(played));
    let run = play_all(transcripts, &mut *stage, &selection, &common.play.options(), &mut on_played)?;
    drop(stage);
    for (played, failure) in run.failures() {
        out.line(&format!("\n{}", report::failure(played, failure, &requirements)));
    }
    out.line(&format!("\n{}", report::summary(&run, &requirements).trim_end()));
    write_reports(common, &run, &requirements)?;
    Ok(run)
}

fn selection(common: &Common, transcripts: &[Transcript]) -> Result<Selection, CheckError> {
    let baseline = match &common.baseline {
        None => Baseline::default(),
        Some(path) => {
            let failed = |source| CheckError::Read { path: path.clone(), source };
            let text = std::fs::read(path).map_err(failed)?;
            Baseline::parse(&path.to_string_lossy(), &text, transcripts)?
        }
    };
    // The parser has let nothing but a level pass.
    let level = common.level.as_ref().and_then(|level| level.parse().ok());
    Ok(Selection { only: common.only.clone(), level, without: common.without.clone(), baseline })
}

/// The client that this command drives, or the built-in one.
fn adapter(command: &[OsString], common: &Common) -> Result<ClientStage, CheckError> {
    // A machine that is slow is slow in starting programs too; one that is quick need not hurry.
    let hello_within = HELLO_WITHIN.mul_f64(common.play.options().time_scale.max(1.0));
    if !command.is_empty() {
        return Ok(ClientStage::new(command.to_vec(), Some(command), hello_within)?);
    }
    let program = std::env::current_exe().map_err(CheckError::Itself)?;
    let command = vec![program.into(), "adapter".into(), "async".into()];
    Ok(ClientStage::new(command, None, hello_within)?)
}

fn write_reports(common: &Common, run: &Run, requirements: &Requirements) -> Result<(), CheckError> {
    if let Some(path) = &common.json {
        let text = report::json(run, requirements).map_err(|error| CheckError::Report(error.to_string()))?;
        write(path, &text)?;
    }
    if let Some(path) = &common.junit {
        let text = report::junit(run, requirements).map_err(|error| CheckError::Report(error.to_string()))?;
        write(path, &text)?;
    }
    if let Some(path) = &common.markdown {
        write(path, &report::markdown(run, requirements))?;
    }
    if let Some(path) = &common.html {
        write(path, &report::html(run, requirements))?;
    }
    Ok(())
}

/// Whether a report for programs goes to stdout, so that the one for people must not.
fn to_stdout(common: &Common) -> bool {
    [&common.json, &common.junit, &common.markdown, &common.html]
        .into_iter()
        .flatten()
        .any(|path| path == Path::new("-"))
}

/// Where the report for people goes.
struct Output {
    quiet: bool,
}

impl Output {
    fn line(&self, text: &str) {
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
