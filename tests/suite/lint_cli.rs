//! `dirty lint`: the house rules of transcripts, each seen to be broken.

use dirty_arbiter::check::corpus;
use dirty_arbiter::check::lint::{Fault, Linter};

use crate::served::dirty;

fn lint(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    Linter::new().lint(file, text.as_bytes(), &mut |Fault { problem, place, .. }| {
        found.push(format!("{}:{}: {problem}", place.line, place.column));
    });
    found
}

/// A transcript without a fault.
const GOOD: &str = r#"{
  "format": "dirty-transcript/1",
  "id": "calls/one",
  "title": "A call is answered.",
  "proves": ["CALL-1"],
  "roles": ["arbiter"],
  "level": "L1",
  "vars": {"r1": "r-1"},
  "since": "0.1.0",
  "steps": [
    {"on": "c1", "from": "client", "msg": {"type": "request", "id": {"$var": "r1"}, "app_path": "fixture:App", "action": "echo", "args": ["\b\u2028é"], "kwargs": {}}},
    {"on": "c1", "from": "arbiter", "msg": {"type": "end", "id": {"$var": "r1"}}}
  ]
}
"#;

fn good() -> String {
    GOOD.replace("\\u2028", "\u{2028}")
}

#[test]
fn the_whole_corpus_keeps_the_house_rules() {
    let mut linter = Linter::new();
    let mut faults = Vec::new();
    for (id, text) in corpus::texts() {
        linter.lint(&format!("{id}.json"), text.as_bytes(), &mut |fault| faults.push(format!("{fault:?}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_is_seen_to_be_broken_at_its_place() {
    assert_eq!(lint("golden/calls/one.json", &good()), Vec::<String>::new());
    for (from, to, expected) in [
        (
            "A call is",
            "A call must be",
            "4:12: /title: the modal verb \"must\": expected a claim, which says what is",
        ),
        (
            "A call is",
            "It can't be, a call cannot be",
            "4:12: /title: the modal verb \"cannot\": expected a claim, which says what is",
        ),
        ("answered.", "answered", "4:12: /title: expected one sentence, with a full stop"),
        (
            "A call is answered.",
            "TO WRITE: all.",
            "4:12: /title: to be written: expected the claim, in one sentence",
        ),
        ("calls/one", "calls/two", "3:9: /id: \"calls/two\": expected the file's own place, \"calls/one\""),
        (
            "\"CALL-1\"",
            "\"CALL-999\"",
            "5:14: /proves/0: CALL-999 is no requirement: expected an id of spec/requirements.json",
        ),
        ("\"CALL-1\"", "\"CALL-1\", \"CALL-1\"", "5:24: /proves/1: CALL-1 a second time: expected each once"),
        (
            "\"r-1\"}",
            "\"r-1\", \"r2\": 2}",
            "8:11: /vars: variable \"r2\" is used nowhere: expected a step that does",
        ),
        (
            "  \"vars\": {\"r1\": \"r-1\"},\n",
            "",
            "10:5: step 1: /steps/0: sends {\"$var\": \"r1\"} to an arbiter before it has a value: expected it in `vars`",
        ),
        (
            "\"type\": \"end\"",
            "\"type\": \"ends\"",
            "12:5: step 2: /steps/1: bad message at /type: unknown message type \"ends\" (MSG-11); expected `malformed` to announce it",
        ),
        (
            "\"0.1.0\",",
            "\"0.1.0\",\n  \"malformed\": true,",
            "10:16: /malformed: no message breaks the schema: expected it to be left out",
        ),
        (
            "\"on\": \"c1\", \"from\": \"arbiter\"",
            "\"on\":\"c1\", \"from\": \"arbiter\"",
            "12:11: not the canonical layout: `dirty lint --fix` writes it",
        ),
        ("  \"level\": \"L1\",\n", "", "1:1: no level: expected one of L0, L1, L2, L3"),
        ("  \"since\": \"0.1.0\",\n  \"steps\"", "  \"steps\"", ""),
    ] {
        let broken = good().replacen(from, to, 1);
        assert_ne!(broken, good(), "{from}");
        let found = lint("golden/calls/one.json", &broken);
        match expected {
            "" => assert_eq!(found, Vec::<String>::new()),
            _ => assert_eq!(found, [expected], "{to}"),
        }
    }
    let cut = lint("golden/calls/one.json", &good()[..40]);
    assert!(cut[0].starts_with("3:"), "{cut:?}");
}

#[test]
fn an_id_and_a_claim_are_used_once() {
    let mut linter = Linter::new();
    let mut found = Vec::new();
    for file in ["a/calls/one.json", "b/calls/one.json"] {
        linter.lint(file, good().as_bytes(), &mut |fault| found.push(fault.problem));
    }
    assert_eq!(
        found,
        [
            "/id: \"calls/one\" is that of a/calls/one.json: expected an id never used before",
            "/title: the same as in a/calls/one.json: expected a claim of its own"
        ]
    );
}

#[test]
fn the_command_points_into_the_file_and_lays_out() {
    let output = dirty().arg("lint").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls/one.json");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, good().replace("\": ", "\":")).unwrap();
    std::fs::write(directory.path().join("other.json"), "[]").unwrap();
    let output = dirty().arg("lint").arg(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("one.json:2:12: not the canonical layout") && said.contains("^ column 12"),
        "{said}"
    );
    let output = dirty().arg("lint").arg("--fix").arg(directory.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1 transcript: no fault, 1 laid out\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), good());
    let output = dirty().args(["lint", "no-such-file"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
