//! What the arbiter owes to its workers and to the system around it, and no conversation with a client can show.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use crate::pool::call;
use crate::served::Served;

/// The user `nobody` on every system of today.
const NOBODY: u32 = 65_534;

/// A worker that answers every request with what it was told: its environment, its descriptors, the payload.
const WITNESS: &str = r#"python3 -c '
import json, os, socket, stat, struct, threading
environment = {name: os.environ.get(name) for name in (
    "DIRTY_WORKER_SOCKET", "DIRTY_APPS", "DIRTY_THREADS", "DIRTY_WORKER_ID", "DIRTY_TIMEOUT", "NOTIFY_SOCKET",
    "WATCHDOG_USEC")}
names = ["/proc/self/fd/" + fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
inherited = [os.readlink(name) for name in names if os.path.lexists(name)]
listener = socket.socket(socket.AF_UNIX)
listener.bind(environment["DIRTY_WORKER_SOCKET"])
listener.listen()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(environment["NOTIFY_SOCKET"])
notify.send(b"READY=1")
def serve(slot):
    while header := slot.recv(4, socket.MSG_WAITALL):
        payload = slot.recv(struct.unpack(">I", header)[0], socket.MSG_WAITALL).decode()
        result = {"payload": payload, "environment": environment, "inherited": inherited,
            "lifeline": stat.S_ISFIFO(os.fstat(0).st_mode)}
        message = {"type": "response", "id": json.loads(payload)["id"], "result": result}
        reply = json.dumps(message).encode()
        slot.sendall(struct.pack(">I", len(reply)) + reply)
for _ in range(int(environment["DIRTY_THREADS"])):
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
'"#;

fn witness(arguments: &[&str]) -> Served {
    let mut all = vec!["--workers", "1", "--app", "fixture:App", "--worker-command", WITNESS];
    all.extend(arguments);
    Served::start(&all)
}

#[test]
fn a_worker_is_told_all_that_the_contract_names() {
    let served = witness(&["--threads", "2", "--timeout", "7"]);
    let result = served.connect().call("any", "[]")["result"].clone();
    let told =
        |name: &str| result["environment"][name].as_str().unwrap_or_else(|| panic!("no {name}: {result}"));
    let socket = Path::new(told("DIRTY_WORKER_SOCKET"));
    assert!(socket.is_absolute() && socket.exists());
    let directory = fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700, "its directory is private");
    let apps: Vec<String> = serde_json::from_str(told("DIRTY_APPS")).unwrap();
    assert_eq!(apps, ["fixture:App"]);
    assert_eq!(told("DIRTY_THREADS"), "2");
    assert_eq!(told("DIRTY_WORKER_ID"), "1");
    assert_eq!(told("DIRTY_TIMEOUT").parse::<f64>().unwrap(), 7.0);
    assert!(Path::new(told("NOTIFY_SOCKET")).exists());
    assert!(told("WATCHDOG_USEC").parse::<u64>().unwrap() > 0);
    assert_eq!(result["lifeline"], true, "standard input is a pipe");
    // Whoever started the arbiter may have left it descriptors; its own are sockets, and files beside its socket.
    let own = |name: &str| name.starts_with("socket:") || name.contains("/d.sock");
    let inherited = result["inherited"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    assert_eq!(inherited.filter(|name| own(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_request_reaches_its_worker_byte_for_byte() {
    let served = witness(&[]);
    let mut peer = served.connect();
    let rest = r#""args" : [ 1.10, 1e400 ],"kwargs":{"b":1,"a":2,"a":3}, "meta":{"traceparent":"00-ab","n":1.10,"e":"\u0041"},"unknown":[true ]"#;
    let sent = format!(r#"{{"type":"request","id":"m","app_path":"fixture:App","action":"any",{rest}}}"#);
    peer.send(&sent);
    assert_eq!(peer.receive()["result"]["payload"], sent);
}

/// A worker that first notifies and waits as its first argument says. Its second one is its backlog. It answers with its
/// number, when as many calls run as it has slots.
const SPEAKER: &str = r#"python3 -c '
import json, os, socket, struct, sys, threading
listener = socket.socket(socket.AF_UNIX); listener.bind(os.environ["DIRTY_WORKER_SOCKET"])
listener.listen(int(sys.argv[2]))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); notify.connect(os.environ["NOTIFY_SOCKET"])
for line in sys.argv[1].split():
    if line == "LONG": notify.send(b"READY=0\nSTATUS=" + b"x" * 100_000)
    if line == "APPS": notify.send(b"X_DIRTY_APPS=" + os.environ["DIRTY_APPS"].encode() + b"\nREADY=1")
    if line == "READY": notify.send(b"READY=1")
    if line.startswith("/"):
        while not os.path.exists(line): threading.Event().wait(0.01)
together = threading.Barrier(int(os.environ["DIRTY_THREADS"]))
def serve(slot):
    while header := slot.recv(4, socket.MSG_WAITALL):
        call = json.loads(slot.recv(struct.unpack(">I", header)[0], socket.MSG_WAITALL))
        together.wait()
        message = {"type": "response", "id": call["id"], "result": os.environ["DIRTY_WORKER_ID"]}
        reply = json.dumps(message).encode()
        slot.sendall(struct.pack(">I", len(reply)) + reply)
for _ in range(int(os.environ["DIRTY_THREADS"])):
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
os.read(0, 1)
' "#;

#[test]
fn a_worker_may_name_any_number_of_apps_before_it_says_ready() {
    let command = format!("{SPEAKER} APPS 8");
    let names: Vec<String> = (0..1_000)
        .map(|n| format!("a.rather.long.name.of.a.package.of.many.modules.module{n}:AClassWithALongName{n}"))
        .collect();
    let apps = names.iter().flat_map(|name| ["--app", name]);
    let arguments: Vec<&str> =
        ["--workers", "1", "--worker-command", &command].into_iter().chain(apps).collect();
    let served = Served::start(&arguments);
    let mut peer = served.connect();
    assert_eq!(call(&mut peer, &names[999], "any")["result"], "1", "{}", served.log_so_far());
}

#[test]
fn a_notification_that_is_too_long_is_told_of_and_the_next_one_read() {
    let served = Served::start(&["--workers", "1", "--worker-command", &format!("{SPEAKER} 'LONG READY' 8")]);
    assert_eq!(served.connect().call("any", "[]")["result"], "1");
    served.logs("cut a worker's notification");
}

#[test]
fn a_worker_whose_backlog_is_smaller_than_its_slots_is_waited_for() {
    let go = tempfile::tempdir().unwrap();
    let file = go.path().join("go");
    let command = format!("{SPEAKER} 'READY {}' 1", file.display());
    let arguments =
        ["--workers", "1", "--threads", "16", "--log-level", "debug", "--worker-command", &command];
    let served = Served::start(&arguments);
    // It does not accept before it may.
    served.logs("a worker takes no more connections");
    fs::write(&file, "").unwrap();
    let mut peer = served.connect();
    for number in 0..16 {
        peer.request(&number.to_string(), "any", r#""args":[],"kwargs":{}"#);
    }
    // They answer when all of them run: every slot has been opened.
    for _ in 0..16 {
        assert_eq!(peer.receive()["result"], "1");
    }
}

#[test]
fn a_thousand_clients_may_connect_before_the_arbiter_accepts_one() {
    let served = Served::start(&[]);
    served.signal(Signal::SIGSTOP);
    let most = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    let wanted = 1_024.min(most);
    let address = UnixAddr::new(&served.socket).unwrap();
    for number in 0..wanted {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let client = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        // A client that leaves keeps its place in the backlog, so this needs no thousand descriptors.
        let connected = connect(std::os::fd::AsRawFd::as_raw_fd(&client), &address);
        assert_ne!(connected, Err(Errno::EAGAIN), "the backlog is full after {number} clients");
        connected.unwrap();
    }
    served.signal(Signal::SIGCONT);
    assert!(served.connect().call("echo", "[1]").get("result").is_some());
}

/// Only root can play another user; run by anybody else, this test shows nothing.
#[test]
fn another_user_is_not_served_whatever_the_modes_of_the_files_are() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let served = Served::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("dirty");
    // Copied by another process: a descriptor open for writing could be inherited by a child of another test's thread,
    // and a program that is being written cannot be run.
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_dirty")).arg(&program).status().unwrap().success());
    let run = served.socket.parent().unwrap();
    for open in [folder.path(), &program, run, run.parent().unwrap()] {
        fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&served.socket, Permissions::from_mode(0o666)).unwrap();
    let call = || {
        let mut command = Command::new(&program);
        command.current_dir("/").args(["replay", "calls/echo", "--socket"]).arg(&served.socket);
        command
    };
    let own = call().output().unwrap();
    assert!(own.status.success(), "{own:?}");
    let other = call().uid(NOBODY).gid(NOBODY).output().unwrap();
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    // It could connect: what refused it was the arbiter.
    let shown = String::from_utf8_lossy(&other.stdout);
    assert!(!shown.contains("Permission denied") && !shown.is_empty(), "{other:?}");
    assert!(served.connect().call("echo", "[1]").get("result").is_some());
}
