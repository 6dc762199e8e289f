//! Reports: what a run says about each requirement.

use super::requirements::{Requirement, Requirements};
use super::run::{Run, Verdict};

mod html;
mod human;
mod json;
mod junit;

pub use html::html;
pub use human::{conversation, failure, line, summary};
pub use json::json;
pub use junit::junit;

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
    /// A transcript that proves it failed, or the subject broke it elsewhere.
    Failed,
    /// All transcripts that prove it need features that the subject lacks.
    Skipped,
    /// All transcripts that prove it were left out on request.
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
    pub const NAMES: [&str; 7] =
        ["passed", "failed", "skipped", "not_run", "not_covered", "untestable", "pending"];

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Passed => "passed",
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
            Status::Skipped => Some("the subject lacks a feature that its transcripts need".to_string()),
            Status::NotRun => Some("its transcripts were left out on request".to_string()),
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
    let failed: Vec<&str> = broken.map(|(played, _)| played.transcript.id.as_str()).collect();
    let status = if !failed.is_empty() {
        Status::Failed
    } else if proving.iter().any(|it| it.verdict == Verdict::Passed) {
        Status::Passed
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

/// How many entries have each status, in the order of [`Status::NAMES`].
pub fn counts(entries: &[Entry<'_>]) -> [(&'static str, usize); 7] {
    Status::NAMES.map(|name| (name, entries.iter().filter(|entry| entry.status.name() == name).count()))
}
