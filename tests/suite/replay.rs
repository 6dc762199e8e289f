//! The replayer: it passes an honest peer, and every way of being dishonest fails with a report that says so.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use dirty_arbiter::check::delivery::Delivery;
use dirty_arbiter::check::replay::{Options, Outcome, replay};
use dirty_arbiter::check::transcript::Transcript;
use dirty_arbiter::message::Role;

/// Everything the fakes below answer: a stream of two items, and nothing more.
const STREAM: &str = r#"
    {"on":"c1","from":"client","msg":{"type":"request","id":{"$var":"r"},"app_path":"a:B","action":"count","args":[2],"kwargs":{}}},
    {"on":"c1","from":"arbiter","msg":{"type":"chunk","id":{"$var":"r"},"data":0},"within_ms":300},
    {"on":"c1","from":"arbiter","msg":{"type":"chunk","id":{"$var":"r"},"data":1},"within_ms":300},
    {"on":"c1","from":"arbiter","msg":{"type":"end","id":{"$var":"r"}},"within_ms":300},
    {"on":"c1","from":"arbiter","quiet_ms":40},
    {"on":"c1","from":"client","close":true}"#;

fn transcript(header: &str, steps: &str) -> Transcript {
    let text = format!(
        r#"{{"format":"dirty-transcript/1","id":"a/b","title":"T.","proves":["MSG-1"],"roles":["arbiter"],"vars":{{"r":"r-1"}}{header},"steps":[{steps}]}}"#
    );
    Transcript::parse("test", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Plays `transcript` against a peer that serves its connections, one after the other, with `serve`.
fn play(transcript: &Transcript, options: &Options, serve: impl Fn(UnixStream) + Send + 'static) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    // Ends with the test process: it waits for connections that do not come.
    std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    replay(transcript, Role::Arbiter, &socket, options)
}

fn read_frame(stream: &mut UnixStream) -> Option<String> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut payload = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some(String::from_utf8(payload).unwrap())
}

fn frame(payload: &str) -> Vec<u8> {
    [&u32::try_from(payload.len()).unwrap().to_be_bytes(), payload.as_bytes()].concat()
}

/// A peer that reads one request, writes `answer`, and then waits for the end of the connection.
fn answers(answer: Vec<u8>) -> impl Fn(UnixStream) + Send + 'static {
    move |mut stream| {
        if read_frame(&mut stream).is_some() {
            let _ = stream.write_all(&answer);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

fn chunk(id: &str, data: u32) -> Vec<u8> {
    frame(&format!(r#"{{"type":"chunk","id":"{id}","data":{data}}}"#))
}

fn end(id: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"end","id":"{id}"}}"#))
}

fn honest() -> Vec<u8> {
    [chunk("r-1", 0), chunk("r-1", 1), end("r-1")].concat()
}

/// What the report says of a peer that answers with these bytes.
fn verdict(answer: Vec<u8>) -> String {
    failure(play(&transcript("", STREAM), &Options::default(), answers(answer)))
}

fn failure(outcome: Outcome) -> String {
    outcome.failure.map_or_else(|| "passed".to_string(), |failure| failure.to_string())
}

#[test]
fn an_honest_peer_passes_however_the_bytes_are_delivered() {
    for delivery in Delivery::ALL {
        let options = Options { delivery, ..Options::default() };
        let outcome = play(&transcript("", STREAM), &options, answers(honest()));
        assert_eq!(failure(outcome.clone()), "passed", "{}", delivery.name());
        let kinds: Vec<&str> = outcome.trace.events().iter().map(|event| event.what.kind()).collect();
        assert_eq!(kinds, ["open", "message", "message", "message", "message", "quiet", "close"]);
    }
}

#[test]
fn every_lie_is_found_and_named() {
    let wrong_id = [chunk("r-1", 0), chunk("r-2", 1), end("r-1")].concat();
    let text = r#"step 3 (c1): another message than expected, at /id: wanted "r-1" ($r), got "r-2""#;
    assert_eq!(verdict(wrong_id), text);

    let missing_end = [chunk("r-1", 0), chunk("r-1", 1)].concat();
    let wanted = r#"{"type":"end","id":{"$var":"r"}}"#;
    let text = format!("step 4 (c1): no whole message within 300 ms: got 0 bytes, expected {wanted}");
    assert_eq!(verdict(missing_end), text);

    let double_end = [honest(), end("r-1")].concat();
    let wanted = "40 ms without a byte, and the connection open";
    let text = format!(r#"step 5 (c1): a message ({{"type":"end","id":"r-1"}}) came: expected {wanted}"#);
    assert_eq!(verdict(double_end), text);

    let order = [chunk("r-1", 1), chunk("r-1", 0), end("r-1")].concat();
    assert!(
        verdict(order).starts_with("step 2 (c1): another message than expected, at /data: wanted 0, got 1")
    );

    let end_first = [chunk("r-1", 0), end("r-1")].concat();
    assert!(
        verdict(end_first).starts_with(
            r#"step 3 (c1): another message than expected, at /type: wanted "chunk", got "end""#
        )
    );

    let half = honest()[..39].to_vec();
    assert!(verdict(half).starts_with("step 2 (c1): no whole message within 300 ms: got 39 bytes, expected"));
}

#[test]
fn garbage_is_found_and_names_the_requirement() {
    for (answer, problem) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            "frame of 1213486160 bytes: expected at most 67108864 bytes (FRAME-3)",
        ),
        (vec![0; 4], "frame with an empty payload: expected a length of at least 1 byte (FRAME-3)"),
        (
            frame("{]"),
            "payload is not JSON: unexpected ']', expected a member name in quotes at offset 1 (FRAME-10)",
        ),
        (frame("[]"), "payload is an array: expected an object (FRAME-10)"),
        (
            frame(r#"{"type":"chunk","id":"r-1"}"#),
            "a message that breaks the schema, bad message at /data: missing member",
        ),
        (
            frame(r#"{"type":"chunk","id":"r-1","data":NaN}"#),
            "bad message at /data: non-finite number literal, which is not JSON (VAL-2)",
        ),
        (
            frame(r#"{"type":"chunk","id":"r-1","data":0,"data":0}"#),
            "bad message at /data: repeated member (MSG-6)",
        ),
        (
            frame(r#"{"type":"cancel","id":"r-1"}"#),
            "bad message at /type: the arbiter may not send messages of type cancel (MSG-11)",
        ),
        (frame(r#"{"type":"chunk","id":"r-1","data":{"a":1,"a":1}}"#), "member \"a\" of /data a second time"),
    ] {
        let text = verdict(answer);
        assert!(text.starts_with("step 2 (c1): ") && text.contains(problem), "{text}");
    }
}

#[test]
fn a_peer_that_ends_the_connection_is_told_from_a_silent_one() {
    let closes = play(&transcript("", STREAM), &Options::default(), drop);
    assert!(failure(closes).starts_with("step 2 (c1): the connection ended: expected {\"type\":\"chunk\""));
    let inside = play(&transcript("", STREAM), &Options::default(), |mut stream: UnixStream| {
        read_frame(&mut stream);
        let _ = stream.write_all(&honest()[..30]);
    });
    assert!(
        failure(inside)
            .starts_with("step 2 (c1): connection ended inside a payload: got 26 of 36 bytes (FRAME-9)")
    );
    let early = play(&transcript("", STREAM), &Options::default(), |mut stream: UnixStream| {
        read_frame(&mut stream);
        let _ = stream.write_all(&honest());
    });
    assert!(failure(early).starts_with("step 5 (c1): the connection ended: expected 40 ms without a byte"));
    let nobody =
        replay(&transcript("", STREAM), Role::Arbiter, Path::new("/nonexistent/s"), &Options::default());
    assert!(failure(nobody).starts_with("step 1 (c1): no connection to the subject: No such file"));
}

#[test]
fn a_late_reply_fails_within_its_bound_and_the_trace_shows_what_came() {
    let begun = Instant::now();
    let outcome =
        play(&transcript("", STREAM), &Options { time_scale: 0.2, ..Options::default() }, |mut stream| {
            read_frame(&mut stream);
            let _ = stream.write_all(&chunk("r-1", 0));
            std::thread::sleep(Duration::from_millis(400));
            let _ = stream.write_all(&chunk("r-1", 1));
        });
    assert!(begun.elapsed() < Duration::from_millis(390), "{:?}", begun.elapsed());
    let events: Vec<String> = outcome
        .trace
        .events()
        .iter()
        .map(|event| format!("{:?} {}", event.step, event.what.text()))
        .collect();
    assert_eq!(events[2], r#"Some(2) {"type":"chunk","id":"r-1","data":0}"#);
    assert!(failure(outcome).starts_with("step 3 (c1): no whole message within 60 ms"));
}

const CALL: &str = r#"{"on":"c1","from":"client","msg":{"type":"request","id":"r-1","app_path":"a:B","action":"x","args":[],"kwargs":{}}}"#;

#[test]
fn unordered_lines_take_each_message_once() {
    let lines = r#"{"on":"c1","from":"arbiter","msg":{"type":"chunk","id":"r-1","data":{"$any":0}}},
        {"on":"c1","from":"arbiter","msg":{"type":"chunk","id":"r-1","data":1}},
        {"on":"c1","from":"arbiter","msg":{"type":"end","id":"r-1"}}"#;
    let steps = format!(r#"{CALL},{{"on":"c1","from":"arbiter","unordered":[{lines}],"within_ms":200}}"#);
    let played =
        |answer: Vec<u8>| failure(play(&transcript("", &steps), &Options::default(), answers(answer)));
    assert_eq!(played([end("r-1"), chunk("r-1", 7), chunk("r-1", 1)].concat()), "passed");
    let twice = played([end("r-1"), end("r-1")].concat());
    assert!(twice.starts_with(
        "step 2 (c1): a message that none of the 2 expected ones matches; against the first, at /type"
    ));
    let missing = played([end("r-1"), chunk("r-1", 7)].concat());
    assert!(missing.starts_with("step 2 (c1): no whole message within 200 ms: got 0 bytes, expected"));
}

#[test]
fn raw_bytes_and_closes_are_compared_to_the_byte() {
    let steps = format!(
        r#"{CALL},{{"on":"c1","from":"arbiter","raw":"0001","pad":{{"byte":9,"count":3}}}},{{"on":"c1","from":"arbiter","close":true,"within_ms":100}}"#
    );
    let steps = transcript("", &steps);
    let writes = |bytes: &'static [u8]| {
        play(&steps, &Options::default(), move |mut stream: UnixStream| {
            read_frame(&mut stream);
            let _ = stream.write_all(bytes);
        })
    };
    assert_eq!(failure(writes(&[0, 1, 9, 9, 9])), "passed");
    assert_eq!(
        failure(writes(&[0, 1, 9, 8, 9])),
        "step 2 (c1): other bytes than expected, at byte 3: wanted 09, got 08"
    );
    assert_eq!(failure(writes(&[0, 1, 9])), "step 2 (c1): the connection ended: expected 2 more bytes");
    let more = failure(writes(&[0, 1, 9, 9, 9, 0xff]));
    assert_eq!(
        more,
        "step 3 (c1): bytes that are no whole frame (ff) came: expected the end of the connection"
    );
    let open = failure(play(&steps, &Options::default(), answers(vec![0, 1, 9, 9, 9])));
    assert_eq!(open, "step 3 (c1): the connection is still open after 100 ms: expected it to end");
}

#[test]
fn a_huge_frame_never_deadlocks_against_a_peer_that_answers_early_and_stops_reading() {
    let error = r#"{"type":"error","id":null,"error":{"error_type":"DirtyProtocolError","message":"too long","details":{}}}"#;
    let raw = r#"{"on":"c1","from":"client","raw":"04000001","pad":{"byte":32,"count":67108865}}"#;
    let steps = format!(
        r#"{raw},{{"on":"c1","from":"arbiter","msg":{error}}},{{"on":"c1","from":"arbiter","close":true}}"#
    );
    let steps = transcript("", &steps);
    let begun = Instant::now();
    let outcome = play(&steps, &Options::default(), move |mut stream: UnixStream| {
        stream.read_exact(&mut [0; 4]).unwrap();
        let _ = stream.write_all(&frame(error));
        // Leaves the rest unread, and ends a while later.
        std::thread::sleep(Duration::from_millis(50));
    });
    assert_eq!(failure(outcome), "passed");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn padding_arrives_in_full() {
    let steps = r#"{"on":"c1","from":"client","raw":"7b","pad":{"byte":32,"count":3000000}},{"on":"c1","from":"arbiter","raw":"01"}"#;
    for delivery in Delivery::ALL {
        let options = Options { delivery, ..Options::default() };
        let outcome = play(&transcript("", steps), &options, |mut stream: UnixStream| {
            let mut bytes = vec![0; 3_000_001];
            stream.read_exact(&mut bytes).unwrap();
            let right = bytes[0] == b'{' && bytes[1..].iter().all(|byte| *byte == b' ');
            let _ = stream.write_all(&[u8::from(right)]);
        });
        assert_eq!(failure(outcome), "passed", "{}", delivery.name());
    }
}

#[test]
fn the_kit_blames_a_transcript_that_is_at_fault() {
    let steps = r#"{"on":"c1","from":"client","msg":{"type":"end","id":7}}"#;
    let text = failure(play(&transcript("", steps), &Options::default(), answers(honest())));
    assert!(text.starts_with("step 1 (c1): the transcript is at fault, not the subject: it sends a message that breaks the schema, bad message at /id"), "{text}");
    assert_eq!(
        failure(play(&transcript(r#","malformed":true"#, steps), &Options::default(), answers(honest()))),
        "passed"
    );
}

#[test]
fn a_peer_that_never_stops_writing_is_judged_by_what_was_due() {
    let floods = |bytes: Vec<u8>| {
        move |mut stream: UnixStream| {
            read_frame(&mut stream);
            while stream.write_all(&bytes).is_ok() {}
        }
    };
    let begun = Instant::now();
    let steps = transcript("", STREAM);
    let outcome = play(&steps, &Options::default(), floods(chunk("r-1", 0).repeat(1000)));
    assert!(outcome.trace.events().len() < 40, "{} events", outcome.trace.events().len());
    assert!(
        failure(outcome).starts_with("step 3 (c1): another message than expected, at /data: wanted 1, got 0")
    );
    let outcome = play(&steps, &Options::default(), floods([honest(), honest().repeat(1000)].concat()));
    assert!(failure(outcome).starts_with("step 5 (c1): a message ({\"type\":\"chunk\""));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
