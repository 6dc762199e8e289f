//! Which transcripts catch which saboteur (`golden/saboteurs.json`), and what follows from that.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Saboteur;
use crate::check::corpus;
use crate::check::fields::{Fields, FileError, Read, fault, text};
use crate::check::requirements::Requirements;
use crate::check::transcript::{Transcript, role_named};
use crate::check::value::{Pointer, Value};
use crate::message::Role;

const FILE: &str = "saboteurs.json";

const FORMAT: &str = "dirty-saboteurs/1";

/// How much a run must look like a saboteur before that is said: the failed transcripts that both have in common,
/// as a part of those that either has.
const LIKENESS: f64 = 0.5;

/// Which transcripts catch which saboteur.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// One entry for each saboteur and role.
    pub catches: Vec<Catch>,
}

/// The transcripts that one saboteur fails.
#[derive(Debug, Clone)]
pub struct Catch {
    /// The saboteur.
    pub saboteur: &'static Saboteur,
    /// In which role.
    pub role: Role,
    /// The transcripts, by id, sorted.
    pub transcripts: Vec<String>,
}

/// What a transcript says when it judges a role: that a MUST which binds the role is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The requirement.
    pub requirement: String,
    /// The transcript.
    pub transcript: String,
    /// The role.
    pub role: Role,
}

impl Claim {
    /// Every claim of these transcripts.
    pub fn all(transcripts: &[Transcript], requirements: &Requirements) -> Vec<Claim> {
        let mut claims = Vec::new();
        for requirement in requirements.iter().filter(|it| it.level == "MUST") {
            for transcript in transcripts.iter().filter(|it| it.proves.contains(&requirement.id)) {
                for role in transcript.roles.iter().filter(|role| requirement.roles.contains(role)) {
                    let (requirement, transcript) = (requirement.id.clone(), transcript.id.clone());
                    claims.push(Claim { requirement, transcript, role: *role });
                }
            }
        }
        claims
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by {} for the {}", self.requirement, self.transcript, self.role)
    }
}

impl Matrix {
    /// The embedded one.
    ///
    /// # Errors
    /// [`FileError`] when it breaks its format, which a test of this crate rules out.
    pub fn embedded() -> Result<Matrix, FileError> {
        let found = corpus::golden_files().iter().find(|(path, _)| *path == FILE);
        Matrix::parse(FILE, found.map_or("", |(_, text)| text).as_bytes())
    }

    /// Reads it from its JSON text. `file` names it in errors.
    ///
    /// # Errors
    /// [`FileError`] with the place.
    pub fn parse(file: &str, text: &[u8]) -> Result<Matrix, FileError> {
        let value = Value::parse(text).map_err(|error| FileError::from_text(file, text, &error))?;
        read(&value).map_err(|fault| fault.of(file))
    }

    /// Its JSON text: one line for each saboteur and role.
    pub fn to_text(&self) -> String {
        let mut out = format!("{{\"format\":\"{FORMAT}\",\"saboteurs\":[\n");
        for (index, catch) in self.catches.iter().enumerate() {
            let ids = Value::Array(catch.transcripts.iter().map(Value::string).collect());
            let comma = if index + 1 < self.catches.len() { "," } else { "" };
            let (name, role) = (catch.saboteur.name, catch.role);
            let _ = writeln!(out, "{{\"name\":\"{name}\",\"role\":\"{role}\",\"caught_by\":{ids}}}{comma}");
        }
        out.push_str("]}\n");
        out
    }

    /// The saboteurs that break what is claimed and that the transcript catches: the claim's evidence.
    pub fn killed(&self, claim: &Claim) -> impl Iterator<Item = &'static Saboteur> {
        let catches = self.catches.iter().filter(move |catch| {
            catch.role == claim.role
                && catch.saboteur.breaks.contains(&claim.requirement.as_str())
                && catch.transcripts.contains(&claim.transcript)
        });
        catches.map(|catch| catch.saboteur)
    }

    /// The saboteurs whose failures are most like those of a run of `role` in which, of the transcripts `played`, those
    /// of `failed` did not pass; the one that does least harm elsewhere first. None when none is much like it.
    pub fn resembled(&self, role: Role, played: &[&str], failed: &[&str]) -> Vec<&'static Saboteur> {
        let failed: BTreeSet<&str> = failed.iter().copied().collect();
        let likeness = |catch: &Catch| {
            let caught = catch.transcripts.iter().map(String::as_str).filter(|id| played.contains(id));
            let caught: BTreeSet<&str> = caught.collect();
            caught.intersection(&failed).count() as f64 / caught.union(&failed).count().max(1) as f64
        };
        let of_role = self.catches.iter().filter(|catch| catch.role == role);
        let judged: Vec<(f64, &Catch)> = of_role.map(|catch| (likeness(catch), catch)).collect();
        let most = judged.iter().map(|(likeness, _)| *likeness).fold(LIKENESS, f64::max);
        let mut best: Vec<&Catch> =
            judged.into_iter().filter(|(likeness, _)| *likeness >= most).map(|(_, catch)| catch).collect();
        best.sort_by_key(|catch| catch.transcripts.len());
        best.into_iter().map(|catch| catch.saboteur).collect()
    }
}

fn read(value: &Value) -> Read<Matrix> {
    let root = Pointer::default();
    let mut fields = Fields::new(value, &root)?;
    let format = fields.required_string("format")?;
    if format != FORMAT {
        return fault(&fields.at("format"), format!("{format:?}: expected {FORMAT:?}"));
    }
    let catches = fields.list("saboteurs", catch)?;
    fields.finish()?;
    Ok(Matrix { catches })
}

fn catch(value: &Value, at: &Pointer) -> Read<Catch> {
    let mut fields = Fields::new(value, at)?;
    let role = fields.required_string("role")?;
    let role = role_named(&role).or_else(|problem| fault(&fields.at("role"), problem))?;
    let name = fields.required_string("name")?;
    let saboteur = Saboteur::named(&name, role);
    let saboteur = saboteur.or_else(|error| fault(&fields.at("name"), error.to_string()))?;
    let transcripts = fields.list("caught_by", text)?;
    fields.finish()?;
    Ok(Catch { saboteur, role, transcripts })
}
