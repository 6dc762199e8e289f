//! The vectors as other languages see them: validators of Python and Node, fetched once with pinned versions.
//!
//! A language that is missing is a failure: a check that skips itself proves nothing. Go alone may be missing, see
//! [`is_there`].

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::installed::{installed, run};
use crate::python::Python;

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of this name under the target directory.
pub fn target(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether a program is there that a machine may lack. If not, this says so, past the capture of output; where
/// `DIRTY_REQUIRE_ALL` is set, as the gate does, that is a failure.
pub fn is_there(program: &str, package: &str, what: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok() {
        return true;
    }
    let missing = format!("NOT RUN: {what}: `{program}` is missing (Debian: apt-get install {package})");
    assert!(std::env::var_os("DIRTY_REQUIRE_ALL").is_none(), "{missing}");
    let mut uncaptured = std::io::stderr();
    writeln!(uncaptured, "{missing}").unwrap();
    false
}

/// The command `go`, with its caches under the target directory and no network; nothing where Go is missing.
pub fn go(what: &str) -> Option<Command> {
    if !is_there("go", "golang-go", what) {
        return None;
    }
    let mut go = Command::new("go");
    go.env("GOCACHE", target("go-cache"))
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local");
    Some(go)
}

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
