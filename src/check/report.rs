//! Reports: what a run says about each requirement.

use super::requirements::{Requirement, Requirements};
use super::run::{Run, Verdict};

mod html;
mod human;
mod json;
mod junit;
mod markdown;

pub use html::html;
pub use human::{conversation, failure, line, summary};
pub use json::json;
pub use junit::junit;
pub use markdown::markdown;

/// What a run says about one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The requirement.
    pub requirement: &'a Requirement,
    /// The verdict.
    pub status: Status,
    /// The transcripts that prove it and judge the role, by id.
    pub transcripts: Vec<&'a str>,
    /// Those of them that failed, and any other that broke the requirement on its way.
    pub failed: Vec<&'a str>,
}

/// The verdict on a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Every transcript that was played and proves it passed.
    Passed,
    /// It is a SHOULD that the subject does without; not a failure.
    Departed,
    /// A transcript that proves it failed, or the subject broke it elsewhere.
    Failed,
    /// All transcripts that prove it need features that the subject lacks.
    Skipped,
    /// No transcript that proves it was played: they were left out on request, or the subject answered nothing any
    /// more.
    NotRun,
    /// No transcript for this role proves it.
    NotCovered,
    /// No test can show it: why.
    Untestable(String),
    /// It has no code yet: why.
    Pending(String),
}

impl Status {
    /// All names, in the order in which a summary counts them.
    pub const NAMES: [&str; 8] =
        ["passed", "departed", "failed", "skipped", "not_run", "not_covered", "untestable", "pending"];

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Departed => "departed",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
            Status::NotRun => "not_run",
            Status::NotCovered => "not_covered",
            Status::Untestable(_) => "untestable",
            Status::Pending(_) => "pending",
        }
    }
}

impl Entry<'_> {
    /// Why the requirement neither passed nor failed.
    pub fn reason(&self, run: &Run) -> Option<String> {
        match &self.status {
            Status::Passed | Status::Failed => None,
            Status::Departed => Some("the subject does without what is only recommended".to_string()),
            Status::Skipped => Some("the subject lacks a feature that its transcripts need".to_string()),
            Status::NotRun => Some("its transcripts were not played".to_string()),
            Status::NotCovered if !self.requirement.roles.contains(&run.role) => {
                let bound: Vec<&str> = self.requirement.roles.iter().map(|role| role.as_str()).collect();
                Some(format!(
                    "it binds the {}, and no transcript for the role {} shows it",
                    bound.join(" and the "),
                    run.role
                ))
            }
            Status::NotCovered => Some(format!("no transcript for the role {} proves it", run.role)),
            Status::Untestable(reason) | Status::Pending(reason) => Some(reason.clone()),
        }
    }
}

/// One entry for each requirement, in the order of the specification.
pub fn entries<'a>(run: &'a Run, requirements: &'a Requirements) -> Vec<Entry<'a>> {
    requirements.iter().map(|requirement| entry(run, requirement)).collect()
}

fn entry<'a>(run: &'a Run, requirement: &'a Requirement) -> Entry<'a> {
    let id = &requirement.id;
    let proving: Vec<_> = run.played.iter().filter(|it| it.transcript.proves.contains(id)).collect();
    let left_out: Vec<_> = run.left_out.iter().filter(|it| it.proves.contains(id)).collect();
    let broken = run.failures().filter(|(played, failure)| {
        played.transcript.proves.contains(id) || failure.problem.requirement() == Some(id)
    });
    let mut failed: Vec<&str> = broken.map(|(played, _)| played.transcript.id.as_str()).collect();
    let unplayed = |verdict: &Verdict| matches!(verdict, Verdict::NotRun { .. });
    let status = if !failed.is_empty() {
        Status::Failed
    } else if let departed = departures(run, id)
        && !departed.is_empty()
    {
        failed = departed;
        Status::Departed
    } else if proving.iter().any(|it| it.verdict == Verdict::Passed) {
        Status::Passed
    } else if proving.iter().any(|it| unplayed(&it.verdict)) {
        Status::NotRun
    } else if !proving.is_empty() {
        Status::Skipped
    } else if !left_out.is_empty() {
        Status::NotRun
    } else if let Some(reason) = &requirement.pending {
        Status::Pending(reason.clone())
    } else if let Some(reason) = &requirement.untestable {
        Status::Untestable(reason.clone())
    } else {
        Status::NotCovered
    };
    let transcripts = proving.iter().map(|it| it.transcript.id.as_str());
    let transcripts = transcripts.chain(left_out.iter().map(|it| it.id.as_str())).collect();
    Entry { requirement, status, transcripts, failed }
}

/// The transcripts in which the subject departed from a SHOULD.
fn departures<'a>(run: &'a Run, requirement: &str) -> Vec<&'a str> {
    let departed =
        run.played.iter().filter(|it| it.departures.iter().any(|it| it.requirement == requirement));
    departed.map(|it| it.transcript.id.as_str()).collect()
}

/// What a run says in the end.
pub fn verdict_text(run: &Run) -> &'static str {
    let counts = run.counts();
    let whole = run.left_out.is_empty() && counts.skipped == 0;
    match (run.is_conformant(), run.is_as_expected()) {
        (true, _) if whole => "conformant",
        (true, _) => "conformant in what was played",
        (false, true) => "not conformant, as the baseline says",
        (false, false) => "not conformant",
    }
}

/// How many entries have each status, in the order of [`Status::NAMES`].
pub fn counts(entries: &[Entry<'_>]) -> [(&'static str, usize); 8] {
    Status::NAMES.map(|name| (name, entries.iter().filter(|entry| entry.status.name() == name).count()))
}
