//! `dirty demo`: the whole idea on real processes and real sockets, in half a minute.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::value::RawValue;

use super::exit::Exit;
use crate::DirtyError;
use crate::check::corpus;
use crate::check::replay::Options;
use crate::check::run::{Played, Run, Selection, SocketStage, Verdict, run as play};
use crate::check::subject::{Source, without_settings};
use crate::check::transcript::Transcript;
use crate::client::blocking::Client;
use crate::message::{DirtyMessage, Role};
use crate::wire::{Limits, Members};

/// Show a call, a stream, errors, and then the whole golden suite, on real processes and real sockets.
///
/// Takes less than half a minute, needs nothing, and leaves nothing behind.
#[derive(Args)]
pub(super) struct DemoArgs {
    /// Leave the golden suite out.
    #[arg(long)]
    no_golden: bool,
}

/// What the golden suite is played with: so many subjects of a role side by side, for most of its time is waiting.
const STAGES: [(Role, usize); 2] = [(Role::Arbiter, 4), (Role::Worker, 2)];

pub(super) fn run(args: DemoArgs) -> ExitCode {
    match demo(&args) {
        Ok(true) => Exit::Ok.into(),
        Ok(false) => Exit::Failed.into(),
        Err(error) => {
            eprintln!("dirty demo: {error}");
            Exit::Unreachable.into()
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("failed to {action}: {source}")]
    System { action: &'static str, source: std::io::Error },
    #[error("the arbiter did not start: {0:?}")]
    NotListening(String),
    #[error("a call failed that should not: {0}")]
    Call(#[from] DirtyError),
    #[error("a call succeeded that should not: {0}")]
    NoError(&'static str),
    #[error(transparent)]
    Golden(#[from] crate::check::FileError),
    #[error(transparent)]
    Subject(#[from] crate::check::subject::SubjectError),
}

fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> DemoError {
    move |source| DemoError::System { action, source }
}

fn demo(args: &DemoArgs) -> Result<bool, DemoError> {
    let begun = Instant::now();
    let arbiter = DemoArbiter::start()?;
    say(&format!("An arbiter with two worker processes (pid {}), on a private socket.", arbiter.child.id()));
    show("dirty serve --socket d.sock &");
    let client = Client::connect(&arbiter.socket);

    say("A call: the arguments travel to a worker process, the result comes back.");
    show(r#"dirty call fixture:App echo 1 '"x"' -k a=2"#);
    let echo = client.call("fixture:App", "echo").args((1, "x"))?.kwarg("a", 2)?;
    println!("{}", echo.execute::<Box<RawValue>>()?);

    say("A stream: the tokens of a model appear as they are made.");
    show(r#"dirty stream demo:LLM generate '"Why is the sky blue?"'"#);
    for token in client.stream::<String>("demo:LLM", "generate", ("Why is the sky blue?",))? {
        print!("{}", token?);
        flush();
    }
    println!();

    say("An error keeps its type and its details on the way.");
    show(r#"dirty call fixture:App fail '"out of cheese"'"#);
    let error = expect_error(&client, "fail", ("out of cheese",))?;
    print_error(&error);

    say("A worker dies: its own call fails at once, and a new worker takes its place.");
    show("dirty call fixture:App die 7");
    print_error(&expect_error(&client, "die", (7,))?);
    show("dirty call fixture:App whoami");
    println!("{}", client.execute::<Box<RawValue>>("fixture:App", "whoami", ())?);

    say("A call that takes too long is answered in time.");
    show("dirty call fixture:App hang --timeout 0.5");
    let hang = client.call("fixture:App", "hang").timeout(Duration::from_millis(500));
    let error = hang.execute::<Box<RawValue>>().err().ok_or(DemoError::NoError("hang"))?;
    print_error(&error);
    drop(client);
    drop(arbiter);

    let conformant = args.no_golden || golden()?;
    println!("\nDone in {:.1} s.", begun.elapsed().as_secs_f64());
    Ok(conformant)
}

fn expect_error(
    client: &Client,
    action: &'static str,
    args: impl crate::client::Args,
) -> Result<DirtyError, DemoError> {
    let outcome = client.call("fixture:App", action).args(args)?.execute::<Box<RawValue>>();
    outcome.err().ok_or(DemoError::NoError(action))
}

fn print_error(error: &DirtyError) {
    println!("{error}");
    let message = DirtyMessage::from(error.clone().into_message(None)).encode();
    let members = Members::read(&message, &Limits::default()).ok();
    if let Some(object) = members.as_ref().and_then(|members| members.get("error")) {
        println!("  as sent: {}", object.value);
    }
}

fn say(text: &str) {
    println!("\n# {text}");
}

fn show(command: &str) {
    println!("$ {command}");
}

fn flush() {
    // Nobody to read it is no reason to stop.
    let _ = std::io::stdout().flush();
}

/// Plays every transcript that judges an arbiter or a worker; true when all passed.
fn golden() -> Result<bool, DemoError> {
    let transcripts = corpus::transcripts()?;
    super::subject::end_on_interrupt();
    say(&format!("The golden suite: {} transcripts, replayed over real sockets.", transcripts.len()));
    show("dirty check arbiter && dirty check worker");
    let failures = Mutex::new(Vec::new());
    let mut conformant = true;
    for (role, lanes) in STAGES {
        let begun = Instant::now();
        let runs = play_side_by_side(&transcripts, role, lanes, &failures)?;
        let (mut passed, mut failed) = (0, 0);
        for run in &runs {
            let counts = run.counts();
            passed += counts.passed;
            failed += counts.failed + counts.skipped + counts.not_run;
        }
        println!("\n{role}: {passed} passed, {failed} failed, in {:.1} s", begun.elapsed().as_secs_f64());
        conformant &= failed == 0;
    }
    for line in failures.into_inner().unwrap_or_default() {
        println!("{line}");
    }
    Ok(conformant)
}

fn play_side_by_side(
    transcripts: &[Transcript],
    role: Role,
    lanes: usize,
    failures: &Mutex<Vec<String>>,
) -> Result<Vec<Run>, DemoError> {
    let judging: Vec<&Transcript> = transcripts.iter().filter(|transcript| transcript.judges(role)).collect();
    let program = std::env::current_exe().map_err(system("find this program"))?;
    std::thread::scope(|scope| {
        let lane = |number: usize| {
            let share: Vec<Transcript> =
                judging.iter().skip(number).step_by(lanes).map(|transcript| (*transcript).clone()).collect();
            let program = &program;
            scope.spawn(move || {
                let mut stage = SocketStage::new(role, Source::BuiltIn(program.clone()));
                let mut on_played = |played: &Played| tick(played, failures);
                play(share, &mut stage, &Selection::default(), &Options::default(), &mut on_played)
            })
        };
        let handles: Vec<_> = (0..lanes).map(lane).collect();
        // A lane that panicked has said why.
        handles
            .into_iter()
            .filter_map(|handle| handle.join().ok())
            .map(|run| run.map_err(DemoError::from))
            .collect()
    })
}

fn tick(played: &Played, failures: &Mutex<Vec<String>>) {
    let passed = played.verdict == Verdict::Passed;
    print!("{}", if passed { "." } else { "F" });
    flush();
    if !passed && let Ok(mut failures) = failures.lock() {
        failures.push(format!("failed: {}: {}", played.transcript.id, played.again));
    }
}

/// A `dirty serve` of its own, in a directory of its own.
struct DemoArbiter {
    child: Child,
    socket: PathBuf,
    _directory: tempfile::TempDir,
}

impl DemoArbiter {
    fn start() -> Result<DemoArbiter, DemoError> {
        let directory = tempfile::tempdir().map_err(system("make a private directory"))?;
        let socket = directory.path().join("d.sock");
        let child = serve(&socket).map_err(system("start dirty serve"))?;
        let mut arbiter = DemoArbiter { child, socket, _directory: directory };
        let mut line = String::new();
        if let Some(stdout) = arbiter.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(system("read from dirty serve"))?;
        }
        if line.starts_with("listening on ") { Ok(arbiter) } else { Err(DemoError::NotListening(line)) }
    }
}

fn serve(socket: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--log-level", "error", "--cancel-grace", "0.2", "--socket"]).arg(socket);
    without_settings(&mut command);
    // Errors are part of the demonstration; the log of them would only be in the way.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

impl Drop for DemoArbiter {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Our own child, not yet waited for.
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}
