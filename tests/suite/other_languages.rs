//! The vectors as other languages see them: validators of Python and Node, fetched once with pinned versions.
//!
//! A language that is missing is a failure: a check that skips itself proves nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::fcntl::{Flock, FlockArg};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages")
}

/// Runs a command that has to succeed.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("this test needs {command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

/// A folder under the target directory in which `install` has been run for these versions.
///
/// The stamp is written last, so an interrupted installation is begun again, and the lock keeps processes that
/// test at the same time out of each other's way. It is held until the returned value is dropped.
fn installed(name: &str, versions: String, install: impl FnOnce(&Path)) -> (PathBuf, Flock<File>) {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    fs::create_dir_all(&all).unwrap();
    let lock = File::create(all.join(format!("{name}.lock"))).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    let (folder, stamp) = (all.join(name), all.join(format!("{name}.stamp")));
    if fs::read_to_string(&stamp).unwrap_or_default() != versions {
        let _ = fs::remove_file(&stamp);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        install(&folder);
        fs::write(&stamp, versions).unwrap();
    }
    (folder, lock)
}

/// What an installation depends on: the version of the language and the file that pins its packages.
fn versions(language: &str, pins: &str) -> String {
    let version = run(Command::new(language).arg("--version")).stdout;
    let pins = fs::read_to_string(sources().join(pins)).unwrap();
    format!("{}{pins}", String::from_utf8_lossy(&version))
}

#[test]
fn python_and_jsonschema_judge_the_vectors() {
    let pins = sources().join("requirements.txt");
    let (folder, _lock) = installed("python", versions("python3", "requirements.txt"), |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let mut pip = Command::new(folder.join("bin/python"));
        run(pip
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"])
            .arg(&pins));
    });
    run(Command::new(folder.join("bin/python")).arg(sources().join("vectors.py")));
}

#[test]
fn node_and_ajv_judge_the_vectors() {
    let (folder, _lock) = installed("node", versions("node", "package-lock.json"), |folder| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources().join(file), folder.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        run(npm.current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]));
    });
    run(Command::new("node").arg(sources().join("vectors.mjs")).arg(folder));
}
