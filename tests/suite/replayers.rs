//! The replayers of `golden/replay/`, which are meant to be copied, against the matcher's vectors and the reference roles.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use dirty_arbiter::check::corpus;
use dirty_arbiter::check::subject::Source;
use dirty_arbiter::check::transcript::{Setup, Transcript};
use dirty_arbiter::message::Role;

use crate::installed::run;
use crate::other_languages::{go, root, target};

/// How many subjects of one role run at a time: transcripts wait more than they compute.
const SUBJECTS: usize = 4;

fn python() -> Command {
    let mut command = Command::new("python3");
    command.arg(root().join("golden/replay/python/replay.py"));
    command
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("golden/replay/node/replay.mjs"));
    command
}

fn compiled() -> Option<Command> {
    let program = target("clients").join("replay");
    run(go("the replayer in Go")?
        .arg("build")
        .arg("-o")
        .arg(&program)
        .arg(root().join("golden/replay/go/replay.go")));
    Some(Command::new(program))
}

fn file(transcript: &Transcript) -> PathBuf {
    root().join("golden").join(&transcript.id).with_extension("json")
}

fn built_in() -> Source {
    Source::BuiltIn(PathBuf::from(env!("CARGO_BIN_EXE_dirty")))
}

/// How many lines of code the replayer in Go has: gofmt breaks every block, so it takes more of them than the others.
const GO: usize = 272;

/// The matcher's vectors, the whole corpus of both roles, and transcripts that no subject passes.
fn judge(replayer: impl Fn() -> Command + Sync) {
    run(replayer().arg("--matcher").arg(root().join("golden/matcher.json")));
    std::thread::scope(|scope| {
        for role in [Role::Arbiter, Role::Worker] {
            let mut groups = BTreeMap::<Setup, Vec<Transcript>>::new();
            for transcript in corpus::transcripts().unwrap().into_iter().filter(|it| it.roles.contains(&role))
            {
                groups.entry(transcript.setup.clone()).or_default().push(transcript);
            }
            for (setup, transcripts) in groups {
                for first in 0..SUBJECTS.min(transcripts.len()) {
                    let files: Vec<_> = transcripts.iter().skip(first).step_by(SUBJECTS).map(file).collect();
                    let (setup, replayer) = (setup.clone(), &replayer);
                    scope.spawn(move || {
                        let subject = built_in().start(role, &setup).unwrap();
                        let count = files.len();
                        let out = run(replayer()
                            .arg(role.as_str())
                            .arg(subject.socket())
                            .args(files)
                            .env("TIME_SCALE", "4"));
                        assert_eq!(out.lines().last(), Some(&*format!("{count} passed, 0 failed")));
                    });
                }
            }
        }
    });
    refutes(&replayer);
}

/// What it says when a subject does not do as the transcript says; for each kind of step.
fn refutes(replayer: &impl Fn() -> Command) {
    let folder = tempfile::tempdir().unwrap();
    let subject = built_in().start(Role::Arbiter, &Setup::default()).unwrap();
    let request = r#"{"on": "c1", "from": "client", "msg": {"type": "request", "id": "r1", "app_path": "fixture:App", "action": "echo", "args": [1], "kwargs": {}}}"#;
    let reply = |result: &str| {
        format!(
            r#"{{"on": "c1", "from": "arbiter", "msg": {{"type": "response", "id": "r1", "result": {result}}}}}"#
        )
    };
    let right = reply(r#"{"args": [1], "kwargs": {}}"#);
    let play = |name: &str, expected: &str| -> Output {
        let path = folder.path().join(format!("{name}.json"));
        let text = format!(
            r#"{{"format": "dirty-transcript/1", "id": "x/{name}", "roles": ["arbiter"], "steps": [{request}, {expected}]}}"#
        );
        std::fs::write(&path, text).unwrap();
        replayer().arg("arbiter").arg(subject.socket()).arg(path).output().unwrap()
    };
    assert!(play("right", &right).status.success());
    let wrong = [
        ("value", reply(r#"{"args": [2], "kwargs": {}}"#)),
        ("member", reply(r#"{"args": [1]}"#)),
        ("silence", r#"{"on": "c1", "from": "arbiter", "quiet_ms": 2000}"#.to_owned()),
        ("end", r#"{"on": "c1", "from": "arbiter", "close": true}"#.to_owned()),
        ("bytes", r#"{"on": "c1", "from": "arbiter", "raw": "00000001"}"#.to_owned()),
        (
            "late",
            format!(
                r#"{right}, {{"on": "c1", "from": "arbiter", "within_ms": 50, "msg": {{"type": "end", "id": "r1"}}}}"#
            ),
        ),
        (
            "twice",
            format!(
                r#"{{"on": "c1", "from": "arbiter", "within_ms": 200, "unordered": [{right}, {right}]}}"#
            ),
        ),
    ];
    for (name, expected) in wrong {
        let output = play(name, &expected);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert!(
            text.contains(&format!("FAILED x/{name}")) && text.contains("0 passed, 1 failed"),
            "{name}: {text}"
        );
    }
    let nothing =
        replayer().arg("worker").arg(subject.socket()).arg(folder.path().join("right.json")).output();
    assert_eq!(nothing.unwrap().status.code(), Some(1), "a run that plays nothing proves nothing");
}

#[test]
fn the_replayer_in_python_judges_the_reference() {
    judge(python);
}

#[test]
fn the_replayer_in_node_judges_the_reference() {
    judge(node);
}

#[test]
fn the_replayer_in_go_judges_the_reference() {
    let Some(program) = compiled() else { return };
    judge(|| Command::new(program.get_program()));
}

/// The lines of code of a replayer: no blank line, no comment.
fn lines(file: &str, comment: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("golden/replay").join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with(comment));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_replayer_in_python_is_short() {
    let lines = lines("python/replay.py", "#").len();
    assert!(lines < 80, "{lines} lines");
}

#[test]
fn the_replayers_in_node_and_go_are_short() {
    for (file, most) in [("node/replay.mjs", 79), ("go/replay.go", GO)] {
        let lines = lines(file, "//");
        assert!(lines.len() <= most, "{file}: {} lines", lines.len());
        let long = lines.iter().find(|line| line.chars().count() > 120);
        assert!(long.is_none(), "{file}: longer than 120 characters: {long:?}");
    }
}
