//! Python for the tests: interpreters in virtual environments of their own, made under `target/venvs` on first use.
//!
//! Nothing here skips: a machine without Python, pip or the package index fails the test and says what is missing.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};

/// An interpreter that has the packages a test asked for.
pub struct Python {
    environment: PathBuf,
}

impl Python {
    /// The interpreter of the virtual environment `name`, which has exactly `requirements` (as pip takes them, versions
    /// pinned). The environment is made if it is missing, or was made for other requirements or by another Python.
    ///
    /// Any number of tests and processes may ask at a time: one makes it, the others wait for it.
    pub fn with(name: &str, requirements: &[&str]) -> Python {
        let venvs = venvs();
        fs::create_dir_all(&venvs).expect("a folder for the virtual environments");
        let environment = venvs.join(name);
        // The kernel drops the lock with its holder, so a killed maker leaves none behind.
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(venvs.join(format!("{name}.lock")))
            .expect("a lock file next to the virtual environment");
        let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, e)| e).expect("the lock");

        let stamp = environment.join("made-for");
        let wanted = format!("{}\n{}\n", base(), requirements.join("\n"));
        if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == wanted) {
            return Python { environment };
        }
        // The stamp goes first and comes last: an environment that is only half made has none.
        let _ = fs::remove_file(&stamp);
        succeed(plain("python3").args(["-m", "venv", "--clear"]).arg(&environment));
        let python = Python { environment };
        let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
        succeed(python.command().args(pip).args(requirements));
        fs::write(&stamp, wanted).expect("the stamp of the virtual environment");
        python
    }

    /// A command that runs this interpreter, untouched by the caller's Python settings.
    pub fn command(&self) -> Command {
        plain(self.environment.join("bin/python"))
    }
}

/// `target/venvs`, wherever the target folder is.
fn venvs() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("venvs")
}

/// Which Python makes the environments: asked once, because starting one takes a while.
fn base() -> &'static str {
    static BASE: OnceLock<String> = OnceLock::new();
    BASE.get_or_init(|| {
        let told = succeed(
            plain("python3").args(["-c", "import sys; print(sys.executable, sys.version.split()[0])"]),
        );
        told.trim().to_owned()
    })
}

fn plain(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in ["PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV"] {
        command.env_remove(variable);
    }
    // Compiled modules would be written next to the drivers, into the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1").stdin(Stdio::null());
    command
}

/// Runs `command` to its end and gives what it printed.
fn succeed(command: &mut Command) -> String {
    let needs =
        "tests need Python 3.10 or later on the PATH, with the modules venv and pip, and a package index";
    let output = command.output().unwrap_or_else(|e| panic!("failed to run {command:?}: {e}; {needs}"));
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "failed to prepare Python: {command:?} ended with {}; {needs}\n{}{}",
        output.status,
        printed(&output.stdout),
        printed(&output.stderr)
    );
    printed(&output.stdout)
}
