//! Whether hints fit a value.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ValueError;
use super::hints::Node;
use super::meaning::Meaning;

/// What is wrong with a hint that leads nowhere.
pub(crate) const NAMES_NOTHING: &str = "a hint names nothing (VAL-5)";

impl Node<'_> {
    /// Checks that every hint names a string of `value`, and one that is what the hint says, whether or not it will
    /// be read (VAL-5).
    ///
    /// # Errors
    /// [`ValueError`] with the pointer of a hint that does not fit, or that leads deeper than `serde_json` goes.
    pub fn check(&self, value: &RawValue) -> Result<(), ValueError> {
        let wrong = Cell::new(self.first());
        let check = Check { node: *self, wrong: &wrong };
        let checked = check.deserialize(&mut serde_json::Deserializer::from_str(value.get()));
        checked.map_err(|error| ValueError { pointer: wrong.get().to_owned(), problem: plain(&error) })
    }
}

/// The text of a serde_json error without the position, which would be one inside the payload.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// Walks a value along the hints; everything beside them is skipped.
struct Check<'c, 't> {
    node: Node<'t>,
    /// After an error, the pointer of the hint that is wrong.
    wrong: &'c Cell<&'t str>,
}

impl<'c, 't> Check<'c, 't> {
    /// The check of what is below `name`, if there are hints.
    fn below(&self, name: &str) -> Option<Check<'c, 't>> {
        let node = self.node.below(name)?;
        self.wrong.set(node.first());
        Some(Check { node, wrong: self.wrong })
    }

    /// That a hint, if not for this value, would have to be for one below.
    fn misled<E: Error>(&self) -> E {
        self.wrong.set(self.node.first());
        match self.node.here() {
            Some(_) => E::custom("a hint names something that is not a string (VAL-5)"),
            None => E::custom(NAMES_NOTHING),
        }
    }

    /// Refuses a hint for this very value, which is no string.
    fn not_here<E: Error>(&self) -> Result<(), E> {
        if self.node.here().is_some() { Err(self.misled()) } else { Ok(()) }
    }

    /// Checks that every way down on which there are hints is among those `seen`.
    fn complete<E: Error>(&self, seen: &BTreeSet<&str>) -> Result<(), E> {
        let Some(missing) = self.node.children().find(|child| !seen.contains(child.first())) else {
            return Ok(());
        };
        self.wrong.set(missing.first());
        Err(E::custom(NAMES_NOTHING))
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! not_strings {
    ($($function:ident($($type:ty)?)),*) => {$(
        fn $function<E: Error>(self $(, _: $type)?) -> Result<(), E> {
            Err(self.misled())
        }
    )*};
}

impl<'de> Visitor<'de> for Check<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value that its hints describe")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let Some(hint) = self.node.here() else { return Err(self.misled()) };
        // A string may be long: it is not quoted.
        Meaning::of(text, hint).map_err(|expected| E::custom(format_args!("expected {expected}")))?;
        self.complete(&BTreeSet::new())
    }

    not_strings!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_unit());

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.not_here()?;
        let mut seen = BTreeSet::new();
        for index in 0_usize.. {
            let item = match self.below(&index.to_string()) {
                Some(check) => {
                    let first = check.node.first();
                    let item = items.next_element_seed(check)?;
                    seen.extend(item.map(|()| first));
                    item
                }
                None => items.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if item.is_none() {
                break;
            }
        }
        self.complete(&seen)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.not_here()?;
        let mut seen = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            match self.below(&name) {
                Some(check) => {
                    seen.insert(check.node.first());
                    members.next_value_seed(check)?;
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.complete(&seen)
    }
}
