//! `dirty check client` as a program: adapters, what they lack, and driving a client by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::python::Python;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The exit code, standard output and standard error of `dirty check client` with these arguments.
fn check(arguments: &[&str], program: &[&Path], environment: &[(&str, PathBuf)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
    command.args(["check", "client"]).args(arguments);
    if !program.is_empty() {
        command.arg("--").args(program);
    }
    let output = command.envs(environment.iter().cloned()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_built_in_clients_conform() {
    let (code, stdout, stderr) = check(&["--time-scale", "10"], &[], &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains(" transcripts on the async Rust client "), "{stdout}");
    assert!(stdout.ends_with("\nconformant\n"), "{stdout}");
    let dirty = Path::new(env!("CARGO_BIN_EXE_dirty"));
    let program = [dirty, Path::new("adapter"), Path::new("blocking")];
    let (code, stdout, stderr) = check(&["--time-scale", "10"], &program, &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains(" transcripts on the blocking Rust client "), "{stdout}");
}

#[test]
fn the_python_clients_conform() {
    let adapter = root().join("clients/adapters/python_client.py");
    let package = [("PYTHONPATH", root().join("python"))];
    // Starting Python is what takes the time. Its own tests replay every transcript against both.
    for (kind, level) in [("blocking", "L3"), ("asyncio", "L0")] {
        let program = [Path::new("python3"), &adapter, Path::new(kind)];
        let (code, stdout, stderr) = check(&["--time-scale", "10", "--level", level], &program, &package);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(stdout.contains(&format!(" transcripts on the {kind} Python client ")), "{stdout}");
    }
}

/// What it lacks is skipped, what it does wrong is said, and its verdict is what its baseline says.
#[test]
fn the_stock_client_of_gunicorn_is_judged() {
    let python = Python::with("gunicorn", &root().join("tests/interop/requirements.txt")).program();
    let adapter = root().join("clients/adapters/gunicorn_client.py");
    let only = [
        "--only",
        "calls/*",
        "--only",
        "client/interleaved-calls",
        "--only",
        "client/plain-result-as-a-stream",
    ];
    let (code, stdout, stderr) = check(&only, &[&python, &adapter], &[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("ok      calls/echo ("), "{stdout}");
    assert!(stdout.contains("skipped client/interleaved-calls: needs multiplex\n"), "{stdout}");
    assert!(
        stdout.contains(
            "the caller of the client saw result null: expected an item like {\"args\":[1],\"kwargs\":{}}"
        ),
        "{stdout}"
    );
    assert!(
        stdout.contains("  again: dirty check client --only client/plain-result-as-a-stream -- "),
        "the command that plays it again:\n{stdout}"
    );
    let folder = tempfile::tempdir().unwrap();
    let (baseline, markdown) = (folder.path().join("baseline.json"), folder.path().join("report.md"));
    let known = r#"{"format":"dirty-baseline/1","known":[{"transcript":"client/plain-result-as-a-stream","requirement":"STREAM-6","reason":"it loses the value"}]}"#;
    std::fs::write(&baseline, known).unwrap();
    let files = ["--baseline", baseline.to_str().unwrap(), "--markdown", markdown.to_str().unwrap()];
    let (code, stdout, stderr) = check(&[&only[..], &files].concat(), &[&python, &adapter], &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.ends_with("\nnot conformant, as the baseline says\n"), "{stdout}");
    let markdown = std::fs::read_to_string(markdown).unwrap();
    for part in [
        "# gunicorn's client 25.0.3: not conformant, as the baseline says\n",
        "| L2 | streams and cancel | 0 | 0 | 1 | 0 | 0 |\n",
        "## Known failures\n",
        "| `client/interleaved-calls` |",
        "| STREAM-6 | MUST |",
    ] {
        assert!(markdown.contains(part), "no {part:?} in\n{markdown}");
    }
}

/// The adapter that the page shows is a whole one.
#[test]
fn the_adapter_of_the_page_works() {
    let page = std::fs::read_to_string(root().join("golden/adapters.md")).unwrap();
    let code = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(code.lines().count() < 30, "a whole adapter is short");
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter.py");
    let ours = "from dirty_arbiter import DirtyClient as Client, DirtyError";
    std::fs::write(&adapter, code.replace("from some_package import Client, DirtyError", ours)).unwrap();
    let program = [Path::new("python3"), &adapter];
    let package = [("PYTHONPATH", root().join("python"))];
    let (code, stdout, stderr) = check(&["--level", "L2", "--time-scale", "10"], &program, &package);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains(" transcripts on some client 1.0: "), "{stdout}");
    assert!(stdout.contains("\n  L2 streams and cancel: ") && !stdout.contains("\n  L3 "), "{stdout}");
}

/// A client that opens a connection for each call.
const ONE_CALL_EACH: &str = r#"
import json, os, sys
from dirty_arbiter import DirtyClient, DirtyError

def say(**line):
    print(json.dumps(line), flush=True)

say(hello={"adapter": "dirty-adapter/1", "name": "one call each", "version": "1", "lacks": ["multiplex", "call-timeout", "hints"]})
for line in sys.stdin:
    call = json.loads(line)
    with DirtyClient(os.environ["DIRTY_SOCKET"]) as client:
        try:
            say(call=call["call"], returns=client.execute(call["app_path"], call["action"], *call["args"], **call["kwargs"]))
        except DirtyError as error:
            say(call=call["call"], raises={"error_type": type(error).__name__, "message": error.message, "details": error.details})
"#;

#[test]
fn a_client_may_open_a_connection_for_each_call() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter.py");
    std::fs::write(&adapter, ONE_CALL_EACH).unwrap();
    let program = [Path::new("python3"), &adapter];
    let package = [("PYTHONPATH", root().join("python"))];
    let only = ["--only", "client/error-app", "--only", "client/error-unknown-type", "--time-scale", "10"];
    let (code, stdout, stderr) = check(&only, &program, &package);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

/// The lines on both sides are what the schema says.
#[test]
fn the_lines_fit_their_schema() {
    let schema = std::fs::read_to_string(root().join("schemas/adapter.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let of = |name: &str| {
        let mut schema = schema.clone();
        schema.as_object_mut().unwrap().remove("oneOf");
        schema["$ref"] = format!("#/$defs/{name}").into();
        jsonschema::validator_for(&schema).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "tee -a {0}/in | {1} adapter async | tee -a {0}/out",
        folder.path().display(),
        env!("CARGO_BIN_EXE_dirty")
    );
    let program = [Path::new("sh"), Path::new("-c"), Path::new(&script)];
    let (code, stdout, stderr) = check(&["--time-scale", "10"], &program, &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for (file, validator, least) in [("in", of("CallLine"), 48), ("out", of("AdapterLine"), 100)] {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(text.lines().count() >= least, "{file}: {text}");
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(validator.is_valid(&line), "{file}: {line}");
        }
    }
    let event = of("AdapterLine");
    for wrong in [
        r#"{"call":1}"#,
        r#"{"call":0,"yields":1}"#,
        r#"{"call":1,"yields":1,"returns":1}"#,
        r#"{"call":1,"raises":{"error_type":"DirtyError"}}"#,
        r#"{"call":1,"unsupported":"everything"}"#,
        r#"{"hello":{"adapter":"dirty-adapter/2","name":"n","version":"1"}}"#,
    ] {
        assert!(!event.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

#[test]
fn a_feature_that_an_adapter_finds_missing_late_is_a_skip_too() {
    let script = r#"echo '{"hello":{"adapter":"dirty-adapter/1","name":"half a client","version":"0","lacks":["multiplex"]}}'
        while read -r line; do echo '{"call":1,"unsupported":"stream"}'; done"#;
    let program = [Path::new("sh"), Path::new("-c"), Path::new(script)];
    let (code, stdout, stderr) =
        check(&["--only", "streams/*", "--only", "client/interleaved-*"], &program, &[]);
    assert!(stdout.contains("skipped streams/count: needs stream\n"), "{stdout}{stderr}");
    assert!(stdout.contains("skipped client/interleaved-calls: needs multiplex\n"), "{stdout}");
    assert_eq!(code, 1, "who has been asked nothing conforms to nothing: {stdout}");
}

/// `--listen`: the test is the person.
#[test]
fn a_client_can_be_driven_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("here.sock");
    let mut child = Command::new(env!("CARGO_BIN_EXE_dirty"))
        .args(["check", "client", "--only", "calls/echo", "--time-scale", "0.01", "--listen"])
        .arg(&socket)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut shown = Vec::new();
    for line in lines.by_ref() {
        shown.push(line);
        if shown.last().unwrap().contains(", call ") {
            break;
        }
    }
    let text = shown.join("\n");
    assert!(text.contains(&format!("listening on {}", socket.display())), "{text}");
    assert!(text.contains("with client c1, call execute fixture:App echo(1, \"x\", a=2)"), "{text}");
    let mut stream = UnixStream::connect(&socket).unwrap();
    let request = r#"{"type":"request","id":"1","app_path":"fixture:App","action":"echo","args":[1,"x"],"kwargs":{"a":2}}"#;
    let length = u32::try_from(request.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, request.as_bytes()].concat()).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    let rest: Vec<String> = lines.collect();
    let text = rest.join("\n");
    assert!(
        text.contains("the caller of c1 now sees a result like {\"args\":[1,\"x\"],\"kwargs\":{\"a\":2}}"),
        "{text}"
    );
    assert!(text.ends_with("conformant in what was played"), "{text}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!socket.exists(), "the socket is removed");
}
