//! The vectors as other languages see them: validators of Python and Node, fetched once with pinned versions.
//!
//! A language that is missing is a failure: a check that skips itself proves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::installed::{installed, run};
use crate::python::Python;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages")
}

#[test]
fn python_and_jsonschema_judge_the_vectors() {
    let python = Python::with("jsonschema", &sources().join("requirements.txt"));
    run(python.command().arg(sources().join("vectors.py")));
}

#[test]
fn node_and_ajv_judge_the_vectors() {
    let version = run(Command::new("node").arg("--version"));
    let pins = fs::read_to_string(sources().join("package-lock.json")).unwrap();
    let folder = installed("ajv", &format!("{version}{pins}"), |folder| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources().join(file), folder.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        run(npm.current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]));
    });
    run(Command::new("node").arg(sources().join("vectors.mjs")).arg(folder));
}
