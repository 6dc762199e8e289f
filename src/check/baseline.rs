//! A baseline: failures that are known, with reasons, so that a run fails only because of others.

use super::failure::Failure;
use super::fields::{Fields, FileError, Read, fault};
use super::transcript::Transcript;
use super::value::{Pointer, Value};

/// The name of the format, as it stands in every file.
pub const FORMAT: &str = "dirty-baseline/1";

/// Known failures of one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Each of them.
    pub known: Vec<Known>,
}

/// A known failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The transcript that fails, by id.
    pub transcript: String,
    /// The requirement that it shows broken; any of those at stake when it is absent.
    pub requirement: Option<String>,
    /// Why it is accepted.
    pub reason: String,
}

impl Baseline {
    /// Reads a baseline. `file` names it in errors; `transcripts` are all that there are.
    ///
    /// # Errors
    /// [`FileError`] with the place: not JSON, a member that is missing, unknown or ill-typed, a transcript that does
    /// not exist or stands there twice, or a requirement that it does not prove.
    pub fn parse(file: &str, text: &[u8], transcripts: &[Transcript]) -> Result<Baseline, FileError> {
        let value = Value::parse(text).map_err(|error| FileError::from_text(file, text, &error))?;
        read(&value, transcripts).map_err(|fault| fault.of(file))
    }

    /// What is known about a failure of `transcript`.
    pub(super) fn knows(&self, transcript: &Transcript, failure: &Failure) -> Option<&Known> {
        self.known.iter().find(|known| {
            // A failure that names its own requirement is about that one.
            let fits = |wanted: &str| failure.problem.requirement().is_none_or(|broken| broken == wanted);
            known.transcript == transcript.id && known.requirement.as_deref().is_none_or(fits)
        })
    }
}

fn read(value: &Value, transcripts: &[Transcript]) -> Read<Baseline> {
    let root = Pointer::default();
    let mut fields = Fields::new(value, &root)?;
    let format = fields.required_string("format")?;
    if format != FORMAT {
        return fault(&fields.at("format"), format!("{format:?}: expected {FORMAT:?}"));
    }
    fields.string("subject")?;
    let known = fields.list("known", |value, at| entry(value, at, transcripts))?;
    fields.finish()?;
    for (index, entry) in known.iter().enumerate() {
        if known[..index].iter().any(|it| it.transcript == entry.transcript) {
            let problem = format!("{:?} a second time: expected one entry", entry.transcript);
            return fault(&root.join("known").join(index).join("transcript"), problem);
        }
    }
    Ok(Baseline { known })
}

fn entry(value: &Value, at: &Pointer, transcripts: &[Transcript]) -> Read<Known> {
    let mut fields = Fields::new(value, at)?;
    let known = Known {
        transcript: fields.required_string("transcript")?,
        requirement: fields.string("requirement")?,
        reason: fields.required_string("reason")?,
    };
    fields.finish()?;
    let Some(transcript) = transcripts.iter().find(|it| it.id == known.transcript) else {
        let problem = format!("{:?} is no transcript: `dirty golden list` lists them", known.transcript);
        return fault(&at.join("transcript"), problem);
    };
    if known.reason.trim().is_empty() {
        return fault(&at.join("reason"), "nothing: expected why the failure is accepted");
    }
    match &known.requirement {
        Some(id) if !transcript.proves.contains(id) => {
            let proves = transcript.proves.join(", ");
            fault(&at.join("requirement"), format!("{id:?} is not proved by it: expected one of {proves}"))
        }
        _ => Ok(known),
    }
}
