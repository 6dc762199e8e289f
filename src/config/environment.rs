//! The environment variables `DIRTY_*`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::error::ConfigError;
use super::layer::Assignment;
use super::origin::Origin;
use super::setting::{Key, SETTINGS};
use super::suggest::nearest;

/// How the variables begin.
const PREFIX: &str = "DIRTY_";
/// The variable that names the configuration file.
pub(super) const CONFIG: &str = "DIRTY_CONFIG";
/// Set by an arbiter for its workers (WORK-1), and by nobody else.
const WORKER_SOCKET: &str = "DIRTY_WORKER_SOCKET";
/// The worker contract's other variable that is no setting.
const WORKER_ID: &str = "DIRTY_WORKER_ID";

/// The environment, read once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The settings that it sets.
    pub values: Vec<Assignment>,
    /// What cannot be read.
    pub errors: Vec<ConfigError>,
    /// What is odd.
    pub warnings: Vec<String>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Environment {
        // Names that are not UTF-8 are none of ours.
        let variables = std::env::vars_os();
        Environment(variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
    }

    /// The value of a variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<OsString> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Whether this process was started by a worker: then the variables of the worker contract speak to the worker, and
    /// not to an arbiter that it starts (LIFE-11).
    fn is_inside_worker(&self) -> bool {
        self.get(WORKER_SOCKET).is_some()
    }

    /// Reads every setting.
    pub(super) fn read(&self) -> Read {
        let mut read = Read::default();
        let mut not_ours = Vec::new();
        for setting in SETTINGS {
            let variable = setting.variable();
            let Some(text) = self.get(&variable) else { continue };
            if self.is_inside_worker() && is_of_worker_contract(setting.key) {
                not_ours.push(variable);
                continue;
            }
            let value = match text.to_str() {
                Some(text) => setting.kind.read_text(text),
                None => Err("expected UTF-8 text, found bytes that are none".to_owned()),
            };
            match value {
                Ok(value) => {
                    read.values.push(Assignment { setting, value, origin: Origin::Variable(variable) });
                }
                Err(problem) => {
                    let setting = Some(setting.path());
                    read.errors.push(ConfigError { place: variable, setting, problem });
                }
            }
        }
        if !not_ours.is_empty() {
            let names = not_ours.join(", ");
            read.warnings
                .push(format!("{names}: not used, they are for the worker that this arbiter is started in"));
        }
        read.warnings.extend(self.slips());
        read
    }

    /// Variables that are nearly settings.
    fn slips(&self) -> impl Iterator<Item = String> {
        let known: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
        let others = [CONFIG, WORKER_SOCKET, WORKER_ID];
        self.0.keys().filter_map(move |name| {
            if !name.starts_with(PREFIX) || known.contains(name) || others.contains(&name.as_str()) {
                return None;
            }
            let near = nearest(name, known.iter().map(String::as_str).chain([CONFIG]))?;
            Some(format!("{name}: no setting has this name; did you mean {near}?"))
        })
    }
}

/// Whether a worker is told this by the variable of the same name (WORK-1, LIFE-19).
fn is_of_worker_contract(key: Key) -> bool {
    matches!(key, Key::Apps | Key::Threads | Key::Timeout | Key::MaxFrame | Key::MaxDepth | Key::HooksFile)
}

#[cfg(test)]
impl FromIterator<(&'static str, &'static str)> for Environment {
    fn from_iter<T: IntoIterator<Item = (&'static str, &'static str)>>(variables: T) -> Self {
        Environment(variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}
