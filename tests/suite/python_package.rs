//! The Python package in `python/`: its own tests, its conformance as a worker, and what checks its code.
//!
//! The package's tests are `unittest`, so `python3 -m unittest discover python` runs most of them by hand; here each module
//! is one test, and they run at the same time.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::installed::run;
use crate::python::Python;
use crate::served::{Served, dirty};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn package() -> PathBuf {
    root().join("python")
}

/// Python with gunicorn, gevent, and the tools that check code.
fn python() -> Python {
    Python::with("python-package", &root().join("tests/python/requirements.txt"))
}

/// A `dirty` command whose workers find the package.
fn dirty_for_python() -> Command {
    let mut command = dirty();
    command.env("PYTHONPATH", package()).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The command line of the worker host.
fn worker_command() -> Vec<String> {
    vec![python().program().display().to_string(), "-m".into(), "dirty_arbiter.worker".into()]
}

/// Runs one module of the package's tests.
fn unittest(module: &str) {
    let mut command = python().command();
    command.env("DIRTY_BINARY", env!("CARGO_BIN_EXE_dirty")).current_dir(package());
    run(command.args(["-W", "error::ResourceWarning", "-m", "unittest", &format!("tests.{module}")]));
}

macro_rules! unittests {
    ($($module:ident),* $(,)?) => {$(
        #[test]
        fn $module() {
            unittest(stringify!($module));
        }
    )*};
}

unittests!(
    test_client_async,
    test_client_blocking,
    test_client_transcripts,
    test_generated,
    test_seed,
    test_testing,
    test_values,
    test_vectors,
    test_worker_calls,
    test_worker_process,
);

#[test]
fn its_types_and_style_are_checked() {
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = python().command();
        run(command.current_dir(package()).args(["-m", name]).args(arguments));
    };
    // Their caches would lie beside the sources.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mypy");
    tool("mypy", &["--cache-dir", cache.to_str().unwrap()]);
    tool("ruff", &["check", "--no-cache", "--quiet", "."]);
    tool("ruff", &["format", "--no-cache", "--check", "--quiet", "."]);
}

/// Every module of tests is run by this module.
#[test]
fn no_module_of_tests_is_forgotten() {
    let source = std::fs::read_to_string(root().join("tests/suite/python_package.rs")).unwrap();
    let mut modules = 0;
    for entry in std::fs::read_dir(package().join("tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".py").filter(|name| name.starts_with("test_")) {
            assert!(source.contains(module), "{name} is run by no test");
            modules += 1;
        }
    }
    assert!(modules > 3);
}

#[test]
fn the_python_host_passes_every_transcript_for_workers() {
    let mut command = dirty_for_python();
    command.args(["check", "worker", "--without", "no-traceback", "--"]).args(worker_command());
    let printed = run(&mut command);
    assert!(printed.contains("1 skipped"), "{printed}");
    // Told not to, it sends no tracebacks, and nothing at all is skipped.
    let mut command = dirty_for_python();
    command.env("DIRTY_TRACEBACKS", "0").args(["check", "worker", "--delivery", "byte-per-write", "--"]);
    let printed = run(command.args(worker_command()));
    assert!(printed.contains("\nconformant\n") && !printed.contains("skipped"), "{printed}");
}

#[test]
fn an_arbiter_with_python_workers_passes_every_transcript_for_arbiters() {
    let command = worker_command().iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let mut served = Served::start_by(dirty_for_python(), &["--worker-command", &command]);
    let mut check = dirty();
    // A host that decodes values cannot keep their text.
    check.args(["check", "arbiter", "--without", "no-traceback", "--without", "verbatim", "--socket"]);
    let printed = run(check.arg(&served.socket));
    assert!(printed.contains("\nconformant in what was played\n"), "{printed}");
    served.signal(Signal::SIGTERM);
    assert!(served.wait().success(), "{}", served.log());
}
