//! Text, registry, golden transcripts and tests agree about every requirement, in every direction.
//!
//! The checks are pure functions over text; `traceability/tests.rs` shows that each of them can fail.
//! `UPDATE=1 cargo test --test suite traceability` writes the transcripts' claims into `spec/requirements.json`
//! and renders `spec/requirements.md`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

mod index;
mod proofs;
mod registry;
mod tests;
mod text;

use proofs::{Source, Transcript};
use registry::Registry;
use text::Chapter;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether generated files are to be rewritten.
pub fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|v| v == "1")
}

/// Reads a file below the root.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("failed to read {}: {e}", path.display()))
}

/// Every file below `folder` with that extension, sorted.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|e| e.expect("a readable folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every document below `golden/` that says it is a transcript, with its path.
pub fn transcripts() -> Vec<(PathBuf, serde_json::Value)> {
    let documents = files(&root().join("golden"), "json").into_iter().map(|path| {
        let value: serde_json::Value = serde_json::from_str(&read(&path))
            .unwrap_or_else(|e| panic!("failed to read {}: {e}", path.display()));
        (path, value)
    });
    documents.filter(|(_, value)| value["format"] == "dirty-transcript/1").collect()
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str()).map(str::to_owned).collect()
}

fn claims() -> Vec<Transcript> {
    let claim = |(path, value): (PathBuf, serde_json::Value)| Transcript {
        id: value["id"].as_str().unwrap_or_else(|| panic!("{} has no id", path.display())).to_owned(),
        proves: strings(&value["proves"]),
        roles: strings(&value["roles"]),
    };
    transcripts().into_iter().map(claim).collect()
}

fn chapters() -> Vec<Chapter> {
    let chapter = |path: PathBuf| Chapter {
        name: path.file_name().expect("a file").to_string_lossy().into_owned(),
        text: read(&path),
    };
    files(&root().join("spec"), "md").into_iter().map(chapter).collect()
}

fn sources() -> Vec<Source> {
    let source = |path: PathBuf| Source {
        path: path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned(),
        text: read(&path),
    };
    ["src", "tests"].iter().flat_map(|f| files(&root().join(f), "rs")).map(source).collect()
}

fn the_registry() -> Registry {
    Registry::parse(&read(&root().join("spec/requirements.json"))).expect("the registry is JSON")
}

/// Held by whoever reads the files of `spec/`, so that `UPDATE=1` never shows half a file to another test.
pub fn spec_files() -> MutexGuard<'static, ()> {
    static FILES: Mutex<()> = Mutex::new(());
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

#[test]
fn text_registry_transcripts_and_tests_agree() {
    let _files = spec_files();
    let claims = claims();
    let mut registry = the_registry();
    if updating() {
        let claims: Vec<_> = claims.iter().map(|t| (t.id.clone(), t.proves.clone())).collect();
        registry.set_golden_proofs(&claims);
        std::fs::write(root().join("spec/requirements.json"), registry.canonical()).expect("a writable file");
        std::fs::write(root().join("spec/requirements.md"), index::render(&registry))
            .expect("a writable file");
    }
    let mut problems = registry::problems(&registry);
    problems.extend(text::problems(&registry, &chapters()));
    problems.extend(proofs::problems(&registry, &claims, &sources()));
    assert_none(&problems);
}

#[test]
fn the_failures_of_gunicorn_name_proofs_that_exist() {
    let _files = spec_files();
    let page = read(&root().join("spec/failures.md"));
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let transcripts: Vec<String> = claims().into_iter().map(|transcript| transcript.id).collect();
    assert!(rows.len() >= 18, "only {} failures", rows.len());
    let problem = |row: &&str| {
        let (_, proof) = row.trim_end_matches(" |").rsplit_once("| ").expect("three columns");
        let proof = proof.trim_matches('`');
        match proof.split_once(':') {
            Some(("golden", id)) if transcripts.iter().any(|known| known == id) => None,
            Some(("test", path)) => proofs::find_test(path, &sources()).err(),
            _ => Some(format!("no proof {proof}")),
        }
    };
    assert_none(&rows.iter().filter_map(problem).collect::<Vec<_>>());
}

#[test]
fn every_must_is_proved() {
    let _files = spec_files();
    let registry = the_registry();
    assert_eq!(proofs::unproved(&registry), Vec::<&str>::new(), "these MUSTs have no proof");
    let pending = registry.requirements.iter().filter(|row| row.pending.is_some());
    assert_eq!(pending.map(|row| &row.id).collect::<Vec<_>>(), Vec::<&String>::new(), "these wait for code");
}

#[test]
fn the_registry_and_its_page_are_in_their_one_layout() {
    let _files = spec_files();
    let registry = the_registry();
    similar_asserts::assert_eq!(read(&root().join("spec/requirements.json")), registry.canonical());
    let page = read(&root().join("spec/requirements.md"));
    similar_asserts::assert_eq!(page, index::render(&registry), "UPDATE=1 rewrites it");
}
