//! What is embedded in the crate: golden transcripts, schemas, and the registry of requirements.

use std::path::Path;

use super::fields::FileError;
use super::transcript::Transcript;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// The registry of requirements, as it stands in `spec/requirements.json`.
pub static REQUIREMENTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/spec/requirements.json"));

/// All files of `golden/`: their paths in it, and their text.
pub fn golden_files() -> &'static [(&'static str, &'static str)] {
    embedded::GOLDEN
}

/// The schemas: their names (the path in `schemas/` without `.schema.json` or `.json`), and their text.
pub fn schemas() -> impl Iterator<Item = (&'static str, &'static str)> {
    embedded::SCHEMAS.iter().filter_map(|(path, text)| {
        let name = path.strip_suffix(".schema.json").or_else(|| path.strip_suffix(".json"))?;
        Some((name, *text))
    })
}

/// The embedded transcripts: their ids, and their text.
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = embedded::GOLDEN.iter();
    files.filter_map(|(path, text)| Some((path.strip_suffix(".json").filter(|id| id.contains('/'))?, *text)))
}

/// All embedded transcripts, by id.
///
/// # Errors
/// [`FileError`] when one breaks the format, which a test of this crate rules out.
pub fn transcripts() -> Result<Vec<Transcript>, FileError> {
    texts().map(|(id, text)| Transcript::parse(id, text.as_bytes())).collect()
}

/// The transcript that `name` names: a file, or the id of an embedded one.
///
/// # Errors
/// [`FileError`]: there is no such file or id, or it breaks the format.
pub fn load(name: &str) -> Result<Transcript, FileError> {
    if let Some((id, text)) = texts().find(|(id, _)| *id == name) {
        return Transcript::parse(id, text.as_bytes());
    }
    let failed = |problem: String| FileError { file: name.to_string(), pointer: None, place: None, problem };
    match std::fs::read(Path::new(name)) {
        Ok(text) => Transcript::parse(name, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let similar = similar(name);
            let hint = similar.map_or_else(String::new, |id| format!("; did you mean {id}?"));
            Err(failed(format!("neither a file nor the id of a transcript{hint}")))
        }
        Err(error) => Err(failed(format!("cannot be read: {error}"))),
    }
}

/// The embedded id that looks most like `name`, if one does at all.
pub(crate) fn similar(name: &str) -> Option<&'static str> {
    let last = name.trim_end_matches(".json").rsplit('/').next().filter(|last| !last.is_empty())?;
    let find = |fits: &dyn Fn(&str) -> bool| texts().map(|(id, _)| id).find(|id| fits(id));
    find(&|id| id.ends_with(last)).or_else(|| find(&|id| id.contains(last)))
}

/// Whether `id` fits `pattern`, in which `*` stands for any characters.
pub fn fits(pattern: &str, id: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == id };
    let Some(mut left) = id.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}
