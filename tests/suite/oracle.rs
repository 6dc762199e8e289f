//! The oracle: every transcript is played against gunicorn 25.0.3, in each of its roles, and what it does is written down.
//!
//! `spec/upstream.json` holds the outcome, `spec/upstream-notes.json` what is to be said of it, and `spec/upstream.md` is made
//! of both. `UPDATE=1 cargo test --test suite oracle` rewrites outcome and page; without it a difference fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::interop::driver::{folder, python};
use crate::served::dirty;
use crate::traceability::{root, spec_files, updating};

/// So many runs at once share the corpus: gunicorn spends most of the time waiting.
const SHARDS: usize = 4;

/// What went wrong, by transcript. A transcript that is not here passed.
type Failures = BTreeMap<String, String>;

fn outcome_file() -> PathBuf {
    root().join("spec/upstream.json")
}

fn json(path: PathBuf) -> Value {
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Plays transcripts against gunicorn in a role; those that it lacks a feature for are no failures.
fn play(role: &str, transcripts: &[&str]) -> Failures {
    let mut command = dirty();
    command.args(["check", role, "--json", "-"]);
    for id in transcripts {
        command.args(["--only", id]);
    }
    let subject = match role {
        "client" => root().join("clients/adapters/gunicorn_client.py"),
        _ => folder().join(format!("gunicorn_{role}.py")),
    };
    command.arg("--").arg(python().program()).arg("-B").arg(subject);
    let output = command.output().unwrap();
    let report: Value = serde_json::from_str(&String::from_utf8_lossy(&output.stdout))
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let failed = |played: &&Value| played["verdict"] == "failed";
    let played = report["transcripts"].as_array().unwrap().iter().filter(failed);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    played.map(|played| (text(&played["id"]), seen(&text(&played["failure"]["problem"])))).collect()
}

/// What was seen, without what differs from run to run.
fn seen(problem: &str) -> String {
    let problem = problem.split(": expected {").next().unwrap_or(problem);
    let mut words: Vec<String> = Vec::new();
    for word in problem.split(' ') {
        let plain = word.trim_matches(|c: char| !c.is_ascii_hexdigit());
        let is_uuid = plain.len() == 36 && plain.bytes().filter(|byte| *byte == b'-').count() == 4;
        words.push(if is_uuid { word.replace(plain, "…") } else { word.to_owned() });
    }
    let text = words.join(" ");
    // A traceback names files of this machine.
    let text = text.split("Traceback").next().unwrap_or_default().to_owned();
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn ids(role: &str) -> Vec<String> {
    let list = dirty().args(["golden", "list", "--role", role]).output().unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let text = String::from_utf8(list.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn notes() -> Value {
    json(root().join("spec/upstream-notes.json"))
}

/// Plays the whole corpus of a role.
fn outcome(role: &str) -> Failures {
    let ids = ids(role);
    let shards: Vec<Vec<&str>> = (0..SHARDS)
        .map(|shard| ids.iter().skip(shard).step_by(SHARDS).map(String::as_str).collect())
        .collect();
    let failures = std::thread::scope(|scope| {
        let runs: Vec<_> = shards.iter().map(|shard| scope.spawn(|| play(role, shard))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect::<Failures>()
    });
    let varies = notes()["varies"].as_object().unwrap().clone();
    failures.into_iter().filter(|(id, _)| !varies.contains_key(id)).collect()
}

fn compare(role: &str) {
    let now = outcome(role);
    if updating() {
        let _one_at_a_time = spec_files();
        let mut all: BTreeMap<String, Failures> = fs::read_to_string(outcome_file())
            .map(|text| serde_json::from_str(&text).unwrap())
            .unwrap_or_default();
        all.insert(role.to_owned(), now);
        fs::write(outcome_file(), serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
        fs::write(root().join("spec/upstream.md"), page()).unwrap();
        return;
    }
    let known: BTreeMap<String, Failures> = serde_json::from_value(json(outcome_file())).unwrap();
    let known = &known[role];
    let differ = |now: &Failures| -> Vec<String> {
        let ids: BTreeSet<&String> = now.keys().chain(known.keys()).collect();
        ids.into_iter().filter(|id| now.contains_key(*id) != known.contains_key(*id)).cloned().collect()
    };
    let mut changed = differ(&now);
    // A busy machine may be to blame: what differs has to do so again, alone.
    for _ in 0..2 {
        if changed.is_empty() {
            return;
        }
        let ids: Vec<&str> = changed.iter().map(String::as_str).collect();
        let again = play(role, &ids);
        changed.retain(|id| again.contains_key(id) != known.contains_key(id));
    }
    assert_eq!(
        changed,
        Vec::<String>::new(),
        "gunicorn as {role} does something else than spec/upstream.json says: UPDATE=1 cargo test --test suite oracle"
    );
}

#[test]
fn the_arbiter_does_what_the_page_says() {
    compare("arbiter");
}

#[test]
fn the_worker_does_what_the_page_says() {
    compare("worker");
}

#[test]
fn the_client_does_what_the_page_says() {
    compare("client");
}

/// The page, made of the outcome, the notes and the registry.
fn page() -> String {
    let (outcome, notes) = (json(outcome_file()), notes());
    let registry = json(root().join("spec/requirements.json"));
    let requirements: Vec<&Value> = registry["requirements"].as_array().unwrap().iter().collect();
    let mut page = String::from(
        "# What gunicorn 25.0.3 does\n\n\
         <!-- Generated from upstream.json, upstream-notes.json and requirements.json by the test suite (UPDATE=1 rewrites it). -->\n\n\
         Every transcript is played against gunicorn's own arbiter, worker and client, with every test run. It has no written\n\
         protocol, so this is no list of its faults: it says where somebody who moves from it, or writes for both, has to look.\n\
         What each row means for whom is in [decisions.md](decisions.md); what fails in production is in [failures.md](failures.md).\n\n\
         | role | transcripts | as required | otherwise |\n|---|---|---|---|\n",
    );
    for (role, failures) in outcome.as_object().unwrap() {
        let (all, failed) = (ids(role).len(), failures.as_object().unwrap().len());
        let _ = writeln!(page, "| {role} | {all} | {} | {failed} |", all - failed);
    }
    page += "\n## Clause by clause\n\n| clause | required | gunicorn 25.0.3 | seen in | public |\n|---|---|---|---|---|\n";
    for requirement in requirements {
        let id = requirement["id"].as_str().unwrap();
        let note = notes["clauses"].get(id);
        let failing = failing(&outcome, id);
        if failing.is_empty() {
            continue;
        }
        let Some(note) = note else { continue };
        let public = note.get("link").and_then(Value::as_str).map(|link| {
            let name = link.rsplit('/').next().unwrap_or(link);
            format!("[#{name}]({link})")
        });
        let _ = writeln!(
            page,
            "| [{id}]({}) | {} | {} | {} | {} |",
            requirement["anchor"].as_str().unwrap(),
            requirement["text"].as_str().unwrap(),
            note["does"].as_str().unwrap(),
            some(&failing),
            public.unwrap_or_default()
        );
    }
    for (role, failures) in outcome.as_object().unwrap() {
        let _ = write!(page, "\n## As {role}\n\n| transcript | seen |\n|---|---|\n");
        for (id, seen) in failures.as_object().unwrap() {
            let seen = seen.as_str().unwrap().replace('|', "\\|").replace('<', "&lt;");
            let _ = writeln!(page, "| [{id}](../golden/{id}.json) | {seen} |");
        }
    }
    page +=
        "\n## Now so, now so\n\nThe outcome of these depends on time and chance, and is not compared.\n\n";
    for (id, reason) in notes["varies"].as_object().unwrap() {
        let _ = writeln!(page, "- [{id}](../golden/{id}.json): {}", reason.as_str().unwrap());
    }
    page
}

/// The transcripts that prove a requirement before any other, and that gunicorn fails in some role.
fn failing(outcome: &Value, requirement: &str) -> Vec<String> {
    let roles = outcome.as_object().unwrap().values();
    let ids: BTreeSet<&String> = roles.flat_map(|failures| failures.as_object().unwrap().keys()).collect();
    let proves = |id: &&String| {
        let transcript = json(root().join("golden").join(format!("{id}.json")));
        transcript["proves"].as_array().unwrap().iter().any(|proved| proved == requirement)
    };
    ids.into_iter().filter(proves).cloned().collect()
}

fn some(ids: &[String]) -> String {
    let shown: Vec<String> = ids.iter().take(2).map(|id| format!("[{id}](../golden/{id}.json)")).collect();
    match ids.len().saturating_sub(2) {
        0 => shown.join(", "),
        more => format!("{}, {more} more", shown.join(", ")),
    }
}

#[test]
fn the_page_is_made_of_the_outcome() {
    let _one_at_a_time = spec_files();
    if updating() {
        fs::write(root().join("spec/upstream.md"), page()).unwrap();
        return;
    }
    let written = fs::read_to_string(root().join("spec/upstream.md")).unwrap();
    similar_asserts::assert_eq!(written: written, page: page(), "UPDATE=1 cargo test --test suite oracle rewrites spec/upstream.md");
}

#[test]
fn what_differs_from_run_to_run_is_left_out() {
    let uuid = "8c3ac476-4136-4f42-820c-89a7d9c89b53";
    let problem = format!(r#"another message than expected, at /id: wanted null, got "{uuid}""#);
    assert_eq!(seen(&problem), r#"another message than expected, at /id: wanted null, got "…""#);
    assert_eq!(seen(r#"the connection ended: expected {"type":"response"}"#), "the connection ended");
}

#[test]
fn every_clause_that_gunicorn_departs_from_has_a_note() {
    let (outcome, notes) = (json(outcome_file()), notes());
    let first = |id: &String| {
        let transcript = json(root().join("golden").join(format!("{id}.json")));
        transcript["proves"][0].as_str().unwrap().to_owned()
    };
    let roles = outcome.as_object().unwrap().values();
    let failed = roles.flat_map(|failures| failures.as_object().unwrap().keys());
    let clauses: BTreeSet<String> = failed.map(first).collect();
    let missing: Vec<String> = clauses.into_iter().filter(|id| notes["clauses"].get(id).is_none()).collect();
    assert_eq!(missing, Vec::<String>::new(), "spec/upstream-notes.json says nothing of these");
    let clauses = notes["clauses"].as_object().unwrap();
    let kept: Vec<&String> = clauses.keys().filter(|id| failing(&outcome, id).is_empty()).collect();
    assert_eq!(kept, Vec::<&String>::new(), "spec/upstream-notes.json speaks of these, which gunicorn keeps");
}
