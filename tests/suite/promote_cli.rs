//! `dirty promote`: a conversation that was recorded is replayed, and what departs from it fails.

use std::path::Path;
use std::process::Output;

use nix::sys::signal::Signal;

use crate::proxy::Proxy;
use crate::served::{Peer, Served, dirty};

fn promote(trace: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some_trace.jsonl");
    std::fs::write(&file, trace).unwrap();
    dirty().arg("promote").arg(&file).args(arguments).output().unwrap()
}

fn steps(trace: &[&str], arguments: &[&str]) -> Vec<String> {
    let header = r#"{"format":"dirty-trace/1","listener":"arbiter","began_us":0}"#;
    let output = promote(&format!("{header}\n{}\n", trace.join("\n")), arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().skip_while(|line| *line != "  \"steps\": [").skip(1);
    lines
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.trim_end_matches(',').to_string())
        .collect()
}

fn replay(file: &Path, served: &Served) -> Output {
    dirty().arg("replay").arg(file).arg("--socket").arg(&served.socket).output().unwrap()
}

#[test]
fn a_recorded_conversation_is_replayed_and_one_byte_less_fails() {
    let served = Served::start(&[]);
    let proxy = Proxy::start(&served.socket, &[]);
    let mut peer = Peer::connect(&proxy.listen);
    assert_eq!(peer.call("echo", "[1,\"x\",{\"$any\":1}]")["type"], "response");
    peer.request("s", "count", r#""args":[2],"kwargs":{}"#);
    while peer.receive()["type"] != "end" {}
    peer.request("f", "fail", r#""args":["boom"],"kwargs":{}"#);
    assert_eq!(peer.receive()["type"], "error");
    peer.request("w", "whoami", r#""args":[],"kwargs":{}"#);
    assert_eq!(peer.receive()["type"], "response");
    // Two at once: their replies may come in any order.
    peer.request("a", "echo", r#""args":["a"],"kwargs":{}"#);
    peer.request("b", "echo", r#""args":["b"],"kwargs":{}"#);
    peer.receive();
    peer.receive();
    peer.send("not JSON");
    assert_eq!(peer.receive()["type"], "error");
    assert_eq!(peer.receive_text(), None, "closed");
    proxy.records(r#""from":"arbiter","close":"eof""#);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recorded/demo.json");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let trace = std::fs::read_to_string(&proxy.trace).unwrap();
    proxy.end(Signal::SIGTERM);
    let output = promote(&trace, &["--id", "recorded/demo"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    std::fs::write(&file, &text).unwrap();
    for part in [r#""unordered""#, r#""pid": {"$like": "#, r#""message": {"$like": "#, r#"{"$lit": "#] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Another arbiter, with other process numbers.
    let other = Served::start(&[]);
    let again = replay(&file, &other);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
    // Nothing is left to do but to say what it shows.
    let lint = dirty().arg("lint").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&lint.stderr), "1 transcript: 1 fault\n");
    assert!(String::from_utf8_lossy(&lint.stdout).contains("/title: to be written"));
    // An answer that was another one is seen.
    let expected = text.rfind(r#""data": 1"#).unwrap();
    std::fs::write(&file, format!("{}2{}", &text[..expected + 8], &text[expected + 9..])).unwrap();
    let again = replay(&file, &other);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stdout).contains("at /data: wanted 2, got 1"));
}

#[test]
fn bytes_pauses_and_ends_become_steps() {
    let open = r#"{"at_us":0,"on":"c1","from":"client","open":true}"#;
    let raw = format!(r#"{{"at_us":10,"on":"c1","from":"client","raw":"00000100{}"}}"#, "61".repeat(100));
    let nan = r#"{"at_us":50000,"on":"c1","from":"client","frame":"{\"a\":NaN}"}"#;
    let client = r#"{"at_us":50010,"on":"c1","from":"client","close":"eof"}"#;
    let late = r#"{"at_us":9000000,"first_us":60000,"on":"c1","from":"arbiter","frame":"{\"type\":\"end\",\"id\":\"1\"}"}"#;
    let server = r#"{"at_us":9000010,"on":"c1","from":"arbiter","close":"eof"}"#;
    assert_eq!(
        steps(&[open, &raw, nan, client, late, server], &[]),
        [
            r#"{"on": "c1", "from": "client", "raw": "00000100", "pad": {"byte": 97, "count": 100}}"#,
            r#"{"on": "c1", "from": "client", "after_ms": 49, "raw": "000000097b2261223a4e614e7d"}"#,
            r#"{"on": "c1", "from": "arbiter", "within_ms": 17900, "msg": {"type": "end", "id": {"$var": "r1"}}}"#,
        ]
    );
}

#[test]
fn a_client_is_driven_by_what_its_caller_must_have_asked() {
    let frame = |at: u64, from: &str, text: &str| {
        format!(
            r#"{{"at_us":{at},"on":"c1","from":"{from}","frame":{}}}"#,
            serde_json::to_string(text).unwrap()
        )
    };
    let request = r#"{"type":"request","id":"x","app_path":"a:A","action":"n","args":[1],"kwargs":{}}"#;
    let trace = [
        frame(1, "client", request),
        frame(2, "arbiter", r#"{"type":"chunk","id":"x","data":7}"#),
        frame(3, "arbiter", r#"{"type":"end","id":"x"}"#),
    ];
    let lines = steps(&trace.each_ref().map(String::as_str), &["--role", "client"]);
    assert_eq!(
        lines[0],
        r#"{"on": "c1", "call": {"method": "stream", "app_path": "a:A", "action": "n", "args": [1], "kwargs": {}}}"#
    );
    assert_eq!(
        [&*lines[3], &*lines[5]],
        [r#"{"on": "c1", "yields": 7}"#, r#"{"on": "c1", "returns": null}"#]
    );
}

#[test]
fn a_trace_that_makes_no_transcript_says_why() {
    let header = r#"{"format":"dirty-trace/1","listener":"worker","began_us":0}"#;
    for (trace, arguments, code, said) in [
        (header, &["--role", "client"][..], 1, "client takes no part in this trace: expected worker"),
        (header, &[], 1, "nothing was said in this trace"),
        ("{}", &[], 2, "no member \"format\""),
    ] {
        let output = promote(trace, arguments);
        assert_eq!(output.status.code(), Some(code));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(said), "{stderr}");
    }
}
