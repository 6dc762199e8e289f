//! The report for build servers: one test case for each requirement.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Entry, Status, entries, human};
use crate::check::requirements::Requirements;
use crate::check::run::{Run, Verdict};

/// The report as JUnit XML.
///
/// # Errors
/// A report is always representable, so that an error is a fault of the kit.
pub fn junit(run: &Run, requirements: &Requirements) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(format!("dirty check {}", run.role));
    report.set_time(run.duration);
    let mut suite = TestSuite::new(format!("requirements of {}", run.subject));
    suite.set_time(run.duration);
    suite.add_test_cases(entries(run, requirements).iter().map(|entry| case(run, entry)));
    report.add_test_suite(suite);
    report.to_string()
}

fn case(run: &Run, entry: &Entry<'_>) -> TestCase {
    let mut status = match &entry.status {
        Status::Passed | Status::Departed => TestCaseStatus::success(),
        Status::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("failed");
            status.set_description(failures(run, entry));
            status
        }
        _ => TestCaseStatus::skipped(),
    };
    match &entry.status {
        Status::Failed => {
            status.set_message(format!("{} failed: {}", entry.requirement.id, entry.failed.join(", ")));
        }
        other => {
            if let Some(reason) = entry.reason(run) {
                status.set_message(format!("{}: {reason}", other.name()));
            }
        }
    }
    let mut case = TestCase::new(entry.requirement.id.as_str(), status);
    case.set_classname(format!("dirty.{}", run.role));
    let times = run.played.iter().filter(|it| entry.transcripts.contains(&it.transcript.id.as_str()));
    case.set_time(times.map(|it| it.duration).sum());
    case.set_system_out(format!("{}\ntranscripts: {}", entry.requirement.text, entry.transcripts.join(", ")));
    case
}

/// What happened in each transcript that failed the requirement.
fn failures(run: &Run, entry: &Entry<'_>) -> String {
    let failed = run.played.iter().filter(|it| entry.failed.contains(&it.transcript.id.as_str()));
    let texts = failed.filter_map(|played| match &played.verdict {
        Verdict::Failed(failure) | Verdict::Known { failure, .. } => Some(format!(
            "{}: {}\n{}{failure}\nagain: {}\n",
            played.transcript.id,
            played.transcript.title,
            human::conversation(played),
            played.again
        )),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
