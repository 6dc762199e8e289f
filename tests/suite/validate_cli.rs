//! `dirty validate`, `dirty golden` and `dirty schema` as programs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn dirty(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs the program with `input` on its standard input; gives exit code, standard output and standard error.
fn run(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut command = dirty(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_transcripts_and_the_valid_vectors_of_this_repository_are_valid() {
    let (code, stdout, stderr) =
        run(&["validate", "golden", "schemas/vectors/valid", "schemas/vectors/control/valid"], b"");
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("no fault"), "{stderr}");
}

#[test]
fn every_invalid_vector_is_reported_with_its_pointer_and_requirement() {
    every_vector_is_reported("schemas/vectors/invalid", 60);
    every_vector_is_reported("schemas/vectors/control/invalid", 25);
}

fn every_vector_is_reported(directory: &str, at_least: usize) {
    let (code, stdout, _) = run(&["validate", directory], b"");
    assert_eq!(code, 1);
    let mut reported = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text =
            std::fs::read_to_string(format!("{}/{directory}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let vector: serde_json::Value = serde_json::from_str(&text).unwrap();
        let requirement = vector["requirement"].as_str().unwrap();
        let pointer = match vector["pointer"].as_str().unwrap() {
            "" if requirement.starts_with("FRAME") => "bad frame: ".to_string(),
            "" => "bad message at the top level: ".to_string(),
            pointer => format!("bad message at {pointer}: "),
        };
        let prefix = format!("{directory}/{name}: {pointer}");
        let suffix = format!("({requirement})");
        assert!(
            stdout.lines().any(|line| line.starts_with(&prefix) && line.ends_with(&suffix)),
            "{prefix}… {suffix}"
        );
        reported += 1;
    }
    assert!(
        reported >= at_least && stdout.lines().count() == reported,
        "{reported} of {}",
        stdout.lines().count()
    );
}

#[test]
fn garbage_is_reported_line_by_line_and_the_rest_is_judged_all_the_same() {
    let lines = concat!(
        "{\"type\":\"end\",\"id\":\"a\"}\n",
        "{]\n",
        "\n",
        "{\"type\":\"end\"}\r\n",
        "{\"type\":\"response\",\"id\":\"x\",\"result\":[NaN]}\n",
        "{\"type\":\"end\",\"id\":\"\u{e9}\",\"y\":[1,,]}\n",
        "{\"type\":\"hello\",\"id\":\"x\"}\n",
        "{\"type\":\"end\",\"id\":\"a\",\"id\":\"b\"}\n",
        "\u{fffd}\n",
    );
    let mut lines = lines.as_bytes().to_vec();
    lines.extend_from_slice(b"{\"type\":\"end\",\"id\":\"\xff\"}\n");
    lines.extend_from_slice(b"{\"type\":\"end\",\"id\":\"last\"}");
    let (code, stdout, stderr) = run(&["validate", "-"], &lines);
    assert_eq!(code, 1);
    let expected = r#"standard input:2: bad frame: payload is not JSON: unexpected ']', expected a member name in quotes at offset 1 (FRAME-10)
  |
2 | {]
  |  ^ column 2
standard input:4: bad message at /id: missing member, expected a string of 1 to 256 characters (MSG-7)
standard input:5: bad message at /result/0: non-finite number literal, which is not JSON (VAL-2)
standard input:6: bad frame: payload is not JSON: unexpected ',', expected a value at offset 31 (FRAME-10)
  |
6 | {"type":"end","id":"é","y":[1,,]}
  |                               ^ column 31
standard input:7: bad message at /type: unknown message type "hello" (MSG-11)
standard input:8: bad message at /id: repeated member (MSG-6)
standard input:9: bad frame: payload is not JSON: unexpected '�', expected a value at offset 0 (FRAME-10)
  |
9 | �
  | ^ column 1
standard input:10: bad frame: payload is not UTF-8: invalid byte at offset 20 (FRAME-10)
   |
10 | {"type":"end","id":"�"}
   |                     ^ column 21
"#;
    assert_eq!(stdout, expected);
    assert_eq!(stderr, "10 documents in 1 file: 8 faults\n");
}

#[test]
fn a_fault_far_to_the_right_is_shown_without_the_whole_line() {
    let line = format!("{{\"type\":\"end\",\"id\":\"a\",\"y\":\"{}\",}}", "x".repeat(100_000));
    let (code, stdout, _) = run(&["validate", "-"], line.as_bytes());
    assert_eq!(code, 1);
    assert!(stdout.len() < 400 && stdout.contains("column 100031"), "{stdout}");
}

#[test]
fn frames_are_judged_one_by_one_and_a_broken_length_is_named_with_its_place() {
    let frame =
        |payload: &str| [&u32::try_from(payload.len()).unwrap().to_be_bytes(), payload.as_bytes()].concat();
    let good = frame(r#"{"type":"end","id":"a"}"#);
    let bad = frame(r#"{"type":"end","id":7}"#);
    let (code, stdout, stderr) =
        run(&["validate", "--frames", "-"], &[&good[..], &bad, &good, &[0, 0, 0, 9, 1]].concat());
    assert_eq!(code, 1);
    let expected = "standard input: frame 2 (at byte 27): bad message at /id: expected a string of 1 to 256 characters, \
                    found a number (MSG-7)\n\
                    standard input: frame 4 (at byte 79): connection ended inside a payload: got 1 of 9 bytes (FRAME-9)\n";
    assert_eq!(stdout, expected);
    assert_eq!(stderr, "4 documents in 1 file: 2 faults\n");
    assert_eq!(run(&["validate", "--frames", "-"], &[&good[..], &good].concat()).0, 0);
    let (_, stdout, _) = run(&["validate", "--frames", "-"], b"HTTP/1.1 200 OK\r\n");
    assert!(stdout.contains("frame 1 (at byte 0): frame of 1213486160 bytes"), "{stdout}");
}

#[test]
fn transcripts_vectors_and_single_documents_are_judged_as_what_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let transcript = |header: &str, message: &str| {
        format!(
            r#"{{"format":"dirty-transcript/1","id":"a/b","title":"T.","proves":["MSG-1"],"roles":["arbiter"]{header},"steps":[{{"on":"c1","from":"client","msg":{message}}}]}}"#
        )
    };
    write("a-transcript.json", &transcript("", r#"{"type":"cancel","id":"x"}"#));
    write("b-broken.json", &transcript("", r#"{"type":"cancel"}"#));
    write("c-announced.json", &transcript(r#","malformed":true"#, r#"{"type":"cancel"}"#));
    write("d-fault.json", &transcript(r#","mal":1"#, "{}"));
    write("e-message.json", "\n{\n  \"type\": \"end\",\n  \"id\": \"x\"\n}\n");
    write("f-message.json", "\n{\n  \"type\": \"end\",\n  \"id\": null\n}\n");
    write(
        "g-vector.json",
        r#"{"id":"v","title":"T.","requirement":"MSG-7","layer":"schema","message":{"type":"end","id":""}}"#,
    );
    write(
        "h-vector.json",
        r#"{"id":"v","title":"T.","requirement":"MSG-6","layer":"text","text":"{\"type\":\"end\",\"id\":\"x\",\"id\":\"x\"}"}"#,
    );
    write("i-matcher.json", r#"[{"id":"m","want":{"id":1},"got":{"id":2},"match":true}]"#);
    write("j-empty.json", "\n");
    write("README.md", "not judged");
    let (code, stdout, stderr) = run(&["validate", directory.path().to_str().unwrap()], b"");
    assert_eq!(code, 1);
    let stdout = stdout.replace(&format!("{}/", directory.path().display()), "");
    let expected = "\
b-broken.json: step 1: bad message at /id: missing member, expected a string of 1 to 256 characters (MSG-7); expected `malformed` to announce it
d-fault.json: /mal: unknown member: expected one of format, id, title, proves, roles, level, needs, setup, vars, since, note, malformed, seen, steps
f-message.json:2: bad message at /id: expected a string of 1 to 256 characters, found null (MSG-7)
g-vector.json: bad message at /id: expected a string of 1 to 256 characters, found one of 0 (MSG-7)
h-vector.json: bad message at /id: repeated member (MSG-6)
i-matcher.json: /0: says that it matches: at /id: wanted 1, got 2
j-empty.json: no message: expected one per line
";
    assert_eq!(stdout, expected);
    assert!(stderr.ends_with("in 10 files: 7 faults\n"), "{stderr}");
}

#[test]
fn a_path_that_cannot_be_read_is_a_usage_error_and_the_others_are_judged() {
    let (code, _, stderr) = run(&["validate", "nowhere", "golden/calls/echo.json"], b"");
    assert_eq!(code, 2);
    assert!(stderr.contains("dirty validate: nowhere: cannot be read: No such file"), "{stderr}");
    assert!(stderr.contains("1 document in 1 file: no fault"), "{stderr}");
}

#[test]
fn transcripts_are_listed_shown_and_exported() {
    let (code, stdout, _) = run(&["golden", "list", "--role", "worker", "--proves", "CALL-2"], b"");
    assert_eq!(code, 0);
    assert!(
        stdout.lines().any(|line| line.starts_with("calls/echo ") && line.contains("arbiter,worker,client"))
    );
    let (code, stdout, _) = run(&["golden", "show", "calls/echo"], b"");
    assert_eq!(code, 0);
    assert_eq!(stdout, include_str!("../../golden/calls/echo.json"));
    let (code, _, stderr) = run(&["golden", "show", "calls/ecko"], b"");
    assert_eq!(code, 2);
    assert!(stderr.contains("there is no transcript \"calls/ecko\""), "{stderr}");
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("new/golden");
    let (code, _, stderr) = run(&["golden", "export", target.to_str().unwrap()], b"");
    assert_eq!(code, 0, "{stderr}");
    for file in ["calls/echo.json", "matcher.json", "retired.json", "README.md"] {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/");
        assert_eq!(
            std::fs::read(target.join(file)).unwrap(),
            std::fs::read(format!("{here}{file}")).unwrap()
        );
    }
    assert_eq!(run(&["validate", target.to_str().unwrap()], b"").0, 0);
}

#[test]
fn schemas_are_listed_and_printed() {
    let (code, list, _) = run(&["schema"], b"");
    assert_eq!(code, 0);
    for name in ["config", "control-v1", "dirty-v1", "protocol", "report", "transcript", "v1/request"] {
        assert!(list.lines().any(|line| line == name), "{name} in {list}");
    }
    for name in ["dirty-v1", "dirty-v1.schema.json"] {
        assert_eq!(run(&["schema", name], b"").1, include_str!("../../schemas/dirty-v1.schema.json"));
    }
    assert_eq!(run(&["schema", "request"], b"").1, include_str!("../../schemas/v1/request.schema.json"));
    let (code, _, stderr) = run(&["schema", "nothing"], b"");
    assert_eq!(code, 2);
    assert!(
        stderr.contains(
            "there is no schema \"nothing\": expected one of adapter, baseline, config, control-v1, dirty-v1"
        ),
        "{stderr}"
    );
}
