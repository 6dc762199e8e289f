//! The report for programs: `schemas/report.schema.json`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{counts, entries};
use crate::check::failure::Failure;
use crate::check::requirements::Requirements;
use crate::check::run::{Played, Run, Verdict};
use crate::check::trace::Event;
use crate::check::transcript::Level;

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    kit: Kit,
    role: &'static str,
    subject: &'a str,
    delivery: &'static str,
    conformant: bool,
    as_expected: bool,
    partial: bool,
    duration_ms: f64,
    totals: Totals,
    levels: Vec<OfLevel>,
    stale: Vec<&'a str>,
    requirements: Vec<Entry<'a>>,
    transcripts: Vec<Transcript<'a>>,
}

#[derive(Serialize)]
struct Kit {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Totals {
    transcripts: BTreeMap<&'static str, usize>,
    requirements: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct OfLevel {
    level: &'static str,
    adds: &'static str,
    transcripts: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    level: &'a str,
    text: &'a str,
    anchor: &'a str,
    roles: Vec<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    transcripts: Vec<&'a str>,
    failed: Vec<&'a str>,
}

#[derive(Serialize)]
struct Transcript<'a> {
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    proves: &'a [String],
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Fault<'a>>,
    departures: Vec<Departed<'a>>,
    duration_ms: f64,
    again: &'a str,
    trace: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Departed<'a> {
    requirement: &'a str,
    step: usize,
    pointer: &'a str,
    wanted: &'a str,
    got: &'a str,
}

#[derive(Serialize)]
struct Fault<'a> {
    step: usize,
    on: &'a str,
    problem: String,
    blame: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requirement: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    at_ms: f64,
    on: &'a str,
    by: &'static str,
    subject: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    kind: &'static str,
    text: String,
}

/// The report as JSON text.
///
/// # Errors
/// A report is always representable, so that an error is a fault of the kit.
pub fn json(run: &Run, requirements: &Requirements) -> Result<String, serde_json::Error> {
    let entries = entries(run, requirements);
    let report = Report {
        format: "dirty-report/1",
        kit: Kit { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        role: run.role.as_str(),
        subject: &run.subject,
        delivery: run.options.delivery.name(),
        conformant: run.is_conformant(),
        as_expected: run.is_as_expected(),
        partial: !run.left_out.is_empty(),
        duration_ms: milliseconds(run.duration),
        totals: Totals {
            transcripts: BTreeMap::from(run.counts().named()),
            requirements: BTreeMap::from(counts(&entries)),
        },
        levels: Level::ALL
            .into_iter()
            .map(|level| OfLevel {
                level: level.name(),
                adds: level.adds(),
                transcripts: BTreeMap::from(run.counts_of(level).named()),
            })
            .collect(),
        stale: run.stale().into_iter().map(|known| known.transcript.as_str()).collect(),
        requirements: entries
            .into_iter()
            .map(|entry| Entry {
                id: &entry.requirement.id,
                level: &entry.requirement.level,
                text: &entry.requirement.text,
                anchor: &entry.requirement.anchor,
                roles: entry.requirement.roles.iter().map(|role| role.as_str()).collect(),
                status: entry.status.name(),
                reason: entry.reason(run),
                transcripts: entry.transcripts,
                failed: entry.failed,
            })
            .collect(),
        transcripts: run.played.iter().map(transcript).collect(),
    };
    serde_json::to_string_pretty(&report).map(|text| text + "\n")
}

fn transcript(played: &Played) -> Transcript<'_> {
    let (verdict, lacks, reason, failure) = match &played.verdict {
        Verdict::Passed => ("passed", None, None, None),
        Verdict::Failed(failure) => ("failed", None, None, Some(fault(failure))),
        Verdict::Known { failure, reason } => ("known", None, Some(reason.as_str()), Some(fault(failure))),
        Verdict::Skipped { lacks } => ("skipped", Some(lacks.as_str()), None, None),
        Verdict::NotRun { reason } => ("not_run", None, Some(reason.as_str()), None),
    };
    let departures = played.departures.iter().map(|it| Departed {
        requirement: it.requirement,
        step: it.step,
        pointer: it.mismatch.pointer.as_str(),
        wanted: &it.mismatch.wanted,
        got: &it.mismatch.got,
    });
    Transcript {
        id: &played.transcript.id,
        title: &played.transcript.title,
        level: played.transcript.level.map(Level::name),
        proves: &played.transcript.proves,
        verdict,
        lacks,
        reason,
        failure,
        departures: departures.collect(),
        duration_ms: milliseconds(played.duration),
        again: &played.again,
        trace: played.trace.iter().flat_map(|trace| trace.events()).map(event).collect(),
    }
}

fn fault(failure: &Failure) -> Fault<'_> {
    let mismatch = failure.problem.mismatch();
    Fault {
        step: failure.step,
        on: &failure.on,
        problem: failure.problem.to_string(),
        blame: if failure.problem.blames_subject() { "subject" } else { "kit" },
        pointer: failure.problem.pointer(),
        wanted: mismatch.map(|it| it.wanted.as_str()),
        got: mismatch.map(|it| it.got.as_str()),
        requirement: failure.problem.requirement(),
    }
}

fn event(event: &Event) -> Line<'_> {
    Line {
        at_ms: milliseconds(event.at),
        on: &event.on,
        by: event.by.as_str(),
        subject: event.subject,
        step: event.step,
        kind: event.what.kind(),
        text: event.what.text(),
    }
}

/// Milliseconds with microseconds behind the point.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
