//! The proof that the corpus can fail: for every claim of a transcript that a MUST is kept there is a saboteur which
//! breaks that MUST and which the transcript catches, and the same transcript passes when the relay in which saboteurs
//! sit changes nothing.
//!
//! `golden/saboteurs.json` says which transcripts catch which saboteur. A run checks as much of it as the claims need;
//! `UPDATE=1 cargo test --test saboteurs` plays everything against everybody, and writes it and `spec/coverage.md` again;
//! with a filter, such as `-- calls/echo`, only what fits.

// What a test cannot unwrap is a failure of the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dirty_arbiter::check::corpus;
use dirty_arbiter::check::coverage::Coverage;
use dirty_arbiter::check::requirements::Requirements;
use dirty_arbiter::check::sabotage::{Catch, Claim, Matrix, Saboteur};
use dirty_arbiter::check::transcript::Transcript;
use dirty_arbiter::message::Role;
use libtest_mimic::{Arguments, Failed, Trial};

mod stage;

use stage::Stages;

/// How often a saboteur may get away before a transcript counts as one that does not catch it: some faults
/// depend on which bytes one read returns.
const TRIES: usize = 3;

fn main() {
    let mut arguments = Arguments::from_args();
    // The plays wait more than they compute.
    arguments.test_threads.get_or_insert(12);
    let stages = Arc::new(Stages::default());
    let transcripts = corpus::transcripts().unwrap_or_else(|error| panic!("{error}"));
    let updating = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let data = Matrix::embedded().unwrap_or_else(|error| panic!("{error}"));
    let mut trials = Vec::new();
    for transcript in &transcripts {
        for role in transcript.roles.clone() {
            let (transcript, stages) = (transcript.clone(), Arc::clone(&stages));
            trials.push(Trial::test(format!("honest-{role}::{}", transcript.id), move || {
                stages
                    .honest_time(&transcript, role)
                    .map(drop)
                    .map_err(|failure| format!("behind a relay that changes nothing: {failure}").into())
            }));
        }
    }
    let plays = if updating { everything(&transcripts) } else { needed(&data, &transcripts) };
    let results: Arc<Mutex<Results>> = Arc::default();
    for (saboteur, role, transcript) in plays {
        let (stages, results) = (Arc::clone(&stages), Arc::clone(&results));
        trials.push(Trial::test(format!("{}-{role}::{}", saboteur.name, transcript.id), move || {
            let needed = transcript.proves.iter().any(|id| saboteur.breaks.contains(&id.as_str()));
            let caught = stages.catches(&transcript, role, saboteur, if needed { TRIES } else { 1 });
            results.lock().unwrap().insert((saboteur.name, role.as_str(), transcript.id), caught);
            if caught || updating { Ok(()) } else { Err("it passes: it does not catch the saboteur".into()) }
        }));
    }
    if !updating {
        trials.push(Trial::test("coverage", || coverage(&Matrix::embedded()?)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    stages.end();
    if updating {
        let data = measured(&data, &results.lock().unwrap(), &transcripts);
        std::fs::write(root().join("golden/saboteurs.json"), data.to_text()).unwrap();
        std::fs::write(root().join("spec/coverage.md"), Coverage::of(&data).unwrap().page()).unwrap();
        let problems = Coverage::of(&data).unwrap().problems();
        eprintln!("{} problems\n{}", problems.len(), problems.join("\n"));
    }
    conclusion.exit();
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

type Play = (&'static Saboteur, Role, Transcript);

/// Every transcript against every saboteur of its roles.
fn everything(transcripts: &[Transcript]) -> Vec<Play> {
    let roles = [Role::Arbiter, Role::Worker, Role::Client];
    let pairs = roles.into_iter().flat_map(|role| Saboteur::of(role).map(move |saboteur| (saboteur, role)));
    pairs
        .flat_map(|(saboteur, role)| {
            let judging = transcripts.iter().filter(move |transcript| transcript.judges(role));
            judging.map(move |transcript| (saboteur, role, transcript.clone()))
        })
        .collect()
}

/// For each claim the first saboteur that is its evidence, each play once.
fn needed(data: &Matrix, transcripts: &[Transcript]) -> Vec<Play> {
    let requirements = Requirements::embedded().unwrap_or_else(|error| panic!("{error}"));
    let mut plays: BTreeMap<(&str, &str, String), Play> = BTreeMap::new();
    for claim in Claim::all(transcripts, &requirements) {
        let transcript = transcripts.iter().find(|it| it.id == claim.transcript).unwrap();
        let saboteur = data.killed(&claim).next();
        if let Some(saboteur) = saboteur {
            let key = (saboteur.name, claim.role.as_str(), claim.transcript);
            plays.insert(key, (saboteur, claim.role, transcript.clone()));
        }
    }
    plays.into_values().collect()
}

/// Whether a transcript, by id, has caught a saboteur in a role.
type Results = BTreeMap<(&'static str, &'static str, String), bool>;

/// The data with what was measured; what was not played, by a filter on the command line, stays as it was.
fn measured(data: &Matrix, results: &Results, transcripts: &[Transcript]) -> Matrix {
    let mut catches = Vec::new();
    for saboteur in Saboteur::all() {
        for role in saboteur.roles {
            let known = data.catches.iter().find(|it| it.saboteur.name == saboteur.name && it.role == *role);
            let caught = |transcript: &&Transcript| {
                let key = (saboteur.name, role.as_str(), transcript.id.clone());
                let before = known.is_some_and(|known| known.transcripts.contains(&transcript.id));
                results.get(&key).copied().unwrap_or(before)
            };
            let judging = transcripts.iter().filter(|transcript| transcript.judges(*role)).filter(caught);
            let transcripts = judging.map(|transcript| transcript.id.clone()).collect();
            catches.push(Catch { saboteur, role: *role, transcripts });
        }
    }
    Matrix { catches }
}

/// What the data says, without a play: every claim has its evidence, every saboteur is caught, and the page is what follows.
fn coverage(data: &Matrix) -> Result<(), Failed> {
    let coverage = Coverage::of(data)?;
    let problems = coverage.problems();
    if !problems.is_empty() {
        return Err(problems.join("\n").into());
    }
    let page = std::fs::read_to_string(root().join(PathBuf::from("spec/coverage.md")))?;
    if page != coverage.page() {
        return Err("spec/coverage.md is not what the data says: UPDATE=1 cargo test --test saboteurs".into());
    }
    Ok(())
}
