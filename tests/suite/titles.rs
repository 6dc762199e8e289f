//! What `ps` shows (LIFE-15).

use std::fs;

use crate::served::{Served, dirty};

/// The words of a process's command line, which `ps aux` shows, and its short name, which `ps -e` does.
fn shown(pid: u64) -> (Vec<String>, String) {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let short = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    (words.filter(|word| !word.is_empty()).collect(), short.trim_end().to_owned())
}

#[test]
fn ps_shows_the_arbiter_and_its_workers_by_name() {
    let command = format!("{} worker", env!("CARGO_BIN_EXE_dirty"));
    for arguments in [&["--workers", "1"][..], &["--workers", "1", "--worker-command", &command]] {
        let served = Served::start(arguments);
        let (words, short) = shown(served.pid().into());
        assert_eq!(&words[..3], ["dirty-arbiter", "serve", "--socket"]);
        assert_eq!(short, "dirty-arbiter");
        let mut peer = served.connect();
        for number in 1..=2 {
            let pid = peer.call("whoami", "[]")["result"]["pid"].as_u64().unwrap();
            let (words, short) = shown(pid);
            assert_eq!(words, [format!("dirty-worker [{number}]"), "worker".to_owned()]);
            assert_eq!(short, "dirty-worker");
            assert!(peer.call("die", "[1]").get("error").is_some());
        }
    }
}

/// Python finds the packages of a virtual environment by the name it is called by.
#[test]
fn a_worker_command_is_called_by_its_own_name() {
    let script = r#"python3 -c '
import json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["DIRTY_WORKER_SOCKET"]); s.listen()
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
c, _ = s.accept()
while True:
    size = c.recv(4)
    if not size: break
    call = json.loads(c.recv(struct.unpack(">I", size)[0]))
    words = open("/proc/self/cmdline").read().split("\0")
    reply = json.dumps({"type": "response", "id": call["id"], "result": [words[0], sys.executable]}).encode()
    c.sendall(struct.pack(">I", len(reply)) + reply)
'"#;
    let served = Served::start(&["--workers", "1", "--worker-command", script]);
    let result = served.connect().call("any", "[]")["result"].clone();
    assert!(result[0].as_str().unwrap().ends_with("python3"), "{result}");
    assert!(!result[1].as_str().unwrap().is_empty(), "{result}");
}

#[test]
fn a_program_that_cannot_execute_itself_serves_under_its_own_name() {
    // The mark of a process that has done so already; the shell's number is that of the program it becomes.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"_DIRTY_TITLED=$$ exec "$0" "$@""#]).arg(dirty().get_program());
    let served = Served::start_by(shell, &["--workers", "1"]);
    let (words, short) = shown(served.pid().into());
    assert_eq!(words[1], "serve");
    assert_ne!(words[0], "dirty-arbiter");
    assert_eq!(short, "dirty-arbiter");
    assert!(served.connect().call("echo", "[]").get("result").is_some());
}
