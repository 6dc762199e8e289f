//! `action.yml`, as far as it can be run away from GitHub: the file, and the script behind its steps.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::installed::run;
use crate::other_languages::root;
use crate::python::Python;

/// Runs the script's step `check` with these inputs, in a folder with the files that GitHub would give it.
fn check(folder: &Path, inputs: &[(&str, &str)]) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_dirty")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.arg(root().join(".ci/action")).arg("check").current_dir(folder).env("PATH", path);
    command.env("GITHUB_OUTPUT", folder.join("output")).env("GITHUB_STEP_SUMMARY", folder.join("summary"));
    for (name, value) in inputs {
        command.env(format!("DIRTY_ACTION_{name}"), value);
    }
    command.output().unwrap()
}

fn output_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("output")).unwrap()
}

#[test]
fn the_action_is_what_github_can_read() {
    let languages = root().join("tests/languages");
    let python = Python::with("action", &languages.join("action.txt"));
    run(python.command().arg(languages.join("action.py")).arg(root()));
}

#[test]
fn the_action_reports_a_conformant_worker() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("{} worker", env!("CARGO_BIN_EXE_dirty"));
    let ran = check(folder.path(), &[("ROLE", "worker"), ("COMMAND", &command)]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(output_of(folder.path()), "verdict=conformant\n");
    for report in ["report.json", "report.xml"] {
        assert!(folder.path().join("dirty-reports").join(report).exists(), "{report}");
    }
    if folder.path().join("dirty-reports/report.md").exists() {
        assert!(fs::read_to_string(folder.path().join("summary")).unwrap().contains("worker"));
    }
}

#[test]
fn the_action_says_which_subject_could_not_be_run() {
    let folder = tempfile::tempdir().unwrap();
    let ran = check(folder.path(), &[("ROLE", "arbiter"), ("SOCKET", "/nobody/here.sock")]);
    assert_eq!(ran.status.code(), Some(3));
    assert_eq!(output_of(folder.path()), "verdict=no-subject\n");
}

#[test]
fn the_action_refuses_wrong_inputs() {
    for inputs in [&[("ROLE", "server")][..], &[("ROLE", "client")], &[]] {
        let folder = tempfile::tempdir().unwrap();
        let ran = check(folder.path(), inputs);
        assert_eq!(ran.status.code(), Some(2), "{inputs:?}");
        assert!(String::from_utf8_lossy(&ran.stdout).starts_with("::error title=dirty check::"));
        assert_eq!(output_of(folder.path()), "verdict=usage\n");
    }
}
