//! Subjects that do nothing right: each verdict says what was seen, the run goes on with the next transcript, nothing
//! hangs, and no process is left.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dirty_arbiter::check::adapter::ClientStage;

/// Far more than any of these runs takes, on any machine: what hangs takes longer.
const BOUND: Duration = Duration::from_secs(120);

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// How many transcripts failed with a problem that has this in it.
    fn failed_with(&self, problem: &str) -> usize {
        let lines = self.stdout.lines();
        lines.filter(|line| line.starts_with("FAILED  ") && line.contains(problem)).count()
    }

    #[track_caller]
    fn shows(&self, part: &str) {
        assert!(self.stdout.contains(part), "no {part:?} in\n{}{}", self.stdout, self.stderr);
    }
}

fn dirty(arguments: &[&str]) -> Ran {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_dirty")).args(arguments).output().unwrap();
    assert!(begun.elapsed() < BOUND, "{arguments:?} took {:?}", begun.elapsed());
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const HELLO: &str = r#"echo '{"hello":{"adapter":"dirty-adapter/1","name":"a bad client","version":"0","lacks":["multiplex"]}}'"#;

/// Judges the client that this shell script drives, once it has said hello.
fn client(script: &str, arguments: &[&str]) -> Ran {
    let script = format!("{HELLO}\n{script}");
    let program = ["--", "sh", "-c", &script];
    dirty(&[&["check", "client"], arguments, &program].concat())
}

/// The same for Python, which has sockets; `connect()` makes one, `send` writes a frame.
fn python_client(script: &str, arguments: &[&str]) -> Ran {
    let script = format!(
        r#"
import json, os, socket, sys, time
print('{{"hello":{{"adapter":"dirty-adapter/1","name":"a bad client","version":"0","lacks":[]}}}}', flush=True)
kept = []
def connect():
    link = socket.socket(socket.AF_UNIX)
    link.connect(os.environ["DIRTY_SOCKET"])
    kept.append(link)
    return link
def request(call):
    names = ("app_path", "action", "args", "kwargs")
    return json.dumps({{"type": "request", "id": "1", **{{name: call[name] for name in names}}}}).encode()
def frame(payload):
    return len(payload).to_bytes(4, "big") + payload
for line in sys.stdin:
    call = json.loads(line)
{script}"#
    );
    let program = ["--", "python3", "-c", &script];
    dirty(&[&["check", "client"], arguments, &program].concat())
}

#[test]
fn a_client_that_never_connects_is_given_up_after_three() {
    let ran = client("while read -r line; do :; done", &["--time-scale", "0.02"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.failed_with("the client did not connect within 100 ms"), 3, "{}", ran.stdout);
    ran.shows("\nNOT RUN client/unknown-members\n");
    ran.shows("not run: the subject answers nothing: it has done nothing in 3 transcripts in a row, and in calls/echo:");
    ran.shows(", 3 FAILED, ");
    ran.shows("\nnot conformant\n");
}

#[test]
fn a_client_that_connects_and_is_silent_is_given_up_after_three() {
    let ran = python_client("    connect()", &["--time-scale", "0.1"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(
        ran.failed_with("no whole message within 500 ms: got 0 bytes, expected "),
        3,
        "{}",
        ran.stdout
    );
    ran.shows("\nNOT RUN client/unknown-members\n");
}

#[test]
fn a_client_that_crashes_is_started_again_for_the_next_transcript() {
    let ran = client("read -r line; echo out of ink >&2; exit 7", &["--only", "calls/*"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let seen = "the adapter ended (exit status: 7) before the transcript did, the last of its standard error: out of ink";
    assert_eq!(ran.failed_with(seen), 4, "each of them: {}", ran.stdout);
    let ran = client("read -r line; kill -SEGV $$", &["--only", "calls/echo"]);
    ran.shows("the adapter ended (signal: SIGSEGV) before the transcript did");
}

#[test]
fn a_client_that_floods_its_standard_output_is_stopped() {
    let ran = client("exec yes '{\"call\":2,\"yields\":0}'", &["--only", "calls/echo"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    ran.shows("no call has the number 2");
    let flood = "read -r line; exec yes '{\"call\":1,\"yields\":0}'";
    let ran = client(flood, &["--only", "calls/echo", "--only", "calls/no-arguments"]);
    assert_eq!(
        ran.failed_with("the adapter wrote more than 10000 lines on its standard output"),
        2,
        "{}",
        ran.stdout
    );
    let ran = client("read -r line; exec tr '\\0' x </dev/zero", &["--only", "calls/echo"]);
    ran.shows("longer than 16777216 bytes");
}

#[test]
fn a_client_that_floods_its_connection_is_stopped() {
    let script =
        "    link = connect()\n    while True: link.sendall(frame(request({**call, 'args': ['x' * 9999]})))";
    let ran = python_client(script, &["--only", "calls/*"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.failed_with("another message than expected, at /args"), 4, "{}", ran.stdout);
    let ran = python_client(
        "    link = connect()\n    while True: link.sendall(b'x' * 65536)",
        &["--only", "calls/echo"],
    );
    ran.shows("FRAME-3");
}

#[test]
fn a_client_that_asks_on_another_connection_is_told_from_a_silent_one() {
    let script = "    connect()\n    connect().sendall(frame(request(call)))";
    let ran = python_client(script, &["--only", "calls/*"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let seen = "a message on another connection than c1, which the client has opened besides, {\"type\":";
    let seen = seen.replace("\":", "\": ");
    assert_eq!(ran.failed_with(&seen), 4, "{}", ran.stdout);
}

#[test]
fn garbage_on_standard_output_is_shown() {
    for (line, problem) in [
        (
            "debug: calling",
            "the adapter wrote \"debug: calling\" on its standard output, payload is not JSON",
        ),
        ("[1]", "an array: expected an object"),
        ("{\"call\":9,\"returns\":1}", "no call has the number 9"),
        ("{\"call\":1}", "0 of yields, returns, raises, unsupported: expected one of them"),
        ("{\"call\":1,\"returns\":NaN}", "(VAL-2)"),
        ("{\"call\":1,\"unsupported\":\"work\"}", "\"work\" is no feature that a client may lack"),
        ("{\"call\":1,\"raises\":{\"error_type\":\"E\",\"message\":\"m\"}}", "\"details\""),
    ] {
        let script = format!("read -r line; echo '{line}'; cat");
        let ran = client(&script, &["--only", "calls/echo", "--only", "calls/no-arguments"]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        ran.shows(problem);
        assert_eq!(ran.stdout.matches("\nFAILED calls/").count(), 2, "{}", ran.stdout);
    }
}

#[test]
fn an_adapter_that_cannot_be_run_is_no_verdict() {
    for (script, problem) in [
        (
            "echo no such module >&2; exit 1",
            "ended before it was ready (exit status: 1): expected the line {\"hello\": {…}}",
        ),
        ("echo hello", "sh wrote \"hello (payload is not JSON"),
        ("echo '{\"hello\":{\"adapter\":\"dirty-adapter/2\"}}'", " at /hello/adapter)"),
    ] {
        let ran = dirty(&["check", "client", "--", "sh", "-c", script]);
        assert_eq!(ran.code, 3, "{script}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    }
    let ran = dirty(&["check", "client", "--", "/nonexistent/adapter"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("failed to start /nonexistent/adapter: No such file"), "{}", ran.stderr);
    let mute = ["sh", "-c", "read -r line"].map(Into::into).to_vec();
    let error = ClientStage::new(mute, None, Duration::from_secs(1)).unwrap_err().to_string();
    assert!(error.contains("sh was not ready after 1 s: expected the line {\"hello\": {…}}"), "{error}");
}

#[test]
fn no_process_of_an_adapter_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!(
        "trap '' TERM; sleep 600 & echo $! $$ >>{}; while read -r line; do :; done; sleep 600",
        pids.display()
    );
    let ran = client(&script, &["--only", "calls/*", "--time-scale", "0.02"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let pids = std::fs::read_to_string(pids).unwrap();
    assert!(pids.lines().count() >= 5, "one to learn who it is, one for each transcript: {pids}");
    for pid in pids.split_whitespace() {
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_running(pid) {
            assert!(Instant::now() < deadline, "process {pid} is left");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// An arbiter that does this with every connection.
fn arbiter(serve: fn(UnixStream)) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    (folder, socket.to_str().unwrap().to_string())
}

#[test]
fn an_arbiter_that_accepts_and_hangs_is_given_up_after_three() {
    let (_folder, socket) = arbiter(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let ran = dirty(&["check", "arbiter", "--socket", &socket, "--time-scale", "0.02"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(
        ran.failed_with("no whole message within 100 ms: got 0 bytes, expected "),
        3,
        "{}",
        ran.stdout
    );
    ran.shows("not run: the subject answers nothing: ");
    ran.shows("NOT RUN values/");
}

/// It is silent for long, but not mute: nothing is left out.
#[test]
fn an_arbiter_that_answers_something_is_asked_everything() {
    let (_folder, socket) = arbiter(|mut stream| {
        use std::io::Write;
        let mut header = [0; 4];
        while stream.read_exact(&mut header).is_ok() {
            let mut payload = vec![0; u32::from_be_bytes(header) as usize];
            stream.read_exact(&mut payload).unwrap();
            let text = String::from_utf8(payload).unwrap();
            // The sign of life, and nothing else.
            if text.contains(r#""args":[1,"x"]"#) {
                let reply = br#"{"type":"end","id":"r-1"}"#;
                let _ = stream
                    .write_all(&[&u32::try_from(reply.len()).unwrap().to_be_bytes(), &reply[..]].concat());
            }
        }
    });
    let ran =
        dirty(&["check", "arbiter", "--socket", &socket, "--only", "messages/a*", "--time-scale", "0.02"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.failed_with("no whole message within 100 ms") > 10, "{}", ran.stdout);
    assert!(!ran.stdout.contains("NOT RUN"), "{}", ran.stdout);
}

#[test]
fn an_arbiter_that_closes_at_once_is_asked_everything() {
    let (_folder, socket) = arbiter(drop);
    let ran = dirty(&["check", "arbiter", "--socket", &socket, "--only", "calls/*", "--time-scale", "0.1"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.failed_with("the connection ended: expected ") > 15, "{}", ran.stdout);
    assert!(!ran.stdout.contains("NOT RUN") && !ran.stdout.contains("\nok "), "{}", ran.stdout);
}

#[test]
fn an_arbiter_that_is_not_there_is_no_verdict() {
    let ran = dirty(&["check", "arbiter", "--socket", "/nonexistent/s"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("nothing to judge at /nonexistent/s: No such file"), "{}", ran.stderr);
}

#[test]
fn a_worker_that_exits_at_once_is_no_verdict_and_one_that_does_so_later_fails() {
    let ran = dirty(&["check", "worker", "--", "sh", "-c", "echo no licence >&2; exit 5"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("(exit status: 5)") && ran.stderr.contains("no licence"), "{}", ran.stderr);
    let ready = "import os,socket; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.sendto(b\"READY=1\", os.environ[\"NOTIFY_SOCKET\"])";
    let only = ["--only", "calls/echo", "--only", "calls/exception"];
    let ran = dirty(&[&["check", "worker"], &only[..], &["--", "python3", "-c", ready]].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.failed_with("no connection to the subject"), 2, "{}", ran.stdout);
}
