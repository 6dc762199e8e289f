//! The house rules of transcripts, beyond what a reader demands: layout, claims, ids, proofs, variables.

use std::collections::BTreeMap;
use std::path::Path;

use super::blame;
use super::corpus;
use super::fields::place;
use super::layout::canonical;
use super::requirements::Requirements;
use super::template::{Bindings, Template};
use super::transcript::{Level, Step, Transcript};
use super::validate::{Excerpt, excerpt};
use super::value::Value;

/// Words that say what ought to be. A claim says what is.
const MODAL_VERBS: [&str; 12] = [
    "must",
    "mustn't",
    "should",
    "shouldn't",
    "shall",
    "may",
    "can",
    "cannot",
    "could",
    "might",
    "ought",
    "would",
];

/// How a title begins that its author has yet to write.
pub const UNWRITTEN: &str = "TO WRITE:";

/// Something that breaks a house rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// What is wrong, and what was expected.
    pub problem: String,
    /// Where.
    pub place: Excerpt,
}

/// Judges transcripts, one after the other; some rules are about all of them together.
#[derive(Debug)]
pub struct Linter {
    requirements: Option<Requirements>,
    retired: Vec<String>,
    /// Which file has an id, and which a title.
    ids: BTreeMap<String, String>,
    titles: BTreeMap<String, String>,
}

impl Default for Linter {
    fn default() -> Self {
        Linter::new()
    }
}

impl Linter {
    /// A linter that knows the embedded requirements and the retired ids.
    pub fn new() -> Linter {
        let retired = corpus::golden_files().iter().find(|(path, _)| *path == "retired.json");
        let retired = retired.and_then(|(_, text)| Value::parse(text.as_bytes()).ok());
        let retired = retired.as_ref().and_then(Value::as_array).unwrap_or_default();
        Linter {
            // A test of this crate rules out that the embedded registry cannot be read.
            requirements: Requirements::embedded().ok(),
            retired: retired.iter().filter_map(Value::as_str).map(str::to_string).collect(),
            ids: BTreeMap::new(),
            titles: BTreeMap::new(),
        }
    }

    /// Judges one transcript, which was read from `file`.
    pub fn lint(&mut self, file: &str, text: &[u8], found: &mut dyn FnMut(Fault)) {
        let mut report = |offset: usize, problem: String| {
            let place = excerpt(text, offset, 1);
            found(Fault { file: file.to_string(), problem, place });
        };
        let value = match Value::parse(text) {
            Ok(value) => value,
            Err(error) => return report(error.offset().unwrap_or_default(), error.to_string()),
        };
        let transcript = match Transcript::parse(file, text) {
            Ok(transcript) => transcript,
            Err(error) => {
                let pointer = error.pointer.as_ref().map(|pointer| pointer.as_str()).unwrap_or_default();
                return report(offset_of(text, pointer), format!("{}{}", at(pointer), error.problem));
            }
        };
        let mut member = |pointer: &str, problem: String| {
            report(offset_of(text, pointer), format!("{}{problem}", at(pointer)));
        };
        if transcript.level.is_none() {
            member("", format!("no level: expected one of {}", Level::ALL.map(Level::name).join(", ")));
        }
        self.id(file, &transcript, &mut member);
        self.title(file, &transcript, &mut member);
        self.proves(&transcript, &mut member);
        variables(&transcript, &mut member);
        shapes(&transcript, &mut member);
        let wanted = canonical(&value);
        if let Some(offset) = first_difference(wanted.as_bytes(), text) {
            report(offset, "not the canonical layout: `dirty lint --fix` writes it".to_string());
        }
    }

    fn id(&mut self, file: &str, transcript: &Transcript, report: &mut dyn FnMut(&str, String)) {
        let id = &transcript.id;
        if self.retired.contains(id) {
            report(
                "/id",
                format!("{id:?} is retired (golden/retired.json): expected an id never used before"),
            );
        }
        let path = Path::new(file).with_extension("");
        let tail: Vec<String> =
            path.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
        if let [name, area] = &tail[..]
            && format!("{area}/{name}") != *id
        {
            report("/id", format!("{id:?}: expected the file's own place, {:?}", format!("{area}/{name}")));
        }
        if let Some(other) = self.ids.insert(id.clone(), file.to_string()) {
            report("/id", format!("{id:?} is that of {other}: expected an id never used before"));
        }
    }

    fn title(&mut self, file: &str, transcript: &Transcript, report: &mut dyn FnMut(&str, String)) {
        let title = &transcript.title;
        if title.starts_with(UNWRITTEN) {
            return report("/title", "to be written: expected the claim, in one sentence".to_string());
        }
        let words = title.split(|c: char| !c.is_alphabetic() && c != '\'').map(str::to_lowercase);
        if let Some(word) = words.into_iter().find(|word| MODAL_VERBS.contains(&word.as_str())) {
            report("/title", format!("the modal verb {word:?}: expected a claim, which says what is"));
        }
        if title.len() < 10 || !title.ends_with('.') || title.trim() != title {
            report("/title", "expected one sentence, with a full stop".to_string());
        }
        if let Some(other) = self.titles.insert(title.clone(), file.to_string()) {
            report("/title", format!("the same as in {other}: expected a claim of its own"));
        }
    }

    fn proves(&self, transcript: &Transcript, report: &mut dyn FnMut(&str, String)) {
        for (index, id) in transcript.proves.iter().enumerate() {
            let at = format!("/proves/{index}");
            if transcript.proves[..index].contains(id) {
                report(&at, format!("{id} a second time: expected each once"));
            }
            let Some(requirements) = &self.requirements else { continue };
            match requirements.get(id) {
                None => {
                    report(&at, format!("{id} is no requirement: expected an id of spec/requirements.json"))
                }
                Some(it) if it.untestable.is_some() => {
                    report(&at, format!("{id} is said to be untestable: expected one that can be shown"));
                }
                Some(it) if !transcript.roles.iter().any(|role| it.roles.contains(role)) => {
                    let bound: Vec<&str> = it.roles.iter().map(|role| role.as_str()).collect();
                    let bound = bound.join(", ");
                    report(&at, format!("{id} binds {bound}: expected a requirement of one of `roles`"));
                }
                Some(_) => {}
            }
        }
    }
}

/// That each variable is bound before it is sent is a rule of the reader.
fn variables(transcript: &Transcript, report: &mut dyn FnMut(&str, String)) {
    let used: Vec<&str> =
        transcript.steps.iter().flat_map(Step::templates).flat_map(Template::variables).collect();
    for name in transcript.vars.keys() {
        if !used.contains(&name.as_str()) {
            report("/vars", format!("variable {name:?} is used nowhere: expected a step that does"));
        }
    }
}

/// Only a transcript that says `malformed` has messages that break the schema, and it does have one.
fn shapes(transcript: &Transcript, report: &mut dyn FnMut(&str, String)) {
    // Bound in the order of the file; a name without a value gets one of its own.
    let mut vars = transcript.vars.clone();
    for name in transcript.steps.iter().flat_map(Step::templates).flat_map(Template::variables) {
        vars.entry(name.to_string()).or_insert_with(|| Value::string(name));
    }
    let mut bindings = Bindings::new();
    let mut broken = false;
    for (index, step) in transcript.steps.iter().enumerate().filter(|(_, step)| step.from().is_some()) {
        for template in step.templates() {
            // Every variable has a value: see above.
            let Ok(message) = template.render(&mut bindings, &vars) else { continue };
            let Err(fault) = blame::check_shape(message.to_string().as_bytes()) else { continue };
            broken = true;
            if !transcript.malformed {
                let problem = format!("{} ({})", fault.problem, fault.requirement);
                report(&format!("/steps/{index}"), format!("{problem}; expected `malformed` to announce it"));
            }
        }
    }
    if transcript.malformed && !broken {
        report("/malformed", "no message breaks the schema: expected it to be left out".to_string());
    }
}

/// How a pointer stands before a problem.
fn at(pointer: &str) -> String {
    let index =
        pointer.strip_prefix("/steps/").and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
    match index {
        _ if pointer.is_empty() => String::new(),
        Some(index) => format!("step {}: {pointer}: ", index + 1),
        None => format!("{pointer}: "),
    }
}

/// Where two texts part.
fn first_difference(wanted: &[u8], got: &[u8]) -> Option<usize> {
    if wanted == got {
        return None;
    }
    let same = wanted.iter().zip(got).take_while(|(a, b)| a == b).count();
    Some(same.min(got.len().saturating_sub(1)))
}

/// The byte at which the value that `pointer` names begins in a legal JSON text; that of the last part that is there.
pub(super) fn offset_of(text: &[u8], pointer: &str) -> usize {
    let mut at = skip_space(text, 0);
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        match inside(text, at, &token) {
            Some(found) => at = found,
            None => return at,
        }
    }
    at
}

/// Where the member or item `token` of the container at `start` begins.
fn inside(text: &[u8], start: usize, token: &str) -> Option<usize> {
    let is_object = *text.get(start)? == b'{';
    if !is_object && text[start] != b'[' {
        return None;
    }
    let mut at = skip_space(text, start + 1);
    let mut index = 0usize;
    while !matches!(text.get(at)?, b']' | b'}') {
        let mut here = index.to_string() == token && !is_object;
        if is_object {
            let end = skip_value(text, at);
            let name = std::str::from_utf8(&text[at..end]).ok()?;
            here = crate::wire::unescape(name).is_ok_and(|name| name == token);
            at = skip_space(text, skip_space(text, end) + 1);
        }
        if here {
            return Some(at);
        }
        at = skip_space(text, skip_value(text, at));
        if text.get(at) == Some(&b',') {
            at = skip_space(text, at + 1);
        }
        index += 1;
    }
    None
}

fn skip_space(text: &[u8], at: usize) -> usize {
    at + text[at.min(text.len())..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Behind the value that begins at `at`, without recursion.
fn skip_value(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = text.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        let ended = matches!(byte, b'"' | b'}' | b']');
        if depth == 0 && ended {
            return at;
        }
    }
    at.min(text.len())
}

/// The canonical text of a transcript.
///
/// # Errors
/// Line, column and problem, when the text is not JSON.
pub fn fixed(text: &[u8]) -> Result<String, (usize, usize, String)> {
    Value::parse(text).map(|value| canonical(&value)).map_err(|error| {
        let (line, column) = place(text, error.offset().unwrap_or_default());
        (line, column, error.to_string())
    })
}
