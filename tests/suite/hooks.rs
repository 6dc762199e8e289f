//! The hooks, as shell commands around real workers (LIFE-7, LIFE-13, LIFE-14).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::served::{Served, eventually, is_alive, waits_for};

/// The example `arbiter`. `cargo test --test suite` builds no examples; `cargo test` has, and then this does nothing.
pub static ARBITER: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_BIN_EXE_dirty")).ancestors().nth(2).unwrap();
    let build = Command::new(env!("CARGO"))
        .args(["build", "--example", "arbiter", "--target-dir"])
        .arg(target)
        .output();
    let build = build.unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    target.join("debug/examples/arbiter")
});

/// The command of the built-in worker.
pub fn worker() -> String {
    format!("worker=exec {} worker", env!("CARGO_BIN_EXE_dirty"))
}

/// Files by which hooks and tests speak to each other.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A command that leaves the context it got, and a mark that it has done so.
    fn records(&self) -> String {
        let (log, names) = (self.path("contexts"), self.path("names"));
        format!("cat >> {log} && echo $DIRTY_HOOK >> {names}")
    }

    /// A command that says that it runs, and ends when it is [let](Self::release).
    fn blocks(&self) -> String {
        format!("{}; {}", self.records(), waits_for(Path::new(&self.path("go"))))
    }

    fn release(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What the hooks that have run were told.
    fn contexts(&self) -> Vec<Value> {
        // The names are written after the contexts.
        let complete = self.read("names").lines().count();
        let contexts = self.read("contexts");
        contexts.lines().take(complete).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn names(&self) -> Vec<String> {
        self.read("names").lines().map(str::to_owned).collect()
    }

    /// Waits until so many hooks have recorded something.
    fn awaits(&self, count: usize) {
        eventually(&format!("{count} hooks"), || self.names().len() >= count);
    }
}

fn command(words: &[&str]) -> impl FnOnce(&Path) -> Command {
    let mut command = Command::new(&*ARBITER);
    command.args(["app=fixture:App", "workers=1"]).args(words);
    move |socket| {
        command.arg(format!("socket={}", socket.display()));
        command
    }
}

fn start(words: &[&str]) -> Served {
    Served::start_with(command(words))
}

fn pid_of(context: &Value) -> u64 {
    context["worker"]["pid"].as_u64().unwrap_or_else(|| panic!("no pid in {context}"))
}

fn signal(pid: u64, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

#[test]
fn the_four_hooks_run_at_their_points_and_are_told_what_the_schema_says() {
    let place = Place::new();
    let records = place.records();
    let set = ["on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit"]
        .map(|hook| format!("{hook}={records}"));
    let mut words: Vec<&str> = set.iter().map(String::as_str).collect();
    let worker = worker();
    words.push(&worker);
    let mut served = start(&words);
    let mut peer = served.connect();
    let first = peer.call("whoami", "[]")["result"]["pid"].clone();
    assert_eq!(peer.call("die", "[7]")["error"]["details"]["exit_code"], 7);
    let second = peer.call("whoami", "[]")["result"]["pid"].clone();
    signal(second.as_u64().unwrap(), Signal::SIGKILL);
    let third = loop {
        // Until its death is noticed, the killed worker is still called.
        if let Some(pid) = peer.call("whoami", "[]").get("result").map(|result| result["pid"].clone()) {
            break pid;
        }
    };
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));

    let contexts = place.contexts();
    let schema: Value = serde_json::from_str(include_str!("../../schemas/hook.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for context in &contexts {
        assert!(schema.is_valid(context), "{context}: {:?}", schema.validate(context));
    }
    let told: Vec<&str> = contexts.iter().map(|context| context["hook"].as_str().unwrap()).collect();
    assert_eq!(told, place.names(), "DIRTY_HOOK");
    let arbiter = json!({
        "pid": served.pid(), "socket": served.socket, "version": env!("CARGO_PKG_VERSION")
    });
    let worker = |id: u64, pid: &Value| json!({"id": id, "pid": pid, "apps": ["fixture:App"], "seat": 0});
    let ended = |id: u64, pid: &Value, exit: Value| {
        let mut worker = worker(id, pid);
        worker["exit"] = exit;
        json!({"hook": "dirty_worker_exit", "arbiter": arbiter, "worker": worker})
    };
    let mut expected = vec![json!({"hook": "on_dirty_starting", "arbiter": arbiter})];
    let ends = [json!({"exit_code": 7}), json!({"signal": 9}), json!({"exit_code": 0})];
    for ((id, pid), exit) in (1..).zip([first, second, third]).zip(ends) {
        expected.push(json!({"hook": "dirty_post_fork", "arbiter": arbiter, "worker": worker(id, &pid)}));
        expected.push(json!({"hook": "dirty_worker_init", "worker": worker(id, &pid)}));
        expected.push(ended(id, &pid, exit));
    }
    assert_eq!(contexts, expected);
}

#[test]
fn the_schema_refuses_contexts_that_say_too_little() {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/hook.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let arbiter = json!({"pid": 1, "socket": "d.sock", "version": "1"});
    let worker = json!({"id": 1, "pid": 2, "apps": [], "seat": 0});
    for bad in [
        json!({"hook": "dirty_post_fork", "arbiter": arbiter}),
        json!({"hook": "dirty_worker_exit", "arbiter": arbiter, "worker": worker}),
        json!({"hook": "on_dirty_starting", "arbiter": {"pid": 1}}),
        json!({"hook": "dirty_worker_init", "worker": {"id": 0, "pid": 2, "apps": [], "seat": 0}}),
        json!({"hook": "unknown", "arbiter": arbiter}),
    ] {
        assert!(!schema.is_valid(&bad), "{bad}");
    }
}

#[test]
fn no_worker_is_started_before_on_dirty_starting_has_ended() {
    let place = Place::new();
    let (hook, witness) = (place.blocks(), format!("worker=touch {}; exit 3", place.path("begun")));
    let served = start(&[&format!("on_dirty_starting={hook}"), &witness]);
    place.awaits(1);
    assert!(!Path::new(&place.path("begun")).exists());
    assert!(!served.log_so_far().contains("started a worker"));
    place.release();
    eventually("a worker", || Path::new(&place.path("begun")).exists());
}

#[test]
fn an_arbiter_whose_on_dirty_starting_fails_does_not_start_and_leaves_nothing_behind() {
    let place = Place::new();
    let begun = place.path("begun");
    let words = ["on_dirty_starting=echo no volume; exit 9", &format!("worker=touch {begun}")];
    let mut served = start(&words);
    assert_eq!(served.wait().code(), Some(1));
    let log = served.log();
    assert!(log.contains("no volume hook=on_dirty_starting"), "{log}");
    assert!(log.contains("exit code 9"), "{log}");
    assert!(!Path::new(&begun).exists());
    assert_eq!(fs::read_dir(served.socket.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn a_start_that_is_interrupted_kills_its_hook() {
    let place = Place::new();
    let mut served =
        start(&[&format!("on_dirty_starting=echo $$ > {}; {}", place.path("pid"), place.blocks())]);
    place.awaits(1);
    let hook = place.read("pid").trim().parse().unwrap();
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
    assert!(!is_alive(hook));
}

#[test]
fn a_worker_waits_as_the_same_process_until_dirty_post_fork_has_ended() {
    let place = Place::new();
    let begun = place.path("begun");
    // Whatever the command is: here a shell that goes on to be a worker.
    let worker = format!("worker=touch {begun}; exec {} worker", env!("CARGO_BIN_EXE_dirty"));
    let served = start(&[&format!("dirty_post_fork={}", place.blocks()), &worker]);
    place.awaits(1);
    let waiting = pid_of(&place.contexts()[0]);
    assert!(is_alive(waiting));
    assert!(!Path::new(&begun).exists(), "the command has begun");
    place.release();
    let mut peer = served.connect();
    assert_eq!(peer.call("whoami", "[]")["result"]["pid"], waiting);
    let title = fs::read(format!("/proc/{waiting}/cmdline")).unwrap();
    assert!(title.starts_with(b"dirty-worker [1]\0"), "{}", String::from_utf8_lossy(&title));
    // The lifeline is still one: nothing but the gate's line was taken from it, and its end is the worker's.
    served.signal(Signal::SIGKILL);
    eventually("the worker's end", || !is_alive(waiting));
}

#[test]
fn a_worker_that_waits_ends_with_its_arbiter() {
    for (end, code) in [(Signal::SIGKILL, None), (Signal::SIGTERM, Some(0))] {
        let place = Place::new();
        let mut served = start(&[&format!("dirty_post_fork={}", place.blocks()), &worker()]);
        place.awaits(1);
        let waiting = pid_of(&place.contexts()[0]);
        served.signal(end);
        eventually("the end of the process that waits", || !is_alive(waiting));
        place.release();
        assert_eq!(served.wait().code(), code);
    }
}

#[test]
fn no_request_reaches_a_worker_before_dirty_worker_init_has_ended() {
    let place = Place::new();
    let served = start(&[&format!("dirty_worker_init={}", place.blocks()), &worker()]);
    place.awaits(1);
    let mut peer = served.connect();
    peer.request("early", "echo", r#""args":[],"kwargs":{},"timeout":0.05"#);
    let late = peer.receive();
    assert_eq!(late["error"]["details"]["phase"], "boot", "{late}");
    assert!(!served.log_so_far().contains("worker is ready"));
    place.release();
    assert_eq!(peer.call("whoami", "[]")["result"]["pid"], pid_of(&place.contexts()[0]));
}

#[test]
fn a_worker_whose_hook_fails_has_failed_to_boot() {
    for hook in ["dirty_post_fork", "dirty_worker_init"] {
        let place = Place::new();
        let fails = format!("{hook}={}; echo unwell >&2; exit 4", place.records());
        let mut served = start(&[&fails, &worker()]);
        let mut peer = served.connect();
        let refused = peer.call("echo", "[]");
        assert_eq!(refused["error"]["error_type"], "DirtyNoWorkersAvailableError", "{refused}");
        served.signal(Signal::SIGTERM);
        assert_eq!(served.wait().code(), Some(0));
        let log = served.log();
        assert!(log.contains(&format!("hook {hook} failed: exit code 4")), "{log}");
        assert!(log.contains("unwell hook="), "{log}");
        // As often as any other boot failure, with the same pauses (POOL-5).
        let failures = log.matches("failed to boot").count();
        assert!((5..=6).contains(&failures), "{failures} boots: {log}");
        for context in place.contexts() {
            assert!(!is_alive(pid_of(&context)), "{context}");
        }
    }
}

#[test]
fn a_hook_that_overruns_is_killed_with_all_that_it_started() {
    let place = Place::new();
    let pids = place.path("pids");
    let hook = format!("sleep 1000 & echo $! $$ >> {pids}; {}; wait", place.records());
    let served = start(&[&format!("dirty_post_fork={hook}"), "hook_timeout=0.3", &worker()]);
    served.logs("hook dirty_post_fork failed: it still ran after 0.3 s and was killed");
    served.logs("worker failed to boot: signal SIGKILL");
    let first = place.read("pids").lines().next().unwrap().to_owned();
    for pid in first.split(' ') {
        eventually("the end of the hook", || !is_alive(pid.parse().unwrap()));
    }
}

#[test]
fn the_boot_limit_holds_while_a_hook_runs() {
    for hook in ["dirty_post_fork", "dirty_worker_init"] {
        let place = Place::new();
        let served = start(&[&format!("{hook}={}", place.blocks()), "boot_timeout=0.3", &worker()]);
        served.logs("worker failed to boot: signal SIGKILL");
        assert!(!served.log_so_far().contains("hook "), "the hook has ended before the worker");
    }
}

#[test]
fn a_slow_hook_stalls_no_call_and_an_arbiter_that_ends_waits_for_the_hooks_that_are_due() {
    let place = Place::new();
    let mut served = start(&[&format!("dirty_worker_exit={}", place.blocks()), &worker()]);
    let mut peer = served.connect();
    for code in 1..=3 {
        assert_eq!(peer.call("die", &format!("[{code}]"))["error"]["details"]["exit_code"], code);
        assert!(peer.call("echo", "[]").get("result").is_some());
    }
    place.awaits(1);
    served.signal(Signal::SIGTERM);
    assert_eq!(peer.receive_text(), None);
    served.logs("worker ended: exit code 0");
    assert!(is_alive(served.pid().into()), "it waits for its hooks");
    assert_eq!(place.names().len(), 1, "one after another");
    place.release();
    assert_eq!(served.wait().code(), Some(0));
    let exits: Vec<Value> = place.contexts().iter().map(|told| told["worker"]["exit"].clone()).collect();
    assert_eq!(exits, [1, 2, 3, 0].map(|code| json!({"exit_code": code})));
}

#[test]
fn a_failing_dirty_worker_exit_is_logged_and_the_pool_goes_on() {
    let served = start(&["dirty_worker_exit=exit 5", &worker()]);
    let mut peer = served.connect();
    assert!(peer.call("die", "[1]").get("error").is_some());
    assert!(peer.call("echo", "[]").get("result").is_some());
    served.logs("hook dirty_worker_exit failed: exit code 5");
}

#[test]
fn a_signal_ends_the_wait_for_hooks() {
    let place = Place::new();
    let hook = format!("dirty_worker_exit=echo $$ > {}; {}", place.path("pid"), place.blocks());
    let mut served = start(&[&hook, &worker()]);
    let mut peer = served.connect();
    assert!(peer.call("echo", "[]").get("result").is_some());
    served.signal(Signal::SIGTERM);
    place.awaits(1);
    served.logs("worker ended: exit code 0");
    assert!(is_alive(served.pid().into()));
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
    assert!(!is_alive(place.read("pid").trim().parse().unwrap()));
}

#[test]
fn a_hook_need_not_read_its_context_and_what_it_leaves_behind_is_no_reason_to_wait() {
    let place = Place::new();
    let hook = format!("exec <&-; ({}) & exit 0", waits_for(Path::new(&place.path("go"))));
    let served = start(&[&format!("dirty_post_fork={hook}"), &worker()]);
    assert!(served.connect().call("echo", "[]").get("result").is_some());
}
