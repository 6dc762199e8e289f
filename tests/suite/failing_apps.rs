//! Python apps that cannot boot, beside others in the same worker (POOL-15, WORK-17).

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::served::{Peer, Served, dirty};

/// Each class but `Good` and `Late` fails at another step; `Late` fails until a file is there.
const APPS: &str = r#"
import os, signal, sys, threading

class Good:
    def ping(self):
        return "pong"

class Late(Good):
    def init(self):
        with open(os.path.join(os.path.dirname(__file__), "weights")):
            pass

number = 3

class Constructor:
    def __init__(self):
        raise ValueError("no such device")

class Raises:
    def init(self):
        raise OSError("weights.bin is not there")

class Hangs:
    def init(self):
        threading.Event().wait()

class Exits:
    def init(self):
        os._exit(7)

class Quits:
    def init(self):
        sys.exit("enough")

class Interrupts:
    def init(self):
        raise KeyboardInterrupt

class Crashes:
    def init(self):
        os.kill(os.getpid(), signal.SIGSEGV)
"#;

fn request(app_path: &str) -> String {
    let request = serde_json::json!({
        "type": "request", "id": app_path, "app_path": app_path, "action": "ping", "args": [], "kwargs": {},
    });
    request.to_string()
}

fn call(peer: &mut Peer, app_path: &str) -> Value {
    peer.send(&request(app_path));
    peer.receive()
}

fn serve(directory: &Path, apps: &[&str], options: &[&str]) -> Served {
    fs::write(directory.join("lab.py"), APPS).unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut command = dirty();
    command
        .env("PYTHONPATH", std::env::join_paths([package.as_path(), directory]).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let apps = apps.iter().flat_map(|app| ["--app", app]);
    Served::start_by(command, &apps.chain(options.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn apps_that_cannot_boot_cost_the_others_nothing() {
    let reasons = [
        ("nowhere:App", "there is no module 'nowhere'"),
        ("lab:Missing", "module 'lab' has no 'Missing'"),
        ("lab:number", "'number' is a int, expected a class"),
        ("lab:Constructor", "making it failed: ValueError: no such device"),
        ("lab:Raises", "init() failed: OSError: weights.bin is not there"),
        ("lab:Exits", "exit code 7"),
        ("lab:Quits", "init() failed: SystemExit: enough"),
        ("lab:Interrupts", "init() failed: KeyboardInterrupt"),
        ("lab:Crashes", "signal SIGSEGV"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let apps: Vec<&str> = reasons.iter().map(|(app, _)| *app).chain(["lab:Good"]).collect();
    let mut served = serve(directory.path(), &apps, &["--workers", "1"]);
    let mut peer = served.connect();
    assert_eq!(call(&mut peer, "lab:Good")["result"], "pong");
    // Each is tried again and again, and in the end its requests are refused; meanwhile the others go on.
    let mut waiting = served.connect();
    waiting.send(&request("lab:Raises"));
    let refused = std::thread::spawn(move || waiting.receive());
    while !refused.is_finished() {
        assert_eq!(call(&mut peer, "lab:Good")["result"], "pong");
    }
    let refused = refused.join().unwrap();
    assert_eq!(refused["error"]["error_type"], "DirtyNoWorkersAvailableError", "{refused}");
    served.signal(Signal::SIGTERM);
    let log = served.log();
    for (app, reason) in reasons {
        assert!(log.contains(&format!(r#"worker failed to boot at app "{app}""#)), "{app}: {log}");
        let named = |line: &str| line.contains(app) && line.contains(reason);
        assert!(log.lines().any(named), "{app}: {reason}: {log}");
    }
}

#[test]
fn an_init_that_hangs_costs_the_others_no_more_than_the_boot_limit() {
    let directory = tempfile::tempdir().unwrap();
    let limits = ["--workers", "1", "--boot-timeout", "3"];
    let served = serve(directory.path(), &["lab:Hangs", "lab:Good"], &limits);
    assert_eq!(call(&mut served.connect(), "lab:Good")["result"], "pong");
    assert!(served.log_so_far().contains(r#"worker failed to boot at app "lab:Hangs": signal SIGKILL"#));
}

#[test]
fn an_app_that_can_boot_after_all_serves_those_who_waited() {
    let directory = tempfile::tempdir().unwrap();
    let served = serve(directory.path(), &["lab:Late", "lab:Good"], &["--workers", "1"]);
    let mut peer = served.connect();
    assert_eq!(call(&mut peer, "lab:Good")["result"], "pong");
    fs::write(directory.path().join("weights"), "").unwrap();
    assert_eq!(call(&mut peer, "lab:Late")["result"], "pong");
}
