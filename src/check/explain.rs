//! Bytes, field by field: what each is, where, and which requirement speaks of it (`dirty explain`).
//!
//! Names and meanings are those of the normative schema, whose descriptions name the requirements.

use std::fmt::Write as _;

use super::blame;
use super::corpus;
use super::requirements::{Requirement, Requirements};
use super::trace_file::hex;
use super::value::{Value, excerpt};
use crate::wire::{HEADER_LEN, Limits, Members, scan};

/// How much of a value is shown, in bytes.
const SHOWN: usize = 60;

/// Explains bytes.
#[derive(Debug)]
pub struct Explainer {
    schema: Value,
    requirements: Option<Requirements>,
}

impl Default for Explainer {
    fn default() -> Self {
        Explainer::new()
    }
}

impl Explainer {
    /// With the embedded schema and requirements.
    pub fn new() -> Explainer {
        let schema = corpus::schemas().find(|(name, _)| *name == "dirty-v1");
        // Tests of this crate rule out that either cannot be read.
        let schema = schema.and_then(|(_, text)| Value::parse(text.as_bytes()).ok()).unwrap_or(Value::Null);
        Explainer { schema, requirements: Requirements::embedded().ok() }
    }

    /// The frames in `bytes`, and what is left: each line has the offset in `bytes`, the field, its value, and its meaning.
    pub fn frames(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let Some((header, payload)) = rest.split_first_chunk::<HEADER_LEN>() else {
                let count = rest.len();
                self.fault(
                    &mut text,
                    &format!("{at:>6}  {}  a header cut short: {count} of 4 bytes", hex(rest)),
                    "FRAME-9",
                );
                break;
            };
            let length = u32::from_be_bytes(*header);
            let _ = writeln!(text, "{at:>6}  {}  length: {length} bytes of payload (FRAME-1)", hex(header));
            if length == 0 || length > Limits::DEFAULT_MAX_PAYLOAD {
                let limit = Limits::DEFAULT_MAX_PAYLOAD;
                self.fault(&mut text, &format!("{at:>6}  no legal length: expected 1 to {limit}"), "FRAME-3");
                break;
            }
            let whole = payload.len().min(length as usize);
            if whole < length as usize {
                let shown = excerpt(&String::from_utf8_lossy(&payload[..whole]), SHOWN);
                let _ = writeln!(text, "{:>6}  {shown}", at + HEADER_LEN);
                let cut =
                    format!("{:>6}  the payload is cut short: got {whole} of {length} bytes", bytes.len());
                self.fault(&mut text, &cut, "FRAME-9");
                break;
            }
            text.push_str(&self.message(&payload[..whole], at + HEADER_LEN));
            at += HEADER_LEN + whole;
        }
        text
    }

    /// One payload, which begins at byte `base`.
    pub fn message(&self, payload: &[u8], base: usize) -> String {
        let mut text = String::new();
        let limits = Limits { max_depth: usize::MAX, allow_non_finite: true, ..Limits::default() };
        let mut members = Vec::new();
        if let Err(error) = Members::read(payload, &limits).and_then(|_| scan(payload, |it| members.push(it)))
        {
            let place = base + error.offset().unwrap_or_default();
            self.fault(&mut text, &format!("{place:>6}  {error}"), error.requirement());
            return text;
        }
        let kind = members.iter().find(|member| member.key == "type");
        let kind = kind.map(|member| member.value.trim_matches('"').to_string()).unwrap_or_default();
        let definition = self.definition(&kind);
        let described = definition.and_then(|it| it.get("description")).and_then(Value::as_str);
        let _ = writeln!(text, "{base:>6}  {}", described.unwrap_or("a message of no known type (MSG-11)"));
        for member in &members {
            let meaning = definition
                .and_then(|it| it.get("properties")?.get(&member.key)?.get("description")?.as_str())
                .unwrap_or("not described: a receiver ignores it (MSG-3)");
            let (place, shown) = (base + member.offset, excerpt(member.value, SHOWN));
            let _ = writeln!(text, "{place:>6}  /{} = {shown}\n            {meaning}", member.key);
            if let Some(rule) = self.rule_in(meaning) {
                let _ = writeln!(text, "            {rule}");
            }
        }
        if let Err(fault) = blame::check_shape(payload) {
            self.fault(&mut text, &format!("{base:>6}  {}", fault.problem), &fault.requirement);
        }
        text
    }

    /// The members of one payload, a line each: with its value, the requirement that speaks of it, and a mark at the one that
    /// holds the place `pointer`. Nothing when the payload is no message.
    pub fn fields(&self, payload: &[u8], pointer: &str) -> String {
        let mut members = Vec::new();
        if scan(payload, |it| members.push(it)).is_err() {
            return String::new();
        }
        let kind = members.iter().find(|member| member.key == "type");
        let kind = kind.map(|member| member.value.trim_matches('"').to_string()).unwrap_or_default();
        let properties = self.definition(&kind).and_then(|it| it.get("properties"));
        let mut text = String::new();
        for member in &members {
            let described = properties.and_then(|it| it.get(&member.key)?.get("description")?.as_str());
            let rule = match described {
                Some(described) => self.named_in(described).map(|it| it.id.as_str()).unwrap_or_default(),
                None => "MSG-3",
            };
            let rest = pointer.strip_prefix('/').and_then(|it| it.strip_prefix(member.key.as_ref()));
            let is_at_fault = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let mark = if is_at_fault { '>' } else { ' ' };
            let field = format!("/{} = {}", member.key, excerpt(member.value, SHOWN));
            let _ = writeln!(text, "{mark} {field:<72} {rule}");
        }
        text
    }

    fn definition(&self, kind: &str) -> Option<&Value> {
        let definitions = self.schema.get("$defs")?.as_object()?.values();
        definitions.into_iter().find(|it| {
            let tag = it.get("properties").and_then(|it| it.get("type")?.get("const")?.as_str());
            tag == Some(kind)
        })
    }

    /// The first requirement that a description names, with its text.
    fn rule_in(&self, description: &str) -> Option<String> {
        let requirement = self.named_in(description)?;
        Some(format!("{}: {}", requirement.id, requirement.text))
    }

    /// The first requirement that a description names.
    fn named_in(&self, description: &str) -> Option<&Requirement> {
        let words = description.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words.into_iter().find_map(|word| self.requirements.as_ref()?.get(word))
    }

    fn fault(&self, text: &mut String, problem: &str, requirement: &str) {
        let _ = writeln!(text, "WRONG {problem}");
        if let Some(rule) = self.rule_in(requirement) {
            let _ = writeln!(text, "            {rule}");
        }
    }
}
