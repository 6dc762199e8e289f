//! `dirty replay`: play single transcripts and show the conversation.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::exit::Exit;
use super::subject::{self, PlayArgs};
use crate::check::requirements::Requirements;
use crate::check::run::{Run, Selection, SocketStage, Verdict, run as play_all};
use crate::check::subject::Source;
use crate::check::transcript::{Transcript, role_named};
use crate::check::{corpus, report};
use crate::message::Role;

/// Play transcripts and show the conversation.
///
/// Exit codes: 0 every one passed, 1 not, 2 wrong usage, 3 the subject could not be run.
#[derive(Args)]
pub(super) struct ReplayArgs {
    /// Transcripts: files, or ids of embedded ones (`dirty golden list`).
    #[arg(required = true, value_name = "FILE|ID")]
    transcripts: Vec<String>,
    /// The socket of a subject that runs already. Without it the built-in one is started.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Whom to judge: arbiter or worker. Without it the arbiter, if the transcript can judge one.
    #[arg(long, value_name = "ROLE", value_parser = role_named)]
    role: Option<Role>,
    #[command(flatten)]
    play: PlayArgs,
}

pub(super) fn run(args: ReplayArgs) -> ExitCode {
    let usage = |problem: String| {
        eprintln!("dirty replay: {problem}");
        ExitCode::from(Exit::Usage)
    };
    let loaded: Result<Vec<Transcript>, _> = args.transcripts.iter().map(|name| corpus::load(name)).collect();
    let (transcripts, requirements) = match (loaded, Requirements::embedded()) {
        (Ok(transcripts), Ok(requirements)) => (transcripts, requirements),
        (Err(error), _) | (_, Err(error)) => return usage(error.to_string()),
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return usage(format!("failed to find this program: {error}")),
    };
    let source = args.socket.map_or(Source::BuiltIn(program), Source::Socket);
    subject::end_on_interrupt();
    let mut stages = [Role::Arbiter, Role::Worker].map(|role| SocketStage::new(role, source.clone()));
    let mut exit = Exit::Ok;
    for transcript in transcripts {
        let id = transcript.id.clone();
        let played = stages
            .iter_mut()
            .zip([Role::Arbiter, Role::Worker])
            .find(|(_, role)| transcript.judges(*role) && args.role.is_none_or(|wanted| wanted == *role));
        let Some((stage, _)) = played else {
            let roles: Vec<&str> = transcript.roles.iter().map(|role| role.as_str()).collect();
            return usage(format!(
                "{id} judges {}: expected the role of a subject to replay against",
                roles.join(", ")
            ));
        };
        let options = args.play.options();
        match play_all(vec![transcript], stage, &Selection::default(), &options, &mut |_| ()) {
            Ok(run) => {
                show(&run, &requirements);
                if !run.is_conformant() {
                    exit = Exit::Failed;
                }
            }
            Err(error) => {
                eprintln!("dirty replay: {error}");
                return Exit::Unreachable.into();
            }
        }
    }
    exit.into()
}

fn show(run: &Run, requirements: &Requirements) {
    // Whoever reads this may stop reading; the exit code still says how it ended.
    let mut out = std::io::stdout().lock();
    for played in &run.played {
        let _ = match &played.verdict {
            Verdict::Failed(failure) => writeln!(out, "{}", report::failure(played, failure, requirements)),
            _ => writeln!(
                out,
                "{}\n  {}\n\n{}",
                report::line(played),
                played.transcript.title,
                report::conversation(played)
            ),
        };
    }
}
