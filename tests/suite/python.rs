//! Python for the tests: interpreters in virtual environments of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::installed::{installed, run};

/// An interpreter that has the packages a test asked for.
pub struct Python {
    environment: PathBuf,
}

impl Python {
    /// The interpreter of the virtual environment `name`, with the packages that `requirements` pins: all of them, down
    /// to the last dependency. The environment is made when there is none yet for these pins and this Python.
    pub fn with(name: &str, requirements: &Path) -> Python {
        let pins = std::fs::read_to_string(requirements)
            .unwrap_or_else(|error| panic!("failed to read {}: {error}", requirements.display()));
        let environment = installed(name, &format!("{}\n{pins}", base()), |folder| {
            run(plain("python3").args(["-m", "venv"]).arg(folder));
            let mut pip = Python { environment: folder.to_owned() }.command();
            let quietly = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"];
            run(pip.args(["-m", "pip", "install"]).args(quietly).arg("-r").arg(requirements));
        });
        Python { environment }
    }

    /// A command that runs this interpreter, untouched by the caller's Python settings.
    pub fn command(&self) -> Command {
        plain(self.program())
    }

    /// The path of the interpreter.
    pub fn program(&self) -> PathBuf {
        self.environment.join("bin/python")
    }
}

/// Which Python makes the environments: asked once, because starting one takes a while.
fn base() -> &'static str {
    static BASE: OnceLock<String> = OnceLock::new();
    BASE.get_or_init(|| run(plain("python3").args(["-c", "import sys; print(sys.executable, sys.version)"])))
}

fn plain(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in ["PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV"] {
        command.env_remove(variable);
    }
    // Compiled modules would be written next to the sources; what is printed is read line by line.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1").stdin(Stdio::null());
    command
}
