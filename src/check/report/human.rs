//! The report for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Status, counts, entries, verdict_text};
use crate::check::explain::Explainer;
use crate::check::failure::Failure;
use crate::check::requirements::Requirements;
use crate::check::run::{Counts, Played, Run, Verdict};
use crate::check::sabotage::{Matrix, Saboteur};
use crate::check::trace::{Event, What};
use crate::check::transcript::Level;
use crate::check::value::excerpt;

/// How many transcripts have to fail before they resemble anything: one looks like many.
const ENOUGH: usize = 2;

/// How wide a conversation is, in characters.
const WIDTH: usize = 110;

/// Where the lane of the subject begins.
const SUBJECT_LANE: usize = 40;

/// How much of one message a conversation shows, in bytes.
const SHOWN: usize = 360;

/// One line about a transcript: whether it passed, and how long it took.
pub fn line(played: &Played) -> String {
    let id = &played.transcript.id;
    match &played.verdict {
        Verdict::Passed if played.departures.is_empty() => {
            format!("ok      {id} ({})", time(played.duration))
        }
        Verdict::Passed => {
            let ids =
                played.departures.iter().map(|it| it.requirement).collect::<std::collections::BTreeSet<_>>();
            let ids: Vec<&str> = ids.into_iter().collect();
            format!("ok      {id} ({}), without {} (SHOULD)", time(played.duration), ids.join(" "))
        }
        Verdict::Failed(failure) => {
            let blame = if failure.problem.blames_subject() { "FAILED " } else { "BROKEN " };
            format!("{blame} {id} ({}): {}", time(played.duration), excerpt(&failure.to_string(), 160))
        }
        Verdict::Known { failure, reason } => {
            let problem = excerpt(&failure.to_string(), 160);
            format!("known   {id} ({}): {problem} (known: {reason})", time(played.duration))
        }
        Verdict::Skipped { lacks } => format!("skipped {id}: needs {lacks}"),
        Verdict::NotRun { .. } => format!("NOT RUN {id}"),
    }
}

/// Everything about a failed transcript: what it claims, what happened and when, what differs, the requirements in
/// question, and the command that plays just this one again.
pub fn failure(played: &Played, failure: &Failure, requirements: &Requirements) -> String {
    let mut text = format!("FAILED {}\n  {}\n\n", played.transcript.id, played.transcript.title);
    text.push_str(&conversation(played));
    text.push('\n');
    text.push_str(&wrapped(&failure.to_string(), 2, 4));
    let fields = fields_at_fault(played, failure);
    if !fields.is_empty() {
        text.push_str("\n  what came, field by field:\n");
        fields.lines().for_each(|line| text.push_str(&format!("  {}\n", line.trim_end())));
    }
    if let Some(note) = &played.transcript.note {
        text.push_str(&wrapped(&format!("note: {note}"), 2, 4));
    }
    text.push('\n');
    let broken = failure.problem.requirement().into_iter();
    let mut named: Vec<&str> = Vec::new();
    for id in broken.chain(played.transcript.proves.iter().map(String::as_str)) {
        if named.contains(&id) {
            continue;
        }
        named.push(id);
        if let Some(requirement) = requirements.get(id) {
            let head = format!("{id} ({}): ", requirement.level);
            text.push_str(&wrapped(&format!("{head}{}", requirement.text), 2, 4));
        }
    }
    let _ = write!(text, "\n  again: {}", played.again);
    text
}

/// The message that differs from what was expected, if it is one, each field with the requirement that speaks of it.
fn fields_at_fault(played: &Played, failure: &Failure) -> String {
    let Some(pointer) = failure.problem.pointer() else { return String::new() };
    let events = played.trace.iter().flat_map(|trace| trace.events().iter());
    let at_fault = events.rev().find(|event| event.subject && event.step == Some(failure.step));
    match at_fault.map(|event| &event.what) {
        Some(What::Message(text)) => Explainer::new().fields(text.as_bytes(), pointer),
        _ => String::new(),
    }
}

/// What happened in a transcript, and when: the kit on the left, the subject on the right.
pub fn conversation(played: &Played) -> String {
    let Some(trace) = &played.trace else { return String::new() };
    let mut text = String::new();
    let by = |subject: bool| {
        let event = trace.events().iter().find(|event| event.subject == subject);
        event.map(|event| event.by.as_str())
    };
    let kit = by(false).map_or_else(|| "the kit".to_string(), |role| format!("the kit ({role})"));
    let _ = writeln!(text, "  {:>10}      {kit:<24} {}", "", by(true).unwrap_or("the subject"));
    for event in trace.events() {
        let mark = match (event.step, event.subject) {
            (Some(step), _) => format!("{step:>3}"),
            (None, _) => "  +".to_string(),
        };
        let head = format!("  {:>10} {mark} {:<3}", time(event.at), event.on);
        let indent = if event.subject { SUBJECT_LANE } else { head.chars().count() + 1 };
        let shown = wrapped(&describe(event), indent, indent + 2);
        // The head takes the place of the first line's indentation.
        let first: String = shown.chars().skip(head.chars().count()).collect();
        let _ = write!(text, "{head}{first}");
    }
    text
}

fn describe(event: &Event) -> String {
    let arrow = if event.subject { "<-" } else { "->" };
    match &event.what {
        What::Open => format!("{arrow} (connects)"),
        What::Close => format!("{arrow} (ends the connection)"),
        What::Quiet(time) => format!(".. (nothing for {} ms)", time.as_millis()),
        What::Message(text) => format!("{arrow} {}", excerpt(text, SHOWN)),
        What::Raw(text) => format!("{arrow} raw {}", excerpt(text, SHOWN)),
        What::Api(text) if event.subject => format!("<- caller sees {}", excerpt(text, SHOWN)),
        What::Api(text) => format!("-> calls {}", excerpt(text, SHOWN)),
        What::Note(text) => format!("({})", excerpt(text, SHOWN)),
    }
}

/// The end of a report: how many transcripts passed, at which levels, and what that says of the requirements.
pub fn summary(run: &Run, requirements: &Requirements) -> String {
    let counts_of_run = run.counts();
    let entries = entries(run, requirements);
    let plural = if run.played.len() == 1 { "" } else { "s" };
    let mut text = format!("{} transcript{plural} on {}: ", run.played.len(), run.subject);
    let _ = write!(text, "{}", tally(counts_of_run));
    if !run.left_out.is_empty() {
        let _ = write!(text, ", {} left out", run.left_out.len());
    }
    let _ = writeln!(text, " ({})", time(run.duration));
    for level in Level::ALL {
        let counts = run.counts_of(level);
        if counts != Counts::default() {
            let _ = writeln!(text, "  {} {}: {}", level.name(), level.adds(), tally(counts));
        }
    }
    let counts = counts(&entries).into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
    let _ = writeln!(text, "{} requirements: {}", entries.len(), counts.join(", "));
    for (status, what) in
        [(Status::Failed, "failed requirements"), (Status::Departed, "does without, as a SHOULD allows")]
    {
        let named = entries.iter().filter(|entry| entry.status == status);
        let named: Vec<&str> = named.map(|entry| entry.requirement.id.as_str()).collect();
        if !named.is_empty() {
            text.push_str(&wrapped(&format!("{what}: {}", named.join(" ")), 0, 2));
        }
    }
    let dead = run.played.iter().find_map(|it| match &it.verdict {
        Verdict::NotRun { reason } => Some(reason),
        _ => None,
    });
    if let Some(reason) = dead {
        text.push_str(&wrapped(&format!("not run: {reason}"), 0, 2));
    }
    for known in run.stale() {
        let problem = format!(
            "stale entry of the baseline: {} does not fail as it says ({}): expected it to be removed",
            known.transcript, known.reason
        );
        text.push_str(&wrapped(&problem, 0, 2));
    }
    if let [saboteur, others @ ..] = &resembled(run)[..] {
        let others = match others {
            [] => String::new(),
            [other] => format!(" (or {})", other.name),
            others => format!(" (or one of {} others that fail the same of these)", others.len()),
        };
        let what = format!("resembles the saboteur {}{others}: {}", saboteur.name, saboteur.does);
        text.push_str(&wrapped(&what, 0, 2));
    }
    let _ = writeln!(text, "{}", verdict_text(run));
    text
}

fn tally(counts: Counts) -> String {
    let Counts { passed, failed, known, skipped, not_run } = counts;
    let mut text = format!("{passed} passed");
    for (count, what) in [(failed, "FAILED"), (known, "known"), (skipped, "skipped"), (not_run, "NOT RUN")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

/// The saboteur whose failures are most like those of the run.
fn resembled(run: &Run) -> Vec<&'static Saboteur> {
    let played: Vec<&str> = run.played.iter().map(|it| it.transcript.id.as_str()).collect();
    let failed: Vec<&str> = run.failures().map(|(it, _)| it.transcript.id.as_str()).collect();
    if failed.len() < ENOUGH {
        return Vec::new();
    }
    let matrix = Matrix::embedded();
    matrix.map(|matrix| matrix.resembled(run.role, &played, &failed)).unwrap_or_default()
}

/// `text` in lines of [`WIDTH`], the first indented by `first`, the others by `rest`: broken behind spaces and commas,
/// and inside what is too long for a line of its own.
fn wrapped(text: &str, first: usize, rest: usize) -> String {
    let lines = text.lines().enumerate();
    lines.map(|(index, line)| wrapped_line(line, if index == 0 { first } else { rest }, rest)).collect()
}

fn wrapped_line(text: &str, first: usize, rest: usize) -> String {
    let mut out = String::new();
    let mut line = " ".repeat(first);
    let mut used = first;
    for word in text.split_inclusive([' ', ',']) {
        let length = word.trim_end().chars().count();
        let cut = length > WIDTH - rest;
        if used + length > WIDTH && !cut {
            let _ = writeln!(out, "{}", line.trim_end());
            line = " ".repeat(rest);
            used = rest;
        }
        for character in word.chars() {
            if used >= WIDTH && character != ' ' {
                let _ = writeln!(out, "{}", line.trim_end());
                line = " ".repeat(rest);
                used = rest;
            }
            line.push(character);
            used += 1;
        }
    }
    let _ = writeln!(out, "{}", line.trim_end());
    out
}

pub(super) fn time(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..=9_999 => format!("{:.1} ms", micros as f64 / 1000.0),
        micros @ 10_000..=999_999 => format!("{} ms", micros / 1000),
        micros => format!("{:.2} s", micros as f64 / 1e6),
    }
}
