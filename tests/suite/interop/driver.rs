//! The Python programs of `tests/interop`, each a list of named checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::Running;
use crate::python::Python;

/// Python with gunicorn, in the last version that speaks `json/1`.
pub fn python() -> Python {
    Python::with("gunicorn", &folder().join("requirements.txt"))
}

/// The folder of the Python files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Runs the driver `file` and requires that it makes exactly these checks, and that every one of them passes.
pub fn drive(file: &str, settings: &[(&str, &str)], checks: &[&str]) {
    let python = python();
    let mut command: Command = python.command();
    command.arg(folder().join(file)).envs(settings.iter().copied());
    let ended = Running::start(file, &mut command).finish();
    let printed = ended.printed.join("\n");

    let told: BTreeMap<&str, &str> = ended.printed.iter().filter_map(|line| told(line)).collect();
    for check in checks {
        match told.get(check) {
            Some(&"ok") => {}
            Some(verdict) => panic!("{file}: {check}: {verdict}\n{printed}"),
            None => panic!("{file} did not make the check {check}\n{printed}"),
        }
    }
    if let Some(stranger) = told.keys().find(|check| !checks.contains(check)) {
        panic!("{file} made a check that its test does not name: {stranger}");
    }
    assert!(ended.status.success(), "{file} ended with {}\n{printed}", ended.status);
}

/// The name and the verdict in "ok NAME" or "FAIL NAME: why".
fn told(line: &str) -> Option<(&str, &str)> {
    match line.split_once(' ')? {
        ("ok", name) => Some((name, "ok")),
        ("FAIL", rest) => rest.split_once(": "),
        _ => None,
    }
}
