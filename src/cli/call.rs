//! `dirty call`: one call, one line. Also what `dirty stream` has in common with it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::value::RawValue;

use super::exit::Exit;
use crate::DirtyError;
use crate::client::Call;
use crate::client::blocking::Client;
use crate::discovery::socket_path;
use crate::message::{DirtyMessage, ErrorMessage, ErrorType};
use crate::wire::{Limits, Members};

/// Call an action and print its result.
///
/// The result is printed on stdout as the JSON text that the worker sent, on one line. An error goes to stderr, and the
/// exit code says what kind it is: 3 no arbiter can be reached, 4 a time limit passed, 5 the queue is full, 6 the app
/// raised it, 1 any other.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CallArgs {
    #[command(flatten)]
    request: RequestArgs,
}

const EXAMPLES: &str = r#"Arguments are JSON; quote them for the shell:
  dirty call fixture:App echo 1 '"text"' '[true, null]' -k size=256 -k name='"cat"'
  dirty call fixture:App sleep 0.5 '"done"' --timeout 2"#;

/// What is called, and how.
#[derive(Args)]
pub(super) struct RequestArgs {
    /// The app: "module:Class", as the arbiter serves it.
    #[arg(value_name = "APP")]
    app_path: String,
    /// The action of the app.
    #[arg(value_name = "ACTION")]
    action: String,
    /// The positional arguments, each a JSON value.
    #[arg(value_name = "JSON", value_parser = json, allow_negative_numbers = true)]
    args: Vec<Box<RawValue>>,
    /// A named argument. May be repeated.
    #[arg(short, long = "kwarg", value_name = "KEY=JSON", value_parser = kwarg)]
    kwargs: Vec<(String, Box<RawValue>)>,
    /// The arbiter's socket. Without it: DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET, or $XDG_RUNTIME_DIR/dirty/arbiter.sock.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How long to wait for the result, or for each item of a stream, in seconds; 0 for ever. The arbiter is told. Without
    /// it the arbiter's own limit decides, and after 330 seconds of silence the call is given up.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Print an error as its JSON object, {"error_type", "message", "details"}, on stdout instead of as text on stderr.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: CallArgs) -> ExitCode {
    let output = Output { command: "dirty call", json: args.request.json };
    output.finish(args.request.prepare().and_then(|call| {
        let result: Box<RawValue> = call.execute()?;
        output.line(&result)
    }))
}

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line cannot be carried out.
    Usage(String),
    /// The call failed.
    Call(DirtyError),
    /// The output could not be written.
    Output(io::Error),
}

impl From<DirtyError> for Failure {
    fn from(error: DirtyError) -> Self {
        Failure::Call(error)
    }
}

impl RequestArgs {
    /// The call that was asked for.
    pub(super) fn prepare(self) -> Result<Call<Client>, Failure> {
        let socket =
            socket_path(self.socket.as_deref()).map_err(|error| Failure::Usage(error.to_string()))?;
        let mut call = Client::connect(socket).call(&self.app_path, &self.action).args(self.args)?;
        for (index, (name, value)) in self.kwargs.iter().enumerate() {
            if self.kwargs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Failure::Usage(format!("the named argument {name:?} is given twice")));
            }
            call = call.kwarg(name, value)?;
        }
        Ok(match self.timeout {
            None => call,
            Some(Duration::ZERO) => call.no_timeout(),
            Some(limit) => call.timeout(limit),
        })
    }

    /// Whether errors are data.
    pub(super) fn json(&self) -> bool {
        self.json
    }
}

/// Where results and errors go: data to stdout, messages to stderr.
pub(super) struct Output {
    /// The command, for messages.
    pub command: &'static str,
    /// Whether errors are data.
    pub json: bool,
}

impl Output {
    /// Prints a value on one line, at once. Line breaks can only stand between the tokens of a JSON text.
    pub(super) fn line(&self, value: &RawValue) -> Result<(), Failure> {
        self.text(&value.get().replace(['\n', '\r'], " "))
    }

    fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// Reports how the command ended.
    pub(super) fn finish(&self, result: Result<(), Failure>) -> ExitCode {
        let exit = match result {
            Ok(()) => Exit::Ok,
            // Whoever reads has had enough, as `head` does: nothing is wrong.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Err(Failure::Output(error)) => {
                eprintln!("{}: failed to write the output: {error}", self.command);
                Exit::Failed
            }
            Err(Failure::Usage(problem)) => {
                eprintln!("{}: {problem}", self.command);
                Exit::Usage
            }
            Err(Failure::Call(error)) => {
                let exit = exit_of(&error);
                if !self.json {
                    explain(self.command, &error);
                } else if self.text(&object(&error)).is_err() {
                    // Nobody reads; the exit code still tells.
                }
                exit
            }
        };
        exit.into()
    }
}

/// Tells a person what went wrong.
fn explain(command: &str, error: &DirtyError) {
    eprintln!("{command}: {error}");
    let details = error.details();
    if let Some(seconds) = &details.retry_after {
        eprintln!("  try again in {seconds} s");
    }
    if let Some(traceback) = &details.traceback {
        eprintln!("{}", traceback.trim_end());
    }
}

/// The exit code that says what kind of error it was.
pub(super) fn exit_of(error: &DirtyError) -> Exit {
    match error.error_type().known() {
        ErrorType::DirtyConnectionError => Exit::Unreachable,
        ErrorType::DirtyTimeoutError => Exit::Timeout,
        ErrorType::DirtyOverloadedError => Exit::Overloaded,
        ErrorType::DirtyAppError => Exit::App,
        _ => Exit::Failed,
    }
}

/// The error as its JSON object.
fn object(error: &DirtyError) -> String {
    let message = DirtyMessage::from(ErrorMessage::new(None, error.clone())).encode();
    let members = Members::read(&message, &Limits::default());
    // A message that was just written can be read.
    members
        .ok()
        .and_then(|members| members.get("error").map(|member| member.value.to_owned()))
        .unwrap_or_default()
}

/// Reads a JSON value, and explains what to do about a word that is none.
fn json(text: &str) -> Result<Box<RawValue>, String> {
    let problem = match serde_json::from_str::<Box<RawValue>>(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let python = match text {
        "True" => Some("true"),
        "False" => Some("false"),
        "None" => Some("null"),
        _ => None,
    };
    if let Some(json) = python {
        return Err(format!("not JSON, where it is written {json}"));
    }
    // What begins like a structure is one with a mistake in it; anything else is probably meant as a text.
    if text.starts_with(['{', '[', '"']) {
        return Err(format!("not JSON: {problem}"));
    }
    let quoted = serde_json::to_string(text).unwrap_or_default().replace('\'', r"'\''");
    Err(format!("not JSON; to pass it as a text, write '{quoted}'"))
}

fn kwarg(text: &str) -> Result<(String, Box<RawValue>), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), json(value)?)),
        _ => Err("expected KEY=JSON".to_owned()),
    }
}

/// A time that an option gives.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Result<f64, _> = text.parse();
    seconds
        .ok()
        .filter(|seconds| (0.0..=1e9).contains(seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds, from 0 to 1000000000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_json_is_explained() {
        let explained = |text| json(text).unwrap_err();
        assert_eq!(json(" {\"a\": 1.10}").unwrap().get(), "{\"a\": 1.10}");
        assert!(explained("hello").ends_with(r#"to pass it as a text, write '"hello"'"#));
        assert!(explained("it's").ends_with(r#"write '"it'\''s"'"#));
        assert!(explained("NaN").contains("not JSON"));
        assert_eq!(explained("True"), "not JSON, where it is written true");
        assert!(!explained("[1,").contains("as a text"));
        assert!(!explained("{a: 1}").contains("as a text"));
    }

    #[test]
    fn named_arguments_are_split_at_the_first_equals_sign() {
        let (name, value) = kwarg(r#"a="b=c""#).unwrap();
        assert_eq!((name.as_str(), value.get()), ("a", r#""b=c""#));
        assert_eq!(kwarg("=1").unwrap_err(), "expected KEY=JSON");
        assert_eq!(kwarg("a").unwrap_err(), "expected KEY=JSON");
    }
}
