//! `dirty proxy`: what is in the trace is what was on the wire, and the peers cannot tell that it is there.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use dirty_arbiter::check::corpus;
use dirty_arbiter::check::trace_file::{Closing, Event, TraceFile, What, derived_schema};
use dirty_arbiter::message::Role;
use nix::sys::signal::Signal;

use crate::served::{PATIENCE, dirty, eventually};

/// A running proxy in front of a socket of the test; killed on drop.
pub struct Proxy {
    child: Child,
    pub listen: PathBuf,
    pub trace: PathBuf,
    _directory: tempfile::TempDir,
}

impl Proxy {
    pub fn start(to: &Path, arguments: &[&str]) -> Proxy {
        let directory = tempfile::tempdir().unwrap();
        let (listen, trace) = (directory.path().join("p.sock"), directory.path().join("t.jsonl"));
        let mut command = dirty();
        command.arg("proxy").arg("--listen").arg(&listen).arg("--to").arg(to).arg("--trace").arg(&trace);
        let child = command.args(arguments).stderr(Stdio::null()).spawn().unwrap();
        let proxy = Proxy { child, listen, trace, _directory: directory };
        eventually("the proxy's trace", || std::fs::metadata(&proxy.trace).is_ok_and(|it| it.len() > 0));
        proxy
    }

    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.listen).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits until the trace has this event.
    pub fn records(&self, what: &str) {
        eventually(&format!("{what} in the trace"), || {
            std::fs::read_to_string(&self.trace).unwrap().contains(what)
        });
    }

    /// Ends it, and reads its trace, which must fit the schema.
    pub fn end(mut self, signal: Signal) -> TraceFile {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        assert!(!self.listen.exists(), "the socket is removed");
        let text = std::fs::read_to_string(&self.trace).unwrap();
        let (_, schema) = corpus::schemas().find(|(name, _)| *name == "trace").unwrap();
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(validator.is_valid(&line), "{line}");
        }
        TraceFile::parse("t.jsonl", text.as_bytes()).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen() -> (tempfile::TempDir, PathBuf, UnixListener) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let listener = UnixListener::bind(&path).unwrap();
    (directory, path, listener)
}

fn frame(payload: &str) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// All bytes that `from` has sent on `on`, out of the trace.
fn bytes(trace: &TraceFile, on: &str, from: Role) -> Vec<u8> {
    let events = trace.events.iter().filter(|event| event.on == on && event.from == from);
    events.flat_map(Event::bytes).collect()
}

fn kinds(trace: &TraceFile, on: &str, from: Role) -> Vec<&'static str> {
    let events = trace.events.iter().filter(|event| event.on == on && event.from == from);
    events
        .map(|event| match event.what {
            What::Open(_) => "open",
            What::Frame(_) => "frame",
            What::Raw(_) => "raw",
            What::Close(Closing::Eof) => "eof",
            What::Close(Closing::Reset) => "reset",
            What::Close(Closing::Refused) => "refused",
        })
        .collect()
}

/// Sends `sent` on a connection of its own and returns what the listener got and what the trace says.
fn pass(sent: &[u8]) -> (Vec<u8>, TraceFile) {
    let (_directory, path, listener) = listen();
    let proxy = Proxy::start(&path, &[]);
    let mut client = proxy.connect();
    let (mut server, _) = listener.accept().unwrap();
    let got = std::thread::spawn(move || {
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        got
    });
    client.write_all(sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    (got.join().unwrap(), proxy.end(Signal::SIGTERM))
}

#[test]
fn bytes_out_of_the_trace_are_the_bytes_on_the_wire() {
    let good = frame(r#"{"type":"end", "id":"é\ud800\u0041", "x":"\\\"\u2028"}"#);
    let cases: Vec<(&str, Vec<u8>, Vec<&str>)> = vec![
        ("frames", [good.clone(), good.clone()].concat(), vec!["open", "frame", "frame", "eof"]),
        ("not JSON", [frame("{\"a\":}"), good.clone()].concat(), vec!["open", "raw", "frame", "eof"]),
        ("not an object", frame("[1]"), vec!["open", "raw", "eof"]),
        ("not UTF-8", b"\0\0\0\x05{\"\xff\"}".to_vec(), vec!["open", "raw", "eof"]),
        ("a header cut short", vec![0, 0], vec!["open", "raw", "eof"]),
        ("a payload cut short", good[..good.len() - 1].to_vec(), vec!["open", "raw", "eof"]),
        ("no bytes at all", Vec::new(), vec!["open", "eof"]),
    ];
    for (name, sent, expected) in cases {
        let (got, trace) = pass(&sent);
        assert_eq!(got, sent, "{name}: passed on");
        assert_eq!(bytes(&trace, "c1", Role::Client), sent, "{name}: recorded");
        assert_eq!(kinds(&trace, "c1", Role::Client), expected, "{name}");
    }
    // Where a header cannot be one, nobody knows where frames begin: all that follows is raw, however it is read.
    for sent in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), [vec![0; 4], good].concat()] {
        let (got, trace) = pass(&sent);
        assert_eq!(got, sent);
        assert_eq!(bytes(&trace, "c1", Role::Client), sent);
        assert!(!kinds(&trace, "c1", Role::Client).contains(&"frame"));
    }
}

#[test]
fn a_frame_of_16_mib_waits_for_a_peer_that_does_not_read() {
    let (_directory, path, listener) = listen();
    let proxy = Proxy::start(&path, &[]);
    let mut client = proxy.connect();
    let (mut server, _) = listener.accept().unwrap();
    let sent = frame(&format!(r#"{{"type":"response","id":"1","result":"{}"}}"#, "é".repeat(8 << 20)));
    // Nobody reads: the writer stops long before 16 MiB are written, as it would without a proxy.
    client.set_nonblocking(true).unwrap();
    let mut written = 0;
    let mut idle = 0;
    while idle < 20 {
        match client.write(&sent[written..]) {
            Ok(count) => (written, idle) = (written + count, 0),
            Err(_) => {
                idle += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        assert!(written < 4 << 20, "the proxy has swallowed {written} bytes");
    }
    client.set_nonblocking(false).unwrap();
    let writer = std::thread::spawn(move || {
        client.write_all(&sent[written..]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        (client, sent)
    });
    let mut got = Vec::new();
    server.read_to_end(&mut got).unwrap();
    let (_client, sent) = writer.join().unwrap();
    assert!(got == sent, "passed on");
    let trace = proxy.end(Signal::SIGINT);
    assert!(bytes(&trace, "c1", Role::Client) == sent, "recorded");
    let [event] = trace.events.iter().filter(|it| matches!(it.what, What::Frame(_))).collect::<Vec<_>>()[..]
    else {
        panic!("one frame")
    };
    assert!(event.first_us.unwrap() < event.at_us, "it took some time");
}

#[test]
fn half_closes_and_ends_are_passed_on_and_connections_are_told_apart() {
    let (_directory, path, listener) = listen();
    let proxy = Proxy::start(&path, &["--role", "worker"]);
    assert_eq!(std::fs::metadata(&proxy.listen).unwrap().permissions().mode() & 0o777, 0o600);
    let mut first = proxy.connect();
    let (mut first_server, _) = listener.accept().unwrap();
    let mut second = proxy.connect();
    let (mut second_server, _) = listener.accept().unwrap();
    // One asks, ends its direction, and is answered all the same.
    first.write_all(&frame(r#"{"type":"cancel","id":"1"}"#)).unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    first_server.read_to_end(&mut got).unwrap();
    assert_eq!(got, frame(r#"{"type":"cancel","id":"1"}"#));
    let answer = frame(r#"{"type":"end","id":"1"}"#);
    first_server.write_all(&answer).unwrap();
    drop(first_server);
    let mut got = Vec::new();
    first.read_to_end(&mut got).unwrap();
    assert_eq!(got, answer);
    // The other's server goes: who writes on is told.
    second_server.write_all(b"\0").unwrap();
    second.read_exact(&mut [0]).unwrap();
    drop(second_server);
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    eventually("a broken pipe", || second.write_all(b"x").is_err());
    let trace = proxy.end(Signal::SIGTERM);
    assert_eq!(trace.header.listener, Role::Worker);
    assert_eq!(kinds(&trace, "c1", Role::Arbiter), ["open", "frame", "eof"]);
    assert_eq!(kinds(&trace, "c1", Role::Worker), ["frame", "eof"]);
    assert_eq!(kinds(&trace, "c2", Role::Worker), ["raw", "eof"]);
    let order: Vec<u64> = trace.events.iter().map(|event| event.at_us).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_frame_that_is_not_whole_is_recorded_when_the_recording_ends() {
    let (_directory, path, listener) = listen();
    let proxy = Proxy::start(&path, &[]);
    let mut client = proxy.connect();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"\0\0\0\x09{\"a").unwrap();
    server.read_exact(&mut [0; 7]).unwrap();
    let trace = proxy.end(Signal::SIGTERM);
    assert_eq!(bytes(&trace, "c1", Role::Client), b"\0\0\0\x09{\"a");
}

#[test]
fn a_listener_that_is_not_there_closes_the_connection_and_the_trace_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&directory.path().join("nobody.sock"), &[]);
    let mut client = proxy.connect();
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "closed");
    proxy.records("refused");
    let trace = proxy.end(Signal::SIGTERM);
    assert_eq!(kinds(&trace, "c1", Role::Client), ["open"]);
    assert_eq!(kinds(&trace, "c1", Role::Arbiter), ["refused"]);
}

#[test]
fn a_taken_path_is_left_alone_and_a_stale_socket_is_replaced() {
    let (directory, path, listener) = listen();
    let file = directory.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let (trace, file) = (directory.path().join("t"), file.to_str().unwrap());
    for (taken, said) in
        [(path.to_str().unwrap(), "another program is listening there"), (file, "is not a socket")]
    {
        let mut command = dirty();
        command.args(["proxy", "--listen", taken, "--to", "nowhere", "--trace"]).arg(&trace);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{said}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    drop(listener);
    let mut command = dirty();
    command.arg("proxy").arg("--listen").arg(&path).args(["--to", "nowhere", "--trace"]).arg(&trace);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    eventually("a proxy on the stale path", || UnixStream::connect(&path).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_trace_that_cannot_be_written_ends_the_proxy() {
    let (directory, path, _listener) = listen();
    let mut command = dirty();
    let listen = directory.path().join("p.sock");
    command.arg("proxy").arg("--listen").arg(&listen).arg("--to").arg(&path).args(["--trace", "/dev/full"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to write the trace"));
    assert!(!listen.exists());
}

#[test]
fn the_schema_of_traces_is_derived_from_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/trace.schema.json");
    let derived = serde_json::to_string_pretty(&derived_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &derived).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == derived, "schemas/trace.schema.json: UPDATE=1 writes it");
}

#[test]
fn a_line_that_is_none_is_named_with_its_place() {
    let header = r#"{"format":"dirty-trace/1","listener":"arbiter","began_us":0}"#;
    for (line, problem) in [
        (
            "{",
            "t:2:2: payload is not JSON: unexpected end of text, expected a member name in quotes at offset 1 (FRAME-10)",
        ),
        (
            r#"{"at_us":1,"on":"c1","from":"client"}"#,
            "t:2:1: the top level: expected exactly one of open, frame",
        ),
        (
            r#"{"at_us":1,"on":"c1","from":"boss","raw":"00"}"#,
            "t:2:1: /from: \"boss\" is no role: expected client",
        ),
        (r#"{"at_us":1,"on":"c1","from":"client","raw":"0"}"#, "t:2:1: /raw: expected an even number"),
    ] {
        let error = TraceFile::parse("t", format!("{header}\n{line}\n").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(problem), "{error}");
    }
    assert!(TraceFile::parse("t", b"").unwrap_err().to_string().contains("expected a trace"));
}
