//! Strict reading of the kit's own JSON files: every member has a place, and every fault says where it is.

use std::fmt;

use super::template::TemplateError;
use super::value::{Object, Pointer, Value, ValueError};

/// A file of the kit that breaks the rules of its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// The file, or the id of an embedded one.
    pub file: String,
    /// Where in the document, when it could be parsed.
    pub pointer: Option<Pointer>,
    /// Line and column of a fault in the text, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(pointer) = &self.pointer {
            if let Some(step) = pointer.step() {
                write!(f, ": step {step}")?;
            }
            write!(f, ": {pointer}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl FileError {
    /// The fault of a text that could not be parsed.
    pub(crate) fn from_text(file: &str, text: &[u8], error: &ValueError) -> FileError {
        let place = error.offset().map(|offset| place(text, offset));
        FileError { file: file.to_string(), pointer: None, place, problem: error.to_string() }
    }
}

/// Line and column, from 1, of a byte offset. Columns count characters.
pub fn place(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

/// A fault at a place in a document; the file's name is added on the way out.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) pointer: Pointer,
    pub(super) problem: String,
}

pub(super) type Read<T> = Result<T, Fault>;

pub(super) fn fault<T>(pointer: &Pointer, problem: impl Into<String>) -> Read<T> {
    Err(Fault { pointer: pointer.clone(), problem: problem.into() })
}

impl From<TemplateError> for Fault {
    fn from(error: TemplateError) -> Fault {
        Fault { pointer: error.pointer, problem: error.problem }
    }
}

impl Fault {
    pub(super) fn of(self, file: &str) -> FileError {
        FileError { file: file.to_string(), pointer: Some(self.pointer), place: None, problem: self.problem }
    }
}

/// The members of one object, each to be taken once.
pub(super) struct Fields<'a> {
    members: &'a Object,
    at: Pointer,
    taken: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Value, at: &Pointer) -> Read<Fields<'a>> {
        match value.as_object() {
            Some(members) => Ok(Fields { members, at: at.clone(), taken: Vec::new() }),
            None => fault(at, format!("{}: expected an object", value.kind())),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub(super) fn at(&self, name: &str) -> Pointer {
        self.at.join(name)
    }

    /// The member, when it is there.
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.taken.push(name);
        self.members.get(name)
    }

    pub(super) fn required(&mut self, name: &'static str) -> Read<&'a Value> {
        let at = &self.at.clone();
        self.get(name).map_or_else(|| fault(at, format!("no member {name:?}: expected one")), Ok)
    }

    pub(super) fn string(&mut self, name: &'static str) -> Read<Option<String>> {
        let at = self.at(name);
        self.get(name).map(|value| text(value, &at)).transpose()
    }

    pub(super) fn required_string(&mut self, name: &'static str) -> Read<String> {
        let at = self.at(name);
        text(self.required(name)?, &at)
    }

    pub(super) fn number(&mut self, name: &'static str) -> Read<Option<u64>> {
        let at = self.at(name);
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => fault(&at, format!("{}: expected an integer from 0", value.excerpt(40))),
        }
    }

    pub(super) fn truth(&mut self, name: &'static str) -> Read<Option<bool>> {
        let at = self.at(name);
        let Some(value) = self.get(name) else { return Ok(None) };
        value
            .as_bool()
            .map_or_else(|| fault(&at, format!("{}: expected true or false", value.kind())), |b| Ok(Some(b)))
    }

    /// The items of an array member, each read by `read`; nothing when the member is absent.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&'a Value, &Pointer) -> Read<T>,
    ) -> Read<Vec<T>> {
        let at = self.at(name);
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let Some(items) = value.as_array() else {
            return fault(&at, format!("{}: expected an array", value.kind()));
        };
        items.iter().enumerate().map(|(index, item)| read(item, &at.join(index))).collect()
    }

    /// Refuses members that nobody took.
    pub(super) fn finish(self) -> Read<()> {
        for name in self.members.keys() {
            let name = name.lossy();
            if !self.taken.iter().any(|taken| *taken == name) {
                let known = self.taken.join(", ");
                return fault(&self.at.join(&name), format!("unknown member: expected one of {known}"));
            }
        }
        Ok(())
    }
}

pub(super) fn text(value: &Value, at: &Pointer) -> Read<String> {
    match value.as_str() {
        Some(text) => Ok(text.to_string()),
        None => fault(at, format!("{}: expected a string", value.kind())),
    }
}
