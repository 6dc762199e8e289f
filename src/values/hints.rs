//! The hints of one value, arranged as the value is.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ValueError, push_token};
use crate::message::{Hint, Hints};

/// The hints at and below one place.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// What the string here stands for.
    pub here: Option<Hint>,
    /// The hints below the members or items with these names.
    below: BTreeMap<String, Node>,
}

impl Node {
    /// The hints that lead to the value at the JSON Pointer `at`, or to something inside it.
    pub fn collect(hints: &Hints, at: &str) -> Node {
        let mut root = Node::default();
        for (pointer, hint) in hints {
            let Some(rest) = pointer.strip_prefix(at) else { continue };
            if !rest.is_empty() && !rest.starts_with('/') {
                continue;
            }
            // What stands before the first slash is empty and names nothing.
            let tokens = rest.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"));
            let node = tokens.fold(&mut root, |node, name| node.below.entry(name).or_default());
            node.here = Some(*hint);
        }
        root
    }

    /// The hints at and below a member or item of this value.
    pub fn below(&self, name: &str) -> Option<&Node> {
        self.below.get(name)
    }

    /// Whether there is any hint.
    pub fn is_empty(&self) -> bool {
        self.here.is_none() && self.below.is_empty()
    }

    /// Checks that every hint names a string of `text`, whether or not it will be read (VAL-5).
    pub fn check(&self, text: &str, at: &str) -> Result<(), ValueError> {
        if self.is_empty() {
            return Ok(());
        }
        let pointer = RefCell::new(at.to_owned());
        let check = Check { node: self, pointer: &pointer };
        let checked = check.deserialize(&mut serde_json::Deserializer::from_str(text));
        checked.map_err(|error| ValueError { pointer: pointer.into_inner(), problem: plain(&error) })
    }
}

/// The text of a serde_json error without the position, which would be one inside the payload.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// Walks a value along the hints; everything beside them is skipped.
struct Check<'n> {
    node: &'n Node,
    /// The place of this value; after an error, of the hint that is wrong.
    pointer: &'n RefCell<String>,
}

impl Check<'_> {
    fn none<E: Error>(&self) -> E {
        if self.node.here.is_some() {
            return E::custom("a hint names something that is not a string (VAL-5)");
        }
        if let Some(name) = self.node.below.keys().next() {
            push_token(&mut self.pointer.borrow_mut(), name);
        }
        E::custom("a hint names nothing (VAL-5)")
    }

    /// Runs `check` on what is below `name`, if there are hints.
    fn below<E>(&self, name: &str, check: impl FnOnce(Option<Check<'_>>) -> Result<(), E>) -> Result<(), E> {
        let Some(node) = self.node.below(name) else { return check(None) };
        let here = self.pointer.borrow().len();
        push_token(&mut self.pointer.borrow_mut(), name);
        check(Some(Check { node, pointer: self.pointer }))?;
        self.pointer.borrow_mut().truncate(here);
        Ok(())
    }

    /// Checks that every name below which there are hints has been `seen`.
    fn complete<E: Error>(&self, seen: &[String]) -> Result<(), E> {
        let Some(missing) = self.node.below.keys().find(|name| !seen.contains(name)) else { return Ok(()) };
        push_token(&mut self.pointer.borrow_mut(), missing);
        Err(E::custom("a hint names nothing (VAL-5)"))
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! not_strings {
    ($($function:ident($($type:ty)?)),*) => {$(
        fn $function<E: Error>(self $(, _: $type)?) -> Result<(), E> {
            Err(self.none())
        }
    )*};
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value that its hints describe")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        if self.node.below.is_empty() { Ok(()) } else { Err(self.none()) }
    }

    not_strings!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_unit());

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.node.here.is_some() {
            return Err(self.none());
        }
        let mut seen = Vec::new();
        for index in 0.. {
            let name = index.to_string();
            let mut more = true;
            self.below(&name, |check| {
                let item = match check {
                    Some(check) => items.next_element_seed(check)?,
                    None => items.next_element::<IgnoredAny>()?.map(|_| ()),
                };
                more = item.is_some();
                Ok(())
            })?;
            if !more {
                break;
            }
            if self.node.below(&name).is_some() {
                seen.push(name);
            }
        }
        self.complete(&seen)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        if self.node.here.is_some() {
            return Err(self.none());
        }
        let mut seen = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            self.below(&name, |check| match check {
                Some(check) => members.next_value_seed(check),
                None => members.next_value::<IgnoredAny>().map(|_| ()),
            })?;
            if self.node.below(&name).is_some() {
                seen.push(name);
            }
        }
        self.complete(&seen)
    }
}
