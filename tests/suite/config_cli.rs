//! `dirty config` and the configuration of `dirty serve`, as processes see it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::served::{Peer, Served, dirty, eventually, is_alive};

fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A directory with a configuration file of that text, `d.toml`.
fn directory(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("d.toml"), text).unwrap();
    directory
}

fn dirty_in(directory: &Path) -> Command {
    let mut command = dirty();
    command.current_dir(directory);
    command
}

#[test]
fn check_prints_every_problem_or_ok() {
    let good = directory("dirty_workers = 3\ndirty_apps = [\"a:B:4\"]\n");
    let checked = run(dirty_in(good.path()).args(["config", "check", "d.toml"]));
    let warning = "warning: d.toml:2: dirty_apps: a:B asks for 4 workers, and dirty_workers is 3\n";
    assert_eq!(checked, (0, format!("{warning}ok\n"), String::new()));
    let bad = directory("dirty_worker = 3\ndirty_threads = \"x\"\n");
    let problems = "d.toml:1: dirty_worker: unknown setting; did you mean dirty_workers?\n\
                    d.toml:2: dirty_threads: expected a whole number from 1 to 1024, found the text \"x\"\n";
    let expected = (78, problems.to_owned(), String::new());
    assert_eq!(run(dirty_in(bad.path()).args(["config", "check", "d.toml"])), expected);
    assert_eq!(run(dirty_in(bad.path()).args(["config", "check"]).env("DIRTY_CONFIG", "d.toml")), expected);
    assert_eq!(run(dirty_in(bad.path()).args(["config", "check"])), (0, "ok\n".to_owned(), String::new()));
}

#[test]
fn show_names_the_origin_of_every_value() {
    let directory = directory(
        "# ours\ndirty_workers = 3\ndirty_threads = 3\n[dirty_hooks]\ndirty_post_fork = \"true\"\n",
    );
    let arguments =
        ["config", "show", "--json", "--config", "d.toml", "--dirty-workers", "5", "--app", "a:B"];
    let (code, shown, errors) = run(dirty_in(directory.path()).args(arguments).env("DIRTY_QUEUE", "7"));
    assert_eq!((code, errors.as_str()), (0, ""));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    for (name, value, origin) in [
        ("dirty_workers", json!(5), json!({ "layer": "flag", "flag": "--workers" })),
        ("dirty_apps", json!(["a:B"]), json!({ "layer": "flag", "flag": "--app" })),
        ("dirty_queue", json!(7), json!({ "layer": "environment", "variable": "DIRTY_QUEUE" })),
        ("dirty_threads", json!(3), json!({ "layer": "file", "file": "d.toml", "line": 3 })),
        (
            "dirty_hooks.dirty_post_fork",
            json!("true"),
            json!({ "layer": "file", "file": "d.toml", "line": 5 }),
        ),
        ("dirty_timeout", json!(300), json!({ "layer": "default" })),
        ("dirty_log_file", Value::Null, json!({ "layer": "default" })),
    ] {
        assert_eq!(shown[name], json!({ "value": value, "origin": origin }), "{name}");
    }
    let (_, text, _) = run(dirty_in(directory.path()).args(["config", "show", "--config", "d.toml"]));
    let line = text.lines().find(|line| line.starts_with("dirty_threads")).unwrap();
    assert!(line.starts_with("dirty_threads = 3 ") && line.ends_with("  # d.toml:3"), "{line}");
}

#[test]
fn what_show_prints_is_a_configuration_that_says_the_same() {
    let text = "dirty_apps = [\"a:B:2\", { app = \"c:D\", on_disconnect = \"cancel\" }]\n\
                dirty_timeout = 1.5\ndirty_socket = \"a \\\"b\\\" \\u007f\\n\"\ndirty_allowed_users = [\"root\", 7]\n\
                dirty_socket_group = 0\ndirty_die_with_parent = true\n[dirty_hooks]\ndirty_worker_exit = \"x\"\n";
    let directory = directory(text);
    let show = |file: &str| {
        let (code, shown, errors) =
            run(dirty_in(directory.path()).args(["config", "show", "--config", file]));
        assert_eq!((code, errors.as_str()), (0, ""));
        shown
    };
    let shown = show("d.toml");
    fs::write(directory.path().join("shown.toml"), &shown).unwrap();
    let values = |text: &str| -> Vec<String> {
        let value =
            |line: &str| line.rsplit_once("  # ").map_or(line, |(value, _)| value).trim_end().to_owned();
        text.lines().map(value).collect()
    };
    assert_eq!(values(&show("shown.toml")), values(&shown));
    assert!(shown.contains("{ app = \"c:D\", on_disconnect = \"cancel\" }"), "{shown}");
}

#[test]
fn serve_follows_the_file_the_environment_and_the_flags() {
    let directory = directory("dirty_workers = 1\ndirty_threads = 2\ndirty_max_connections = 2\n");
    let mut command = dirty();
    command.env("DIRTY_CONFIG", directory.path().join("d.toml")).env("DIRTY_MAX_CONNECTIONS", "1");
    let mut served = Served::start_by(command, &["--threads", "3"]);
    let mut first = served.connect();
    assert!(first.call("echo", "[1]").get("result").is_some());
    assert_eq!(served.connect().receive()["error"]["error_type"], "DirtyOverloadedError");
    served.signal(Signal::SIGTERM);
    let log = served.log();
    assert!(log.contains("serving fixture:App, demo:LLM with 1 workers of 3 slots"), "{log}");
}

#[test]
fn serve_refuses_a_configuration_with_every_problem_on_a_line() {
    let directory = directory("dirty_worker = 3\ndirty_threads = \"x\"\n");
    let arguments = ["serve", "--socket", "d.sock", "--config", "d.toml"];
    let (code, stdout, stderr) = run(dirty_in(directory.path()).args(arguments).env("DIRTY_QUEUE", "-1"));
    assert_eq!((code, stdout.as_str()), (78, ""), "{stderr}");
    let expected = [
        "dirty serve: d.toml:1: dirty_worker: unknown setting; did you mean dirty_workers?",
        "dirty serve: d.toml:2: dirty_threads: expected a whole number from 1 to 1024, found the text \"x\"",
        "dirty serve: DIRTY_QUEUE: dirty_queue: expected a whole number from 0 to 10000000, found \"-1\"",
    ];
    assert_eq!(stderr.lines().collect::<Vec<_>>(), expected);
    assert!(!directory.path().join("d.sock").exists());
}

#[test]
fn users_and_groups_that_do_not_exist_are_refused_by_name() {
    for (flag, setting, what) in
        [("--allow-user", "dirty_allowed_users", "user"), ("--socket-group", "dirty_socket_group", "group")]
    {
        let (code, _, stderr) = run(dirty().args(["serve", "--socket", "d.sock", flag, "no-such-one"]));
        let expected = format!(
            "dirty serve: {flag}: {setting}: expected a {what} of this system, found \"no-such-one\", which is none\n"
        );
        assert_eq!((code, stderr), (78, expected));
    }
}

#[test]
fn the_schema_of_the_configuration_is_in_the_program() {
    let (code, schema, _) = run(dirty().args(["schema", "config"]));
    assert_eq!((code, schema.as_str()), (0, include_str!("../../schemas/config.schema.json")));
}

/// Ends a process that this test did not start itself.
struct Ended(u64);

impl Drop for Ended {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0).unwrap());
        let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    }
}

#[test]
fn an_arbiter_inside_a_worker_does_not_take_the_workers_variables_for_its_settings() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("worker");
    let text = "#!/bin/sh\n\
                \"$DIRTY\" serve --socket inner.sock --workers 1 </dev/null >/dev/null 2>inner.log &\n\
                echo $! >inner.pid.new; mv inner.pid.new inner.pid\n\
                exec \"$DIRTY\" worker\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = dirty_in(directory.path());
    // DIRTY is no setting, but what the script calls the program.
    command.env("DIRTY", env!("CARGO_BIN_EXE_dirty"));
    let arguments = ["--workers", "1", "--threads", "3", "--timeout", "0.25", "--app", "fixture:App"];
    let worker = ["--worker-command", "/bin/sh ./worker"];
    let outer = Served::start_by(command, &[&arguments[..], &worker].concat());
    let inner = directory.path().join("inner.sock");
    let pid = directory.path().join("inner.pid");
    eventually("the inner arbiter is started", || pid.exists());
    let inner_pid = Ended(fs::read_to_string(pid).unwrap().trim().parse().unwrap());
    eventually("the inner arbiter listens", || std::os::unix::net::UnixStream::connect(&inner).is_ok());
    // Its apps are not those of the worker, and its time limit is not either.
    let mut peer = Peer::connect(&inner);
    peer.send(
        r#"{"type":"request","id":"1","app_path":"demo:LLM","action":"nothing","args":[],"kwargs":{}}"#,
    );
    assert_eq!(peer.receive()["error"]["error_type"], "DirtyAppError", "the app is there, the action is not");
    assert_eq!(peer.call("sleep", "[0.5, \"slept\"]")["result"], "slept");
    let log = fs::read_to_string(directory.path().join("inner.log")).unwrap();
    assert!(
        log.contains("DIRTY_APPS, DIRTY_THREADS, DIRTY_TIMEOUT, DIRTY_MAX_FRAME, DIRTY_MAX_DEPTH: not used"),
        "{log}"
    );
    assert!(log.contains("serving fixture:App, demo:LLM with 1 workers of 1 slots"), "{log}");
    let process = nix::unistd::Pid::from_raw(i32::try_from(inner_pid.0).unwrap());
    nix::sys::signal::kill(process, Signal::SIGTERM).unwrap();
    eventually("the inner arbiter ends", || !is_alive(inner_pid.0));
    drop(outer);
}
