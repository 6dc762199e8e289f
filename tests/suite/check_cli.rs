//! `dirty check` and `dirty replay` as programs: verdicts, reports, exit codes, and nothing left behind.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn dirty(arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
    let Output { status, stdout, stderr } = command.args(arguments).output().unwrap();
    Ran {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// Something that listens.
struct Listening {
    _directory: tempfile::TempDir,
    socket: PathBuf,
}

impl Listening {
    /// `serve` gets every connection, each on a thread of its own.
    fn start(serve: impl Fn(UnixStream) + Send + Clone + 'static) -> Listening {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        // Ends with the test process: it waits for connections that do not come.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Listening { _directory: directory, socket }
    }

    fn socket(&self) -> &str {
        self.socket.to_str().unwrap()
    }
}

/// An arbiter that answers every request with one message.
struct Fake;

impl Fake {
    /// `answer` makes of a request's text the text of the reply.
    fn start(answer: impl Fn(&str) -> String + Send + Clone + 'static) -> Listening {
        Listening::start(move |stream| serve(stream, &answer))
    }
}

fn serve(mut stream: UnixStream, answer: impl Fn(&str) -> String) {
    let mut header = [0; 4];
    while stream.read_exact(&mut header).is_ok() {
        let mut payload = vec![0; u32::from_be_bytes(header) as usize];
        stream.read_exact(&mut payload).unwrap();
        let reply = answer(&String::from_utf8(payload).unwrap());
        let length = u32::try_from(reply.len()).unwrap().to_be_bytes();
        let _ = stream.write_all(&[&length, reply.as_bytes()].concat());
    }
}

fn echo(request: &str) -> String {
    let request: Value = serde_json::from_str(request).unwrap();
    let (id, args, kwargs) = (&request["id"], &request["args"], &request["kwargs"]);
    format!(r#"{{"type":"response","id":{id},"result":{{"args":{args},"kwargs":{kwargs}}}}}"#)
}

fn report(path: &Path) -> Value {
    let report: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../schemas/report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    report
}

/// The status of each requirement, by id, from a JSON report.
fn status(report: &Value, id: &str) -> String {
    let entries = report["requirements"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["id"] == id).unwrap();
    entry["status"].as_str().unwrap().to_string()
}

fn registry() -> Vec<Value> {
    let registry: Value = serde_json::from_str(include_str!("../../spec/requirements.json")).unwrap();
    registry["requirements"].as_array().unwrap().clone()
}

fn requirements() -> Vec<String> {
    registry().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
}

#[test]
fn a_conforming_subject_passes_and_every_requirement_has_its_entry() {
    let fake = Fake::start(echo);
    let reports = tempfile::tempdir().unwrap();
    let (json, junit) = (reports.path().join("r.json"), reports.path().join("r.xml"));
    let ran = dirty(&[
        "check",
        "arbiter",
        "--socket",
        fake.socket(),
        "--only",
        "calls/echo",
        "--json",
        json.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("ok      calls/echo ("), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("conformant in what was played\n"), "{}", ran.stdout);

    let report = report(&json);
    let ids: Vec<String> = report["requirements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(ids, requirements());
    assert_eq!(report["conformant"], true);
    assert_eq!(report["partial"], true);
    assert_eq!(status(&report, "CALL-2"), "passed");
    assert_eq!(status(&report, "FRAME-7"), "not_run");
    assert_eq!(status(&report, "CORR-4"), "not_covered");
    let entries = report["requirements"].as_array().unwrap();
    let reason = &entries.iter().find(|entry| entry["id"] == "CORR-4").unwrap()["reason"];
    assert_eq!(reason, "it binds the client, and no transcript for the role arbiter shows it");
    let pending = registry().into_iter().find(|row| row["pending"].is_string());
    if let Some(row) = &pending {
        assert_eq!(status(&report, row["id"].as_str().unwrap()), "pending");
    }
    assert_eq!(report["totals"]["transcripts"]["passed"], 1);

    let junit = std::fs::read_to_string(&junit).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), ids.len());
    assert!(junit.contains(&format!("tests=\"{}\"", ids.len())) && junit.contains("failures=\"0\""));
    assert_eq!(junit.contains("message=\"pending: "), pending.is_some());
}

#[test]
fn a_lie_is_shown_with_the_conversation_the_pointer_the_rules_and_the_way_to_see_it_again() {
    let fake = Fake::start(|request| echo(request).replace(r#""a":2"#, r#""a":3"#));
    let reports = tempfile::tempdir().unwrap();
    let (json, junit) = (reports.path().join("r.json"), reports.path().join("r.xml"));
    let ran = dirty(&[
        "check",
        "arbiter",
        "--socket",
        fake.socket(),
        "--only",
        "calls/echo",
        "--json",
        json.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    for part in [
        "FAILED  calls/echo (",
        "FAILED calls/echo\n  A call with positional and keyword arguments is answered with one response.\n",
        "the kit (client)         arbiter\n",
        "  2 c1  -> {\"type\":\"request\",\"id\":\"r-1\",",
        "  3 c1                     <- {\"type\":\"response\",\"id\":\"r-1\",",
        "step 3 (c1): another message than expected, at /result/kwargs/a: wanted 2, got 3\n",
        "CALL-2 (MUST): ",
        &format!("again: dirty replay calls/echo --role arbiter --socket {}\n", fake.socket()),
        "1 transcript on the arbiter at ",
        "failed requirements: FRAME-1 ",
        "\nnot conformant\n",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    let report = report(&json);
    assert_eq!(report["conformant"], false);
    assert_eq!(status(&report, "CALL-2"), "failed");
    let failure = &report["transcripts"][0]["failure"];
    assert_eq!(failure["pointer"], "/result/kwargs/a");
    assert_eq!(
        (&failure["wanted"], &failure["got"], &failure["step"]),
        (&"2".into(), &"3".into(), &3.into())
    );
    let junit = std::fs::read_to_string(&junit).unwrap();
    assert!(junit.contains("CALL-2 failed: calls/echo") && junit.contains("at /result/kwargs/a"), "{junit}");
}

/// A fake that answers a bad message as MSG-5 says, and requests with an echo.
fn refuses(details: &'static str) -> Listening {
    Fake::start(move |request| {
        let parsed: Value = serde_json::from_str(request).unwrap();
        if parsed["action"].is_string() {
            return echo(request);
        }
        let id = &parsed["id"];
        format!(
            r#"{{"type":"error","id":{id},"error":{{"error_type":"DirtyProtocolError","message":"no","details":{details}}}}}"#
        )
    })
}

#[test]
fn what_only_a_should_asks_for_is_told_and_does_not_fail() {
    for (details, departs, code) in [
        (r#"{"pointer":"/action","requirement":"MSG-9"}"#, false, 0),
        (r#"{"pointer":"/action"}"#, true, 0),
        ("{}", true, 0),
        (r#"{"pointer":"/id","requirement":"MSG-9"}"#, true, 0),
    ] {
        let fake = refuses(details);
        let ran = dirty(&[
            "check",
            "arbiter",
            "--socket",
            fake.socket(),
            "--only",
            "messages/action-null",
            "--json",
            "-",
        ]);
        assert_eq!(ran.code, code, "{details}: {}", ran.stderr);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        std::fs::write(&path, &ran.stdout).unwrap();
        let report = report(&path);
        assert_eq!(status(&report, "MSG-13"), if departs { "departed" } else { "passed" }, "{details}");
        assert_eq!(status(&report, "MSG-5"), "passed", "{details}");
        assert_eq!(
            ran.stderr.contains("does without, as a SHOULD allows: MSG-13\n"),
            departs,
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stderr.contains("without MSG-13 (SHOULD)\n"), departs, "{}", ran.stderr);
    }
    let fake = refuses(r#""nothing""#);
    let ran = dirty(&["check", "arbiter", "--socket", fake.socket(), "--only", "messages/action-null"]);
    assert_eq!(ran.code, 1, "details that are no object break MSG-12: {}", ran.stdout);
}

#[test]
fn levels_are_played_up_to_and_counted() {
    let fake = Fake::start(echo);
    let arguments =
        ["check", "arbiter", "--socket", fake.socket(), "--only", "calls/echo", "--only", "calls/two-*"];
    let ran = dirty(&[&arguments[..], &["--level", "L1"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("\n  L1 calls and errors: 1 passed\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("calls/two-connections"), "it is of L3: {}", ran.stdout);
    let ran = dirty(&[&arguments[..], &["--level", "L0"]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("no transcript for this role fits calls/echo and calls/two-* and level L0"),
        "{}",
        ran.stderr
    );
    assert_eq!(dirty(&["check", "arbiter", "--level", "L4"]).code, 2);
}

#[test]
fn a_baseline_excuses_what_it_names_and_nothing_else() {
    let lying = Fake::start(|request| echo(request).replace(r#""a":2"#, r#""a":3"#));
    let honest = Fake::start(echo);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let check = |fake: &Listening, known: &str| {
        std::fs::write(&path, format!(r#"{{"format":"dirty-baseline/1","known":[{known}]}}"#)).unwrap();
        dirty(&[
            "check",
            "arbiter",
            "--socket",
            fake.socket(),
            "--only",
            "calls/echo",
            "--baseline",
            path.to_str().unwrap(),
        ])
    };
    let known = r#"{"transcript":"calls/echo","requirement":"CALL-2","reason":"counts from three"}"#;
    let schema: Value = serde_json::from_str(include_str!("../../schemas/baseline.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let ran = check(&lying, known);
    assert!(validator.is_valid(&serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("known   calls/echo (") && ran.stdout.contains("(known: counts from three)"));
    assert!(ran.stdout.ends_with("not conformant, as the baseline says\n"), "{}", ran.stdout);
    let ran = check(&honest, known);
    assert_eq!(ran.code, 1, "a stale entry fails: {}", ran.stdout);
    assert!(
        ran.stdout.contains("stale entry of the baseline: calls/echo does not fail as it says"),
        "{}",
        ran.stdout
    );
    let other = r#"{"transcript":"calls/exception","reason":"not played"}"#;
    assert_eq!(check(&honest, other).code, 0, "what is not played is not stale");
    assert_eq!(check(&lying, other).code, 1, "what is not named is not excused");
    let breaks = Fake::start(|request| echo(request).replace('2', "NaN"));
    assert_eq!(check(&breaks, known).code, 1, "VAL-2 is another requirement than the one named");
    for (known, problem) in [
        (
            r#"{"transcript":"calls/none","reason":"r"}"#,
            r#"/known/0/transcript: "calls/none" is no transcript"#,
        ),
        (r#"{"transcript":"calls/echo"}"#, r#"no member "reason""#),
        (r#"{"transcript":"calls/echo","reason":" "}"#, "/known/0/reason: nothing"),
        (
            r#"{"transcript":"calls/echo","requirement":"TIME-1","reason":"r"}"#,
            r#""TIME-1" is not proved by it: expected one of CALL-1"#,
        ),
    ] {
        let ran = check(&honest, known);
        assert_eq!(ran.code, 2, "{known}");
        assert!(ran.stderr.contains(problem), "{}", ran.stderr);
        let text = std::fs::read_to_string(&path).unwrap();
        let fits = validator.is_valid(&serde_json::from_str(&text).unwrap());
        assert_eq!(fits, !problem.contains("reason"), "the schema knows no transcripts: {known}");
    }
}

#[test]
fn a_message_that_breaks_the_schema_fails_its_requirement_wherever_it_comes() {
    let fake = Fake::start(|request| echo(request).replace('2', "NaN"));
    let ran = dirty(&["check", "arbiter", "--socket", fake.socket(), "--only", "calls/echo", "--json", "-"]);
    assert_eq!(ran.code, 1);
    let reports = tempfile::tempdir().unwrap();
    let path = reports.path().join("r.json");
    std::fs::write(&path, &ran.stdout).unwrap();
    let report = report(&path);
    assert_eq!(status(&report, "VAL-2"), "failed");
    assert!(
        ran.stderr.contains("bad message at /result/kwargs/a: non-finite number literal"),
        "{}",
        ran.stderr
    );
}

#[test]
fn replay_shows_the_conversation_of_one_transcript() {
    let fake = Fake::start(echo);
    let ran = dirty(&["replay", "calls/echo", "--socket", fake.socket(), "--delivery", "byte-per-write"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("ok      calls/echo (") && ran.stdout.contains("<- {\"type\":\"response\"")
    );
    let fake = Fake::start(|_| r#"{"type":"end","id":"r-1"}"#.to_string());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/calls/echo.json");
    let ran = dirty(&["replay", file, "--socket", fake.socket()]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("at /type: wanted \"response\", got \"end\""), "{}", ran.stdout);
}

#[test]
fn wrong_usage_is_told_from_a_subject_that_cannot_be_run() {
    for (arguments, code, problem) in [
        (&["check", "arbiter", "--only", "nothing/*"][..], 2, "no transcript for this role fits nothing/*"),
        (&["check", "arbiter", "--without", "magic"], 2, "invalid value 'magic'"),
        (&["check", "worker", "--socket", "s", "--", "true"], 2, "cannot be used with"),
        (&["replay", "nothing"], 2, "nothing: neither a file nor the id of a transcript"),
        (&["replay", "client/error-app", "--role", "arbiter"], 2, "expected"),
        (
            &["check", "arbiter", "--socket", "/nonexistent/s"],
            3,
            "nothing to judge at /nonexistent/s: No such file",
        ),
        (&["replay", "calls/echo", "--socket", "/nonexistent/s"], 3, "nothing to judge at /nonexistent/s"),
        (
            &["check", "worker", "--", "/nonexistent/worker"],
            3,
            "failed to start /nonexistent/worker: No such file",
        ),
        (
            &["check", "worker", "--", "sh", "-c", "echo no app >&2; exit 3"],
            3,
            "sh ended before it was ready (exit status: 3): expected READY=1 on NOTIFY_SOCKET (WORK-2); the last of its standard error:\nno app",
        ),
    ] {
        let ran = dirty(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(problem), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_subject_that_hangs_or_hangs_up_is_judged_and_the_run_goes_on() {
    let hangs = Listening::start(|stream| {
        let _ = (&stream).read_to_end(&mut Vec::new());
    });
    let ran = dirty(&[
        "check",
        "arbiter",
        "--socket",
        hangs.socket(),
        "--only",
        "calls/e*",
        "--time-scale",
        "0.01",
    ]);
    assert_eq!(ran.code, 1);
    let silent = ran.stdout.matches(": no whole message within 50 ms: got 0 bytes, expected ").count();
    // On the line of the transcript, and in the report on it.
    assert!(silent >= 6 && !ran.stdout.contains("\nok "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nnot conformant\n"));
    let hangs_up = Listening::start(drop);
    let ran = dirty(&["check", "arbiter", "--socket", hangs_up.socket(), "--only", "calls/e*"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.matches(": the connection ended: expected ").count() >= 3, "{}", ran.stdout);
}

#[test]
fn skipped_transcripts_are_said_to_be_and_why() {
    let fake = Fake::start(echo);
    let ran = dirty(&[
        "check",
        "arbiter",
        "--socket",
        fake.socket(),
        "--only",
        "cancel/*",
        "--only",
        "calls/echo",
        "--without",
        "cancel",
        "--json",
        "-",
    ]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status(&report, "CANCEL-1"), "skipped");
    assert!(ran.stderr.contains("\nskipped cancel/"), "{}", ran.stderr);
    assert!(ran.stderr.contains(": needs cancel\n"), "{}", ran.stderr);
}

#[test]
fn an_interrupt_ends_the_subject_too() {
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    let script = format!("echo $$ >{}; exec sleep 600", pid_file.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
    command.args(["check", "worker", "--", "sh", "-c", &script]).env("TMPDIR", directory.path());
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let pid = wait_for(|| std::fs::read_to_string(&pid_file).ok().filter(|text| text.ends_with('\n')));
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    wait_for(|| (!is_running(pid.trim())).then_some(()));
    let left: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["pid"], "the private directory is gone");
}

/// Waits until there is something.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A worker under the contract, in a shell: leaves a process behind, says READY by way of this program's own tools,
/// and never serves.
#[test]
fn nothing_of_a_subject_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let script = format!(
        "sleep 600 & echo $! >>{0}; echo $$ >>{0}; python3 -c '{1}'; sleep 600",
        pids.display(),
        "import os,socket; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.sendto(b\"READY=1\", os.environ[\"NOTIFY_SOCKET\"])",
    );
    let ran = dirty(&["check", "worker", "--only", "calls/echo", "--", "sh", "-c", &script]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("no connection to the subject"), "{}", ran.stdout);
    assert!(ran.stdout.contains("again: dirty check worker --only calls/echo -- sh -c "), "{}", ran.stdout);
    for pid in std::fs::read_to_string(pids).unwrap().lines() {
        // A killed orphan is gone once init has reaped it.
        wait_for(|| (!is_running(pid)).then_some(()));
    }
}

fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
