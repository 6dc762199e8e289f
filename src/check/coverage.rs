//! What the corpus covers: each MUST with the transcripts that prove it and the saboteurs that these catch.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::corpus;
use super::fields::FileError;
use super::requirements::{Requirement, Requirements};
use super::sabotage::{Claim, Matrix, Saboteur};
use super::transcript::Transcript;
use crate::message::Role;

/// The most names that a cell of a table lists one by one.
const MOST: usize = 4;

/// Requirements, transcripts and saboteurs, put together.
#[derive(Debug)]
pub struct Coverage<'a> {
    matrix: &'a Matrix,
    requirements: Requirements,
    transcripts: Vec<Transcript>,
    claims: Vec<Claim>,
}

impl<'a> Coverage<'a> {
    /// The coverage of the embedded corpus, by this matrix.
    ///
    /// # Errors
    /// [`FileError`] when a file breaks its format, which a test of this crate rules out.
    pub fn of(matrix: &'a Matrix) -> Result<Coverage<'a>, FileError> {
        let requirements = Requirements::embedded()?;
        let transcripts = corpus::transcripts()?;
        let claims = Claim::all(&transcripts, &requirements);
        Ok(Coverage { matrix, requirements, transcripts, claims })
    }

    /// What is not as it should be: a claim without evidence, a MUST without transcript or reason, a saboteur that
    /// is not caught or is not what it says.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for claim in &self.claims {
            if self.matrix.killed(claim).next().is_none() {
                let breaking =
                    Saboteur::of(claim.role).filter(|it| it.breaks.contains(&claim.requirement.as_str()));
                let breaking: Vec<&str> = breaking.map(|it| it.name).collect();
                problems.push(format!(
                    "{claim}: catches none of the saboteurs that break it ({})",
                    breaking.join(", ")
                ));
            }
        }
        for must in self.musts() {
            let claimed = self.claims.iter().any(|claim| claim.requirement == must.id);
            let excused = must.no_transcript.is_some() || must.untestable.is_some() || must.pending.is_some();
            match (claimed, excused) {
                (false, false) => {
                    problems.push(format!("{}: has neither a transcript nor a reason", must.id))
                }
                (true, true) => {
                    problems.push(format!("{}: has a transcript, and a reason for having none", must.id))
                }
                _ => {}
            }
        }
        for (saboteur, role) in self.saboteurs() {
            let catch =
                self.matrix.catches.iter().find(|it| it.saboteur.name == saboteur.name && it.role == role);
            let Some(catch) = catch.filter(|catch| !catch.transcripts.is_empty()) else {
                problems.push(format!("{} as {role}: no transcript catches it", saboteur.name));
                continue;
            };
            let known = |id: &&String| !self.transcripts.iter().any(|it| it.id == **id && it.judges(role));
            if let Some(id) = catch.transcripts.iter().find(known) {
                problems.push(format!("{} as {role}: {id} is no transcript for this role", saboteur.name));
            }
        }
        for saboteur in Saboteur::all() {
            for broken in saboteur.breaks {
                let shown = |claim: &&Claim| claim.requirement == *broken && self.kills(claim, saboteur);
                let should = self.requirements.get(broken).is_some_and(|it| it.level != "MUST");
                if !should && !self.claims.iter().any(|claim| shown(&claim)) {
                    problems.push(format!("{}: no transcript shows that it breaks {broken}", saboteur.name));
                }
            }
        }
        problems
    }

    fn kills(&self, claim: &Claim, saboteur: &Saboteur) -> bool {
        self.matrix.killed(claim).any(|it| it.name == saboteur.name)
    }

    fn musts(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter().filter(|it| it.level == "MUST")
    }

    fn saboteurs(&self) -> impl Iterator<Item = (&'static Saboteur, Role)> {
        Saboteur::all().flat_map(|saboteur| saboteur.roles.iter().map(move |role| (saboteur, *role)))
    }

    /// The numbers, each with what it counts.
    pub fn numbers(&self) -> Vec<(usize, &'static str)> {
        let claimed = |must: &&Requirement| self.claims.iter().any(|claim| claim.requirement == must.id);
        let proved = |claim: &&Claim| self.matrix.killed(claim).next().is_some();
        let caught = self.matrix.catches.iter().filter(|catch| !catch.transcripts.is_empty());
        let plays = caught.clone().map(|catch| catch.transcripts.len()).sum();
        let names: BTreeSet<&str> = Saboteur::all().map(|it| it.name).collect();
        vec![
            (self.requirements.iter().count(), "requirements"),
            (self.musts().count(), "of them MUST"),
            (self.musts().filter(claimed).count(), "MUSTs with a transcript"),
            (
                self.musts().filter(|it| it.no_transcript.is_some()).count(),
                "MUSTs that tests alone prove, with a reason",
            ),
            (self.transcripts.len(), "transcripts"),
            (self.claims.len(), "claims: a transcript shows a MUST for a role"),
            (
                self.claims.iter().filter(proved).count(),
                "claims with a saboteur that breaks the MUST and is caught",
            ),
            (names.len(), "saboteurs"),
            (self.saboteurs().count(), "saboteurs, counted for each role"),
            (caught.count(), "of them caught"),
            (plays, "times that a transcript catches a saboteur"),
        ]
    }

    /// The numbers as lines of text.
    pub fn text(&self) -> String {
        self.numbers().into_iter().map(|(count, what)| format!("{count:>6} {what}\n")).collect()
    }

    /// `spec/coverage.md`.
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# Coverage: each MUST, its transcripts, and the saboteurs that they catch\n\n\
             <!-- Generated from golden/saboteurs.json (UPDATE=1 cargo test --test saboteurs measures and rewrites it). -->\n\n\
             A *saboteur* is a reference role with a relay before it that breaks one rule. A transcript that claims a MUST is\n\
             evidence only if it fails against a saboteur that breaks this MUST, and passes against the honest role. Both are\n\
             tested. `dirty serve --sabotage NAME` runs one for you to test against.\n\n",
        );
        let _ = writeln!(page, "| | |\n|---:|---|");
        for (count, what) in self.numbers() {
            let _ = writeln!(page, "| {count} | {what} |");
        }
        page.push_str("\n## Requirements\n\n| MUST | role | transcripts | saboteurs that they catch |\n|---|---|---|---|\n");
        for must in self.musts() {
            self.requirement(must, &mut page);
        }
        page.push_str("\n## Proved by tests alone\n\n| MUST | why no transcript shows it |\n|---|---|\n");
        for must in self.musts() {
            if let Some(reason) = must.no_transcript.as_ref().or(must.untestable.as_ref()) {
                let _ = writeln!(page, "| [{}]({}) | {reason} |", must.id, must.anchor);
            }
        }
        page.push_str("\n## Saboteurs\n\n| name | what it does | breaks | caught by |\n|---|---|---|---|\n");
        for saboteur in Saboteur::all() {
            let catches = self.matrix.catches.iter().filter(|catch| catch.saboteur.name == saboteur.name);
            let catches: Vec<String> =
                catches.map(|catch| format!("{} as {}", catch.transcripts.len(), catch.role)).collect();
            let (name, does, breaks) = (saboteur.name, saboteur.does, saboteur.breaks.join(", "));
            let _ = writeln!(page, "| `{name}` | {does} | {breaks} | {} |", catches.join(", "));
        }
        page
    }

    /// The rows of one requirement, one for each role.
    fn requirement(&self, must: &Requirement, page: &mut String) {
        for role in [Role::Client, Role::Arbiter, Role::Worker] {
            let claims: Vec<&Claim> =
                self.claims.iter().filter(|it| it.requirement == must.id && it.role == role).collect();
            if claims.is_empty() {
                continue;
            }
            let links = claims.iter().map(|it| format!("[{0}](../golden/{0}.json)", it.transcript));
            let mut names: Vec<&str> = Vec::new();
            for saboteur in claims.iter().flat_map(|claim| self.matrix.killed(claim)) {
                if !names.contains(&saboteur.name) {
                    names.push(saboteur.name);
                }
            }
            let names = names.iter().map(|name| format!("`{name}`"));
            let (links, names) = (listed(links.collect()), listed(names.collect()));
            let _ = writeln!(page, "| [{}]({}) | {role} | {links} | {names} |", must.id, must.anchor);
        }
    }
}

fn listed(mut items: Vec<String>) -> String {
    if items.len() > MOST {
        let more = format!("{} more", items.len() + 1 - MOST);
        items.truncate(MOST - 1);
        items.push(more);
    }
    items.join(", ")
}
