//! The Python programs of `tests/interop`, each a list of named checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::running::Running;
use crate::python::Python;

/// A version of gunicorn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 25.0.3, the last that speaks `json/1`.
    Json,
    /// The newest, which speaks `gd/1`.
    Newest,
}

impl Version {
    /// Python with this gunicorn.
    pub fn python(self) -> Python {
        let (name, requirements) = match self {
            Version::Json => ("gunicorn", "requirements.txt"),
            Version::Newest => ("gunicorn-newest", "requirements-newest.txt"),
        };
        Python::with(name, &folder().join(requirements))
    }
}

/// Checks of what is so with `json/1` alone: with a newer gunicorn the drivers leave them out.
const JSON_ONLY: [&str; 8] = [
    "integers_of_any_size_come_back_exactly",
    "text_of_every_kind_comes_back_exactly",
    "bytes_in_a_result_are_dirty_app_error",
    "nan_in_a_result_is_dirty_app_error",
    "nan_in_an_argument_is_dirty_protocol_error",
    "calls_and_values_pass",
    "the_errors_of_the_worker_arrive_as_it_sent_them",
    "a_cancelled_call_is_answered_and_its_remains_reach_nobody",
];

/// Python with gunicorn, in the last version that speaks `json/1`.
pub fn python() -> Python {
    Version::Json.python()
}

/// The folder of the Python files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Runs the driver `file` with the client of this version and requires that it makes exactly these checks, of the newest
/// without those of `json/1` alone, and that every one of them passes.
pub fn drive_with(version: Version, file: &str, settings: &[(&str, &str)], checks: &[&str]) {
    let made = |check: &&&str| version == Version::Json || !JSON_ONLY.contains(check);
    let checks: Vec<&str> = checks.iter().filter(made).copied().collect();
    let checks = checks.as_slice();
    let mut command = version.python().command();
    command.arg(folder().join(file)).envs(settings.iter().copied());
    let ended = Running::start(file, &mut command).finish();
    let printed = ended.printed.join("\n");
    if let Err(why) = judge(&printed, checks) {
        panic!("{file}: {why}\n{printed}");
    }
    assert!(ended.status.success(), "{file} ended with {}\n{printed}", ended.status);
}

/// Compares the verdicts in what a driver printed with the checks it should have made.
fn judge(printed: &str, checks: &[&str]) -> Result<(), String> {
    let told: BTreeMap<&str, &str> = printed.lines().filter_map(told).collect();
    for check in checks {
        match told.get(check) {
            Some(&"ok") => {}
            Some(verdict) => return Err(format!("{check}: {verdict}")),
            None => return Err(format!("the check {check} was not made")),
        }
    }
    match told.keys().find(|check| !checks.contains(check)) {
        Some(stranger) => Err(format!("the check {stranger} is not one of those that the test names")),
        None => Ok(()),
    }
}

/// The name and the verdict in "ok NAME" or "FAIL NAME: why".
fn told(line: &str) -> Option<(&str, &str)> {
    match line.split_once(' ')? {
        ("ok", name) => Some((name, "ok")),
        ("FAIL", rest) => rest.split_once(": "),
        _ => None,
    }
}

#[test]
fn every_named_check_has_to_be_made_and_to_pass_and_no_other() {
    let judged = |printed: &str| judge(printed, &["a", "b"]);
    assert_eq!(judged("ok a\nsome other line\nok b\n"), Ok(()));
    assert_eq!(judged("ok a\n"), Err("the check b was not made".to_owned()));
    assert_eq!(judged("ok a\nFAIL b: got 1: wanted 2\n"), Err("b: got 1: wanted 2".to_owned()));
    assert_eq!(
        judged("ok a\nok b\nok c\n").unwrap_err(),
        "the check c is not one of those that the test names"
    );
}
