//! The Python package in `python/`: its own tests, its conformance as a worker, and what checks its code.
//!
//! The package's tests are `unittest`: in the folder `python`, `python3 -m unittest tests.test_values` runs a module by hand.
//! Here each module is one test, and they run at the same time.

use std::os::unix::fs::PermissionsExt;
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

/// Python with the packages of the examples.
fn python_for_examples() -> Python {
    Python::with("python-examples", &root().join("tests/python/examples.txt"))
}

/// Runs one module of the package's tests.
fn unittest(python: &Python, module: &str) {
    let mut command = python.command();
    command.env("DIRTY_BINARY", env!("CARGO_BIN_EXE_dirty")).current_dir(package());
    run(command.args(["-W", "error::ResourceWarning", "-m", "unittest", &format!("tests.{module}")]));
}

macro_rules! unittests {
    ($($module:ident),* $(,)?) => {$(
        #[test]
        fn $module() {
            unittest(&python(), stringify!($module));
        }
    )*};
}

unittests!(
    test_bad_input,
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
fn test_hooks_file() {
    unittest(&python(), "test_hooks_file");
}

#[test]
fn test_examples() {
    unittest(&python_for_examples(), "test_examples");
}

#[test]
fn its_types_and_style_are_checked() {
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = python().command();
        run(command.current_dir(package()).args(["-m", name]).args(arguments));
    };
    // Their caches would lie beside the sources.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mypy");
    tool("mypy", &["--cache-dir", cache.to_str().unwrap()]);
    tool("ruff", &["check", "--no-cache", "--quiet", ".", "../examples/python", "../benches/python"]);
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

/// The scenarios of gunicorn's stock client, with Python workers in place of the built-in ones. The drivers are those of
/// [`crate::interop`], whose tests name each check; a driver fails if any of its checks does.
#[test]
fn gunicorns_stock_client_passes_with_python_workers() {
    let command =
        format!("env DIRTY_TRACEBACKS=0 '{}' -m dirty_arbiter.worker", python().program().display());
    let drive = |file: &str, flags: &[&str]| {
        let mut arguments = vec!["--worker-command", &command];
        arguments.extend(flags);
        let served = Served::start_by(dirty_for_python(), &arguments);
        let mut driver = python().command();
        driver.env("GUNICORN_DIRTY_SOCKET", &served.socket).arg(root().join("tests/interop").join(file));
        let printed = run(&mut driver);
        assert!(printed.lines().filter(|line| line.starts_with("ok ")).count() > 3, "{file}: {printed}");
    };
    // They wait most of the time.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drive("calls.py", &[]);
            drive("streams.py", &[]);
            drive("async_calls.py", &[]);
            drive("errors.py", &[]);
        });
        scope.spawn(|| {
            drive("concurrency.py", &[]);
            drive("malformed.py", &[]);
        });
        scope.spawn(|| {
            drive("timeouts.py", &["--timeout", "0.8", "--cancel-grace", "0.3"]);
            drive("crashes.py", &["--threads", "2"]);
            drive("limits.py", &["--workers", "1", "--queue", "1", "--max-frame", "65536"]);
        });
    });
}

/// `pip install` gives everything: a wheel is built, installed into a virtual environment that has nothing else, and used.
#[test]
fn a_wheel_carries_the_program_and_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_dirty"));
    let made = || program.metadata().unwrap().modified().unwrap();
    let before = made();
    // What maturin would have compiled is compiled already; see there why it is not compiled again.
    let cargo = folder.path().join("cargo");
    std::fs::copy(root().join("tests/python/cargo_that_is_done.py"), &cargo).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    // A copy: maturin moves what was built out of its place for a moment, while other tests start it.
    let built = folder.path().join("dirty");
    std::fs::copy(program, &built).unwrap();
    let wheels = folder.path().join("wheels");
    let mut build = Python::with("maturin", &root().join("tests/python/maturin.txt")).command();
    build.args([
        "-m",
        "maturin",
        "build",
        "--quiet",
        "--frozen",
        "--skip-auditwheel",
        "--profile",
        "dev",
        "--out",
    ]);
    build
        .env("PATH", path)
        .env("CARGO", &cargo)
        .env("REAL_CARGO", env!("CARGO"))
        .env("BUILT_PROGRAM", &built);
    run(build.env("PACKAGE_VERSION", env!("CARGO_PKG_VERSION")).arg(&wheels).current_dir(package()));
    assert_eq!(made(), before, "the program was built again, under the feet of the other tests");

    let wheels: Vec<_> = std::fs::read_dir(&wheels).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(matches!(&wheels[..], [wheel] if wheel.extension().is_some_and(|it| it == "whl")), "{wheels:?}");
    let environment = folder.path().join("venv");
    let mut venv = python().command();
    run(venv.args(["-m", "venv"]).arg(&environment));
    let installed = |name: &str| {
        let mut command = Command::new(environment.join("bin").join(name));
        command.env_remove("PYTHONPATH").env_remove("DIRTY_SOCKET").current_dir(folder.path());
        command
    };
    let quietly = ["install", "--quiet", "--no-index", "--disable-pip-version-check"];
    run(installed("python").args(["-m", "pip"]).args(quietly).arg(&wheels[0]));

    std::fs::write(
        folder.path().join("greeter.py"),
        "class Greeter:\n    def greet(self, name):\n        return f'Hello, {name}!'\n",
    )
    .unwrap();
    let python = environment.join("bin/python");
    let worker = format!("'{}' -m dirty_arbiter.worker", python.display());
    let mut serve = installed("dirty");
    // Started elsewhere: the app is found where the command says.
    serve.env("PYTHONPATH", folder.path());
    let served = Served::start_by(serve, &["--app", "greeter:Greeter", "--worker-command", &worker]);
    let call = "from dirty_arbiter import get_dirty_client as c; print(c().execute('greeter:Greeter', 'greet', 'world'))";
    let printed = run(installed("python").args(["-c", call]).env("DIRTY_SOCKET", &served.socket));
    assert_eq!(printed.trim(), "Hello, world!");
    let about = "import importlib.metadata as m, pathlib, dirty_arbiter as d; \
        print(m.version('dirty-arbiter'), pathlib.Path(d.__file__).with_name('py.typed').exists(), \
        [e.value for e in m.entry_points(group='pytest11')])";
    let printed = run(installed("python").args(["-c", about]));
    assert_eq!(printed.trim(), format!("{} True ['dirty_arbiter.pytest_plugin']", env!("CARGO_PKG_VERSION")));
    let version = run(installed("dirty").arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}
