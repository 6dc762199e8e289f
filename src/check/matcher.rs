//! Matching: is this message what the template asks for, and what do its variables hold?

use indexmap::IndexMap;

use super::template::{Bindings, Template};
use super::value::{Object, Pointer, Text, Value};

/// Where a value departs from a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {pointer}: wanted {wanted}, got {got}")]
pub struct Mismatch {
    /// Where in the value.
    pub pointer: Pointer,
    /// What the template accepts there.
    pub wanted: String,
    /// What stood there.
    pub got: String,
}

/// Matches a message: its envelope is open, everything below exact. Binds variables only when it matches.
///
/// # Errors
/// The first [`Mismatch`], in the order of the template.
pub fn match_message(want: &Template, got: &Value, bindings: &mut Bindings) -> Result<(), Mismatch> {
    let mut trial = bindings.clone();
    match (want, got) {
        (Template::Object { members: wanted, .. }, Value::Object(got)) => {
            members(wanted, true, got, &Pointer::default(), &mut trial)?;
        }
        _ => matches(want, got, &Pointer::default(), &mut trial)?,
    }
    *bindings = trial;
    Ok(())
}

/// Matches a value that has no envelope, such as what a client returns. Binds variables only when it matches.
///
/// # Errors
/// The first [`Mismatch`], in the order of the template.
pub fn match_value(want: &Template, got: &Value, bindings: &mut Bindings) -> Result<(), Mismatch> {
    let mut trial = bindings.clone();
    matches(want, got, &Pointer::default(), &mut trial)?;
    *bindings = trial;
    Ok(())
}

fn matches(want: &Template, got: &Value, at: &Pointer, bindings: &mut Bindings) -> Result<(), Mismatch> {
    let miss = || Err(mismatch(at, want.describe(), got));
    match (want, got) {
        (Template::Any(_), _) => Ok(()),
        (Template::Optional(inner), _) => matches(inner, got, at, bindings),
        (Template::Like(example), _) => {
            if like(example, got) {
                Ok(())
            } else {
                miss()
            }
        }
        (Template::Exact(value), _) => {
            if value == got {
                Ok(())
            } else {
                miss()
            }
        }
        (Template::Var(name), _) => variable(name, got, at, bindings),
        (Template::Array(wanted), Value::Array(items)) => {
            for (index, (want, item)) in wanted.iter().zip(items).enumerate() {
                matches(want, item, &at.join(index), bindings)?;
            }
            if let Some(extra) = items.get(wanted.len()) {
                return Err(mismatch(
                    &at.join(wanted.len()),
                    format!("the end of {} items", wanted.len()),
                    extra,
                ));
            }
            if let Some(missing) = wanted.get(items.len()) {
                return Err(absent(&at.join(items.len()), missing));
            }
            Ok(())
        }
        (Template::Object { members: wanted, open }, Value::Object(got)) => {
            members(wanted, *open, got, at, bindings)
        }
        _ => miss(),
    }
}

fn members(
    wanted: &IndexMap<Text, Template>,
    open: bool,
    got: &Object,
    at: &Pointer,
    bindings: &mut Bindings,
) -> Result<(), Mismatch> {
    for (name, want) in wanted {
        match (got.get(name), want) {
            (Some(value), _) => matches(want, value, &at.join(name.lossy()), bindings)?,
            (None, Template::Optional(_)) => {}
            (None, _) => return Err(absent(&at.join(name.lossy()), want)),
        }
    }
    match got.iter().find(|(name, _)| !open && !wanted.contains_key(*name)) {
        Some((name, value)) => Err(mismatch(&at.join(name.lossy()), "no such member".to_string(), value)),
        None => Ok(()),
    }
}

fn variable(name: &str, got: &Value, at: &Pointer, bindings: &mut Bindings) -> Result<(), Mismatch> {
    if let Some(bound) = bindings.get(name) {
        if bound == got {
            return Ok(());
        }
        return Err(mismatch(at, format!("{} (${name})", bound.excerpt(200)), got));
    }
    if let Some((other, _)) = bindings.iter().find(|(_, bound)| *bound == got) {
        return Err(mismatch(at, format!("a value of its own for ${name}, not that of ${other}"), got));
    }
    bindings.insert(name.to_string(), got.clone());
    Ok(())
}

/// Whether `got` has the JSON type of the example.
fn like(example: &Template, got: &Value) -> bool {
    match example {
        Template::Exact(value) => value.same_kind(got),
        Template::Array(_) => matches!(got, Value::Array(_)),
        Template::Object { .. } => matches!(got, Value::Object(_)),
        Template::Var(_) => true,
        Template::Any(inner) | Template::Like(inner) | Template::Optional(inner) => like(inner, got),
    }
}

fn mismatch(at: &Pointer, wanted: String, got: &Value) -> Mismatch {
    Mismatch { pointer: at.clone(), wanted, got: got.excerpt(200) }
}

fn absent(at: &Pointer, want: &Template) -> Mismatch {
    Mismatch { pointer: at.clone(), wanted: want.describe(), got: "nothing".to_string() }
}
