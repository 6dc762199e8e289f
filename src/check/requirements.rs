//! The registry of requirements: what there is to prove.

use super::corpus;
use super::fields::{Fields, FileError, Read, fault, text};
use super::transcript::role_named;
use super::value::{Pointer, Value};
use crate::message::Role;

/// One rule of the specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its immutable id, such as `FRAME-3`.
    pub id: String,
    /// `MUST` or `SHOULD`.
    pub level: String,
    /// Whom it binds.
    pub roles: Vec<Role>,
    /// The rule, one sentence.
    pub text: String,
    /// Where it stands in the text of the specification.
    pub anchor: String,
    /// Why no test can show it, when none can.
    pub untestable: Option<String>,
    /// Why it has no code yet, when it has none.
    pub pending: Option<String>,
    /// Why no transcript can show it and tests alone prove it, when that is so.
    pub no_transcript: Option<String>,
}

/// All requirements, in the order of the specification.
#[derive(Debug, Clone)]
pub struct Requirements(Vec<Requirement>);

impl Requirements {
    /// The embedded registry.
    ///
    /// # Errors
    /// [`FileError`] when it breaks its format, which a test of this crate rules out.
    pub fn embedded() -> Result<Requirements, FileError> {
        Requirements::parse("spec/requirements.json", corpus::REQUIREMENTS.as_bytes())
    }

    /// Reads a registry. `file` names it in errors.
    ///
    /// # Errors
    /// [`FileError`] with the place.
    pub fn parse(file: &str, text: &[u8]) -> Result<Requirements, FileError> {
        let value = Value::parse(text).map_err(|error| FileError::from_text(file, text, &error))?;
        read(&value).map_err(|fault| fault.of(file))
    }

    /// The requirement with this id.
    pub fn get(&self, id: &str) -> Option<&Requirement> {
        self.0.iter().find(|requirement| requirement.id == id)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Requirement> {
        self.0.iter()
    }
}

fn read(value: &Value) -> Read<Requirements> {
    let root = Pointer::default();
    let mut fields = Fields::new(value, &root)?;
    let format = fields.required_string("format")?;
    if format != "dirty-requirements/1" {
        return fault(&fields.at("format"), format!("{format:?}: expected \"dirty-requirements/1\""));
    }
    Ok(Requirements(fields.list("requirements", requirement)?))
}

fn requirement(value: &Value, at: &Pointer) -> Read<Requirement> {
    let mut fields = Fields::new(value, at)?;
    let role =
        |value: &Value, at: &Pointer| role_named(&text(value, at)?).or_else(|problem| fault(at, problem));
    Ok(Requirement {
        id: fields.required_string("id")?,
        level: fields.required_string("level")?,
        roles: fields.list("role", role)?,
        text: fields.required_string("text")?,
        anchor: fields.string("anchor")?.unwrap_or_default(),
        untestable: fields.string("untestable")?,
        pending: fields.string("pending")?,
        no_transcript: fields.string("no_transcript")?,
    })
}
