//! `dirty explain`: what bytes say, field by field.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::exit::Exit;
use crate::check::explain::Explainer;
use crate::check::template::Bindings;
use crate::check::trace_file::{TraceFile, What};
use crate::check::transcript::{Body, Step, Transcript};
use crate::check::value::Value;

/// Explain bytes field by field: where each is, what it means, and which requirement speaks of it.
///
/// Two lanes tell who says what, in a trace and in a transcript. Exit code 1 when something is wrong in bytes or messages.
#[derive(Args)]
pub(super) struct ExplainArgs {
    /// Hexadecimal digits of frames; a file that holds frames, a trace, a transcript or one message; or - for standard input.
    #[arg(value_name = "HEX|FILE")]
    what: String,
}

pub(super) fn run(args: ExplainArgs) -> ExitCode {
    let text = match explain(&args.what) {
        Ok(text) => text,
        Err(problem) => {
            eprintln!("dirty explain: {problem}");
            return Exit::Usage.into();
        }
    };
    let mut out = std::io::stdout().lock();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for line in text.lines() {
        // What a peer has sent must not steer the terminal.
        let line: String = line.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
        // Whoever reads this may stop reading: that is no failure.
        let _ = match colour && is_fault(&line) {
            true => writeln!(out, "\x1b[31m{line}\x1b[0m"),
            false => writeln!(out, "{line}"),
        };
    }
    let wrong = text.lines().any(is_fault);
    if wrong { Exit::Failed.into() } else { Exit::Ok.into() }
}

/// Whether a line, in either lane, says what is wrong.
fn is_fault(line: &str) -> bool {
    line.trim_start_matches([' ', '|']).starts_with("WRONG ")
}

fn explain(what: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{what}: cannot be read: {error}");
    let mut bytes = Vec::new();
    if what == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
    } else if Path::new(what).exists() {
        bytes = std::fs::read(what).map_err(failed)?;
    } else {
        bytes = hexadecimal(what.as_bytes())
            .ok_or_else(|| format!("{what:?} is neither a file nor hexadecimal digits of whole bytes"))?;
        return Ok(Explainer::new().frames(&bytes));
    }
    let explainer = Explainer::new();
    if TraceFile::is_one(&bytes) {
        let trace = TraceFile::parse(what, &bytes).map_err(|error| error.to_string())?;
        return Ok(of_trace(&explainer, &trace));
    }
    if let Ok(value) = Value::parse(&bytes)
        && value.get("format").is_some()
    {
        let transcript = Transcript::parse(what, &bytes).map_err(|error| error.to_string())?;
        return Ok(of_transcript(&explainer, &transcript));
    }
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(explainer.message(&bytes, 0));
    }
    Ok(explainer.frames(&hexadecimal(&bytes).unwrap_or(bytes)))
}

/// The bytes that digits stand for; white space between them does not count.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0 && !digits.is_empty())?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// `text` in the lane of who speaks: the connecting side on the left.
fn lane(head: &str, right: bool, text: &str) -> String {
    let indent = if right { "                    | " } else { "" };
    let lines = std::iter::once(head).chain(text.lines());
    lines.map(|line| format!("{indent}{line}\n")).collect()
}

fn of_trace(explainer: &Explainer, trace: &TraceFile) -> String {
    let events = trace.events.iter().map(|event| {
        let right = event.from == trace.header.listener;
        let head = format!("{:.3} ms  {} {}", event.at_us as f64 / 1000.0, event.on, event.from);
        match &event.what {
            What::Open(_) => lane(&format!("{head} connects"), right, ""),
            What::Close(how) => lane(&format!("{head} ends: {how:?}").to_lowercase(), right, ""),
            _ => lane(&format!("{head} says"), right, &explainer.frames(&event.bytes())),
        }
    });
    events.collect()
}

fn of_transcript(explainer: &Explainer, transcript: &Transcript) -> String {
    let mut text = format!("{}\n  {}\n", transcript.id, transcript.title);
    let first = transcript.steps.iter().find_map(Step::from);
    let mut vars = transcript.vars.clone();
    for name in transcript.steps.iter().flat_map(Step::templates).flat_map(|template| template.variables()) {
        vars.entry(name.to_string()).or_insert_with(|| Value::string(name));
    }
    let mut bindings = Bindings::new();
    for (index, step) in transcript.steps.iter().enumerate() {
        let Some(from) = step.from() else { continue };
        let head = format!("step {}  {} {from}", index + 1, step.on());
        let said = match step {
            Step::Wire(wire) => match &wire.body {
                Body::Raw(raw) => explainer.frames(&raw.bytes),
                Body::Close => "  ends the connection".to_string(),
                Body::Quiet(time) => format!("  nothing for {} ms", time.as_millis()),
                Body::Message(_) => String::new(),
            },
            _ => String::new(),
        };
        let messages = step.templates().into_iter().filter_map(|it| it.render(&mut bindings, &vars).ok());
        let messages: String = messages.map(|it| explainer.message(it.to_string().as_bytes(), 4)).collect();
        text.push_str(&lane(&head, Some(from) != first, &(said + &messages)));
    }
    text
}
