//! Judging clients: an honest one passes, and every way of being dishonest fails with a report that says so.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dirty_arbiter::check::client::{CallEvents, ClientDriver, ClientEvent, ClientUnderTest, replay_client};
use dirty_arbiter::check::drivers::{AsyncDriver, BlockingDriver};
use dirty_arbiter::check::replay::{Options, Outcome};
use dirty_arbiter::check::transcript::{ApiCall, Transcript};
use dirty_arbiter::check::value::{Object, Value};

const CALL: &str =
    r#"{"on":"c1","call":{"method":"execute","app_path":"a:B","action":"x","args":[1],"kwargs":{"k":2}}}"#;
const REQUEST: &str = r#"{"on":"c1","from":"client","msg":{"type":"request","id":{"$var":"r"},"app_path":"a:B","action":"x","args":[1],"kwargs":{"k":2}},"within_ms":200}"#;
const REPLY: &str =
    r#"{"on":"c1","from":"arbiter","msg":{"type":"response","id":{"$var":"r"},"result":{"n":7}}}"#;
const RETURNS: &str = r#"{"on":"c1","returns":{"n":7},"within_ms":200}"#;

fn transcript(steps: &[&str]) -> Transcript {
    let text = format!(
        r#"{{"format":"dirty-transcript/1","id":"a/b","title":"T.","proves":["MSG-1"],"roles":["client"],"steps":[{}]}}"#,
        steps.join(",")
    );
    Transcript::parse("test", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn play(steps: &[&str], driver: &mut dyn ClientDriver) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    replay_client(&transcript(steps), driver, directory.path(), &Options::default()).unwrap()
}

fn verdict(steps: &[&str], driver: &mut dyn ClientDriver) -> String {
    play(steps, driver).failure.map_or_else(|| "passed".to_string(), |failure| failure.to_string())
}

/// A client whose every call is a thread that does this with a connection of its own.
#[derive(Clone)]
struct Scripted(fn(&Path, &CallEvents));

impl ClientDriver for Scripted {
    fn name(&self) -> &str {
        "a scripted client"
    }

    fn open(&mut self, socket: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
        Ok(Box::new(Running(socket.to_owned(), self.0)))
    }
}

struct Running(PathBuf, fn(&Path, &CallEvents));

impl ClientUnderTest for Running {
    fn start(&mut self, _: &ApiCall, events: CallEvents) -> Result<(), String> {
        let (socket, script) = (self.0.clone(), self.1);
        std::thread::spawn(move || script(&socket, &events));
        Ok(())
    }
}

const ASKS: &str = r#"{"type":"request","id":"1","app_path":"a:B","action":"x","args":[1],"kwargs":{"k":2}}"#;

fn send(stream: &mut UnixStream, payload: &str) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let _ = stream.write_all(&[&length, payload.as_bytes()].concat());
}

/// Sends the request and waits for the length of a reply.
fn asks(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    send(&mut stream, ASKS);
    let _ = stream.read_exact(&mut [0; 4]);
    stream
}

fn seven() -> ClientEvent {
    ClientEvent::Returns(Value::parse(br#"{"n":7.0}"#).unwrap())
}

fn error(message: &str) -> ClientEvent {
    let error_type = "DirtyAppError".to_string();
    ClientEvent::Raises { error_type, message: message.to_string(), details: Value::Object(Object::new()) }
}

#[test]
fn our_clients_and_an_honest_one_pass() {
    let steps = [CALL, REQUEST, REPLY, RETURNS];
    assert_eq!(verdict(&steps, &mut AsyncDriver), "passed");
    assert_eq!(verdict(&steps, &mut BlockingDriver), "passed");
    let mut honest = Scripted(|socket, events| {
        let _stream = asks(socket);
        events.report(seven());
    });
    let outcome = play(&steps, &mut honest);
    assert_eq!(outcome.failure, None);
    let shown: Vec<String> = outcome
        .trace
        .events()
        .iter()
        .map(|it| format!("{} {} {}", it.by, it.what.kind(), it.what.text()))
        .collect();
    assert_eq!(
        shown,
        [
            "arbiter api execute a:B x(1, k=2)",
            "client open ",
            &format!("client message {ASKS}"),
            r#"arbiter message {"type":"response","id":"1","result":{"n":7}}"#,
            r#"client api result {"n":7.0}"#,
        ]
    );
}

#[test]
fn what_the_caller_sees_is_compared() {
    let steps = [CALL, REQUEST, REPLY, RETURNS];
    let mut wrong = Scripted(|socket, events| {
        let _stream = asks(socket);
        events.report(ClientEvent::Returns(Value::parse(br#"{"n":8}"#).unwrap()));
    });
    assert_eq!(
        verdict(&steps, &mut wrong),
        r#"step 4 (c1): the caller of the client saw result {"n":8}: expected 7 at /n"#
    );
    let mut raises = Scripted(|socket, events| {
        let _stream = asks(socket);
        events.report(error("no"));
    });
    let text = verdict(&steps, &mut raises);
    assert!(text.starts_with(r#"step 4 (c1): the caller of the client saw error {"error_type":"DirtyAppError","message":"no","details":{}}: expected a result like"#), "{text}");
    let mut silent = Scripted(|socket, _| {
        let mut stream = asks(socket);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(
        verdict(&steps, &mut silent),
        r#"step 4 (c1): the caller of the client saw nothing within 200 ms: expected a result like {"n":7}"#
    );
}

#[test]
fn errors_are_open_like_an_envelope_and_exact_below() {
    let reply = r#"{"on":"c1","from":"arbiter","msg":{"type":"error","id":{"$var":"r"},"error":{"error_type":"DirtyAppError","message":"boom","details":{"action":"x"}}}}"#;
    let raises = |members: &str| {
        format!(r#"{{"on":"c1","raises":{{"error_type":"DirtyAppError"{members}}},"within_ms":500}}"#)
    };
    for driver in [&mut AsyncDriver as &mut dyn ClientDriver, &mut BlockingDriver] {
        assert_eq!(verdict(&[CALL, REQUEST, reply, &raises("")], driver), "passed");
        assert_eq!(
            verdict(&[CALL, REQUEST, reply, &raises(r#","details":{"action":"x"}"#)], driver),
            "passed"
        );
        let text = verdict(&[CALL, REQUEST, reply, &raises(r#","message":"bang""#)], driver);
        assert!(text.ends_with(r#"expected "bang" at /message"#), "{text}");
        let text = verdict(&[CALL, REQUEST, reply, &raises(r#","details":{}"#)], driver);
        assert!(text.ends_with("expected no such member at /details/action"), "{text}");
        let text = verdict(&[CALL, REQUEST, reply, RETURNS], driver);
        assert!(text.starts_with("step 4 (c1): the caller of the client saw error"), "{text}");
    }
}

#[test]
fn what_it_sends_is_judged() {
    let steps = [CALL, REQUEST, REPLY, RETURNS];
    for (payload, problem) in [
        (
            ASKS.replace("[1]", "[2]"),
            "step 2 (c1): another message than expected, at /args/0: wanted 1, got 2",
        ),
        (ASKS.replace(r#","kwargs":{"k":2}"#, ""), "step 2 (c1): another message than expected, at /kwargs"),
        (
            r#"{"type":"request","id":1}"#.to_string(),
            "step 2 (c1): a message that breaks the schema, bad message at /id",
        ),
        (
            r#"{"type":"end","id":"1"}"#.to_string(),
            "step 2 (c1): a message that breaks the schema, bad message at /type: the client may not send",
        ),
        ("nonsense".to_string(), "step 2 (c1): a message that breaks the schema"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut driver = Sends(payload);
        let outcome =
            replay_client(&transcript(&steps), &mut driver, directory.path(), &Options::default()).unwrap();
        let text = outcome.failure.unwrap().to_string();
        assert!(text.starts_with(problem), "{text}");
    }
}

/// A client that sends this and waits.
struct Sends(String);

impl ClientDriver for Sends {
    fn name(&self) -> &str {
        "a client with one message"
    }

    fn open(&mut self, socket: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
        let mut stream = UnixStream::connect(socket).unwrap();
        send(&mut stream, &self.0);
        Ok(Box::new(Waits(stream)))
    }
}

struct Waits(UnixStream);

impl ClientUnderTest for Waits {
    fn start(&mut self, _: &ApiCall, _: CallEvents) -> Result<(), String> {
        self.0.flush().map_err(|error| error.to_string())
    }
}

#[test]
fn a_client_that_does_nothing_is_told_from_one_that_ends() {
    let steps = [CALL, REQUEST, REPLY, RETURNS];
    let begun = Instant::now();
    assert_eq!(
        verdict(&steps, &mut Scripted(|_, _| ())),
        "step 2 (c1): the client did not connect within 200 ms"
    );
    let mut mute = Scripted(|socket, _| {
        let mut stream = UnixStream::connect(socket).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let text = verdict(&steps, &mut mute);
    assert!(text.starts_with("step 2 (c1): no whole message within 200 ms: got 0 bytes"), "{text}");
    let mut leaves = Scripted(|socket, _| drop(UnixStream::connect(socket)));
    let text = verdict(&steps, &mut leaves);
    assert!(text.starts_with("step 2 (c1): the connection ended: expected {\"type\":\"request\""), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_client_that_cannot_be_made_is_not_blamed_on_the_transcript() {
    struct Broken;
    impl ClientDriver for Broken {
        fn name(&self) -> &str {
            "a client that is not there"
        }

        fn open(&mut self, _: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
            Err("no such program".to_string())
        }
    }
    assert_eq!(
        verdict(&[CALL, REQUEST], &mut Broken),
        "step 1 (c1): the client could not be driven: no such program"
    );
}

#[test]
fn a_stream_that_is_left_early_must_be_cancelled() {
    let call = r#"{"on":"c1","call":{"method":"stream","app_path":"a:B","action":"x","args":[1],"kwargs":{"k":2},"take":1}}"#;
    let chunk = r#"{"on":"c1","from":"arbiter","msg":{"type":"chunk","id":{"$var":"r"},"data":0}}"#;
    let yields = r#"{"on":"c1","yields":0,"within_ms":500}"#;
    let left = r#"{"on":"c1","returns":null,"within_ms":500}"#;
    let cancel = r#"{"on":"c1","from":"client","msg":{"type":"cancel","id":{"$var":"r"}},"within_ms":500}"#;
    let steps = [call, REQUEST, chunk, yields, left, cancel];
    for driver in [&mut AsyncDriver as &mut dyn ClientDriver, &mut BlockingDriver] {
        assert_eq!(verdict(&steps, driver), "passed");
    }
    let mut forgets = Scripted(|socket, events| {
        let mut stream = asks(socket);
        events.report(ClientEvent::Yields(Value::parse(b"0").unwrap()));
        events.report(ClientEvent::Returns(Value::Null));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let text = verdict(&steps, &mut forgets);
    assert!(
        text.starts_with(
            "step 6 (c1): no whole message within 500 ms: got 0 bytes, expected {\"type\":\"cancel\""
        ),
        "{text}"
    );
}

#[test]
fn events_that_come_early_are_kept_and_calls_are_told_apart_by_name() {
    let call = |name: &str| CALL.replace(r#""on":"c1","#, &format!(r#""on":"c1","as":"{name}","#));
    let returns = |name: &str| format!(r#"{{"on":"c1","as":"{name}","returns":{{"n":7}},"within_ms":500}}"#);
    let request = |name: &str| REQUEST.replace("\"r\"", &format!("\"{name}\""));
    let reply = |name: &str| REPLY.replace("\"r\"", &format!("\"{name}\""));
    // Answered in the other order than asked, looked at in a third.
    let steps = [
        call("one"),
        request("r1"),
        call("two"),
        request("r2"),
        reply("r2"),
        reply("r1"),
        returns("one"),
        returns("two"),
    ];
    let steps = steps.each_ref().map(String::as_str);
    for driver in [&mut AsyncDriver as &mut dyn ClientDriver, &mut BlockingDriver] {
        assert_eq!(verdict(&steps, driver), "passed");
    }
    let lost = r#"{"on":"c1","as":"three","returns":1}"#;
    let text = verdict(&[lost], &mut BlockingDriver);
    assert_eq!(
        text,
        "step 1 (c1): the transcript is at fault, not the subject: the step is about a call that was never started"
    );
}
