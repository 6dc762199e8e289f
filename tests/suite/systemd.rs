//! What the arbiter tells the service manager that started it (LIFE-16, WORK-16).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::served::{PATIENCE, Served, dirty, waits_for};

/// A service manager's end.
struct Manager {
    socket: UnixDatagram,
    address: String,
    _directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Manager {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { socket, address: path.to_str().unwrap().to_owned(), _directory: directory }
    }

    /// `dirty`, started by this manager.
    fn service(&self) -> Command {
        let mut command = dirty();
        command.env("NOTIFY_SOCKET", &self.address).env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command
    }

    /// The next message's lines.
    fn told(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("the manager is told something");
        std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned).collect()
    }

    /// Messages up to the one with this line.
    fn told_until(&self, line: &str) -> Vec<Vec<String>> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.told());
            if messages.iter().flatten().any(|told| told == line) {
                return messages;
            }
        }
    }
}

fn serves(served: &Served) {
    assert!(served.connect().call("echo", "[]").get("result").is_some());
}

#[test]
fn the_manager_hears_when_every_app_is_ready_and_when_the_end_begins() {
    let manager = Manager::new();
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let command = format!("sh -c '{}; exec {} worker'", waits_for(&go), env!("CARGO_BIN_EXE_dirty"));
    let words = ["--workers", "2", "--worker-command", &command];
    let mut served = Served::start_by(manager.service(), &words);
    assert_eq!(manager.told(), ["STATUS=0 of 2 workers are ready"]);
    std::fs::write(&go, "").unwrap();
    // One worker is enough for every app.
    let mut told = Vec::new();
    while !["READY=1", "STATUS=2 of 2 workers are ready"].iter().all(|line| told.iter().any(|it| it == line))
    {
        told.extend(manager.told());
    }
    assert_eq!(told.iter().filter(|line| *line == "READY=1").count(), 1, "{told:?}");
    // A worker's death is news, but the arbiter is as ready as before.
    std::fs::remove_file(&go).unwrap();
    assert!(served.connect().call("die", "[1]").get("error").is_some());
    assert_eq!(manager.told(), ["STATUS=1 of 2 workers are ready"]);
    std::fs::write(&go, "").unwrap();
    assert_eq!(manager.told(), ["STATUS=2 of 2 workers are ready"]);
    serves(&served);
    served.signal(Signal::SIGTERM);
    assert_eq!(manager.told(), ["STOPPING=1"]);
    assert_eq!(served.wait().code(), Some(0));
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err(), "nothing more");
}

#[test]
fn an_app_that_fails_is_no_reason_to_wait_for_ever() {
    let manager = Manager::new();
    let words = ["--workers", "1", "--app", "fixture:App", "--worker-command", "exit 3"];
    let _served = Served::start_by(manager.service(), &words);
    let told = manager.told_until("READY=1").concat();
    assert_eq!(told.last().unwrap(), "STATUS=0 of 1 workers are ready; failed: fixture:App", "{told:?}");
}

#[test]
fn a_reload_is_announced_with_its_time_and_its_end() {
    let manager = Manager::new();
    let served = Served::start_by(manager.service(), &["--workers", "1"]);
    manager.told_until("READY=1");
    let before = std::fs::read_to_string("/proc/uptime").unwrap();
    served.signal(Signal::SIGHUP);
    let told = manager.told_until("READY=1");
    let begin = &told[0];
    assert_eq!(begin[0], "RELOADING=1", "{told:?}");
    // Seconds since the start of the system, in microseconds, as systemd compares it with its own clock.
    let usec: f64 = begin[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    let before: f64 = before.split(' ').next().unwrap().parse().unwrap();
    assert!(usec / 1e6 > before - 1.0 && usec / 1e6 < before + PATIENCE.as_secs_f64(), "{usec} {before}");
    assert_eq!(told.concat().iter().filter(|line| *line == "READY=1").count(), 1);
    serves(&served);
}

#[test]
fn an_immediate_end_is_announced_too() {
    let manager = Manager::new();
    let mut served = Served::start_by(manager.service(), &[]);
    manager.told_until("READY=1");
    served.signal(Signal::SIGQUIT);
    manager.told_until("STOPPING=1");
    assert_eq!(served.wait().code(), Some(0));
}

#[test]
fn the_watchdog_hears_from_the_arbiter_it_is_meant_for() {
    let manager = Manager::new();
    let mut command = manager.service();
    command.env("WATCHDOG_USEC", "60000");
    let served = Served::start_by(command, &["--workers", "1"]);
    for _ in 0..6 {
        manager.told_until("WATCHDOG=1");
    }
    // What is stopped is silent: the sign comes from the event loop and from nothing else.
    served.signal(Signal::SIGSTOP);
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 64]).is_ok() {}
    drop(served);

    let other = Manager::new();
    let mut command = other.service();
    command.env("WATCHDOG_USEC", "60000").env("WATCHDOG_PID", "1");
    let mut served = Served::start_by(command, &["--workers", "1"]);
    other.told_until("READY=1");
    // Ten times as long as the arbiter would be silent.
    assert_eq!(served.connect().call("sleep", "[0.2,1]")["result"], 1);
    served.signal(Signal::SIGTERM);
    let told = other.told_until("STOPPING=1").concat();
    assert!(!told.contains(&"WATCHDOG=1".to_owned()), "a watchdog of another process: {told:?}");
    served.wait();
}

#[test]
fn a_manager_may_be_named_without_a_file() {
    let name = format!("dirty-arbiter-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let manager = Manager { socket, address: format!("@{name}"), _directory: tempfile::tempdir().unwrap() };
    let _served = Served::start_by(manager.service(), &["--workers", "1"]);
    manager.told_until("READY=1");
}

#[test]
fn a_manager_that_cannot_be_reached_or_does_not_read_holds_nothing_up() {
    let mut command = dirty();
    command.env("NOTIFY_SOCKET", "/nonexistent/notify");
    let served = Served::start_by(command, &["--workers", "1"]);
    serves(&served);
    served.logs("failed to reach the service manager");

    let manager = Manager::new();
    let mut command = manager.service();
    // Fills the queue of the manager within a moment.
    command.env("WATCHDOG_USEC", "3000");
    let mut served = Served::start_by(command, &["--workers", "1", "--log-level", "debug"]);
    served.logs("did not take a notification");
    serves(&served);
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait().code(), Some(0));
}

#[test]
fn a_worker_speaks_to_the_arbiter_and_never_to_its_manager() {
    let manager = Manager::new();
    let mut command = manager.service();
    command.env("WATCHDOG_USEC", "3600000000").env("WATCHDOG_PID", "1");
    let served = Served::start_by(command, &["--workers", "1"]);
    let worker = served.connect().call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{worker}/environ")).unwrap();
    let value = |name: &str| {
        let mut variables = environment.split('\0').filter_map(|variable| variable.split_once('='));
        variables.find(|(variable, _)| *variable == name).map(|(_, value)| value)
    };
    let socket = value("NOTIFY_SOCKET").unwrap();
    assert_ne!(socket, manager.address);
    assert!(socket.contains("d.sock.d/"), "{socket}");
    assert_ne!(value("WATCHDOG_USEC"), Some("3600000000"));
    assert_eq!(value("WATCHDOG_PID"), None, "it would keep the worker's watchdog from starting");
}

#[test]
fn an_arbiter_inside_a_worker_does_not_say_that_the_worker_is_ready() {
    // The worker is slow to be ready, and has started an arbiter first, which is ready at once.
    let script = format!(
        r#"{} serve --socket inner.sock --workers 1 >/dev/null 2>&1 </dev/null & \
           until [ -S inner.sock.d/w1 ]; do sleep 0.01; done; sleep 0.1; exec {0} worker"#,
        env!("CARGO_BIN_EXE_dirty")
    );
    let directory = tempfile::tempdir().unwrap();
    let mut command = crate::served::dirty();
    command.current_dir(directory.path());
    let command_line = format!("/bin/sh -c '{script}'");
    let mut served =
        crate::served::Served::start_by(command, &["--workers", "1", "--worker-command", &command_line]);
    assert!(served.connect().call("echo", "[1]").get("result").is_some());
    served.signal(nix::sys::signal::Signal::SIGTERM);
    let log = served.log();
    assert!(!log.contains("broke the protocol"), "{log}");
    // The lock of a socket holds the number of the process that has it.
    let lock = std::fs::read_to_string(directory.path().join("inner.sock.d/lock")).unwrap();
    let inner = nix::unistd::Pid::from_raw(lock.trim().parse().unwrap());
    nix::sys::signal::kill(inner, nix::sys::signal::Signal::SIGTERM).unwrap();
    crate::served::eventually("the inner arbiter ends", || {
        !crate::served::is_alive(inner.as_raw().try_into().unwrap())
    });
}
