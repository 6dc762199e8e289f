//! A reload reads the configuration again: as a whole or not at all.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::served::{Served, eventually};

/// An arbiter with a configuration file and a log file in a directory of its own.
struct Configured {
    served: Served,
    directory: tempfile::TempDir,
}

impl Configured {
    fn start(text: &str) -> Configured {
        let directory = tempfile::tempdir().unwrap();
        let [config, log] =
            ["d.toml", "log"].map(|name| directory.path().join(name).to_str().unwrap().to_owned());
        fs::write(&config, text).unwrap();
        let served = Served::start(&["--config", &config, "--log-file", &log, "--workers", "1"]);
        Configured { served, directory }
    }

    fn reload(&self, text: &str) {
        fs::write(self.directory.path().join("d.toml"), text).unwrap();
        self.served.signal(Signal::SIGHUP);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// What comes of a call of an app that is not there at first.
    fn call_demo(&self) -> Value {
        let mut peer = self.served.connect();
        peer.send(
            r#"{"type":"request","id":"1","app_path":"demo:LLM","action":"nothing","args":[],"kwargs":{}}"#,
        );
        peer.receive()["error"]["error_type"].clone()
    }
}

const NOT_THERE: &str = "DirtyAppNotFoundError";
/// The app is there; its action is not.
const THERE: &str = "DirtyAppError";

#[test]
fn a_reload_takes_the_file_as_it_is_now_but_for_what_takes_a_restart() {
    let arbiter = Configured::start("dirty_apps = [\"fixture:App\"]");
    assert_eq!(arbiter.call_demo(), NOT_THERE);
    arbiter.reload("dirty_apps = [\"fixture:App\", \"demo:LLM\"]\ndirty_log_level = \"error\"\ndirty_socket_mode = \"0666\"");
    eventually("the new app is served", || arbiter.call_demo() == THERE);
    let warning =
        "dirty_socket_mode, dirty_log_level: the configuration has changed, which takes effect at a restart";
    assert!(arbiter.log().contains(warning), "{}", arbiter.log());
    eventually("it is still logged", || arbiter.log().contains("reloaded"));
}

#[test]
fn a_reload_of_a_wrong_file_takes_nothing_of_it_and_says_everything() {
    let arbiter = Configured::start("dirty_apps = [\"fixture:App\"]");
    let mut peer = arbiter.served.connect();
    let worker = peer.call("whoami", "[]");
    arbiter.reload("dirty_apps = [\"fixture:App\", \"demo:LLM\"]\ndirty_threads = 0\ndirty_worker = 2");
    eventually("the failure is logged", || arbiter.log().contains("failed to reload: "));
    let log = arbiter.log();
    let line = log.lines().find(|line| line.contains("failed to reload")).unwrap();
    for problem in [
        "d.toml:2: dirty_threads: expected a whole number from 1 to 1024, found the number 0; ",
        "d.toml:3: dirty_worker: unknown setting",
    ] {
        assert!(line.contains(problem), "{line}");
    }
    assert_eq!(peer.call("whoami", "[]"), worker, "the workers are the same");
    assert_eq!(arbiter.call_demo(), NOT_THERE);
}

#[test]
fn the_hooks_of_a_configuration_file_run_in_the_order_of_the_life_cycle() {
    let directory = tempfile::tempdir().unwrap();
    let (file, diary) = (directory.path().join("dirty.toml"), directory.path().join("diary"));
    let note = format!(r#"'read -r context; echo "$DIRTY_HOOK $context" >> {}'"#, diary.display());
    let hooks = ["on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit"];
    let table: String = hooks.iter().map(|hook| format!("{hook} = {note}\n")).collect();
    std::fs::write(&file, format!("dirty_workers = 1\n[dirty_hooks]\n{table}")).unwrap();
    let mut served = Served::start(&["--config", file.to_str().unwrap()]);
    let pid = served.connect().call("whoami", "[]")["result"]["pid"].clone();
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
    let diary = std::fs::read_to_string(diary).unwrap();
    let lines: Vec<(&str, Value)> = diary
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(hook, context)| (hook, serde_json::from_str(context).unwrap()))
        .collect();
    assert_eq!(lines.iter().map(|(hook, _)| *hook).collect::<Vec<_>>(), hooks);
    for (hook, context) in &lines[1..] {
        assert_eq!(context["worker"]["pid"], pid, "{hook} {context}");
    }
}
