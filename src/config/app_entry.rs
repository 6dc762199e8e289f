//! One entry of `dirty_apps`.

use serde_json::json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::{Fault, Kind, found};
use super::suggest::did_you_mean;
use super::value::Value;
use crate::arbiter::core::{AppAllocation, OnDisconnect};

/// The most workers that an entry can ask for.
const MAX_WORKERS: u64 = 1_024;
const SPEC: &str = "\"module:Class\" or \"module:Class:N\" with N workers, N from 1 to 1024";
/// What an entry may be.
pub(super) const EXPECTED: &str = "\"module:Class\", \"module:Class:N\" with N workers, or a table like \
                                   { app = \"module:Class\", workers = 1, on_disconnect = \"cancel\" }";

/// An app, and what is said of it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppEntry {
    /// The app path that requests name.
    pub app_path: String,
    /// How many workers load it; `None` for all.
    pub workers: Option<usize>,
    /// What becomes of its requests when their client leaves; `None` for what holds for all apps.
    pub on_disconnect: Option<OnDisconnect>,
}

impl AppEntry {
    /// Reads `module:Class` or `module:Class:N`.
    pub fn from_spec(spec: &str) -> Result<AppEntry, String> {
        let wrong = || format!("expected {SPEC}, found {spec:?}");
        let AppAllocation { app_path, workers, .. } = spec.parse().map_err(|_| wrong())?;
        if spec.contains('\0') || workers.is_some_and(|workers| workers as u64 > MAX_WORKERS) {
            return Err(wrong());
        }
        Ok(AppEntry { app_path, workers, on_disconnect: None })
    }

    /// Reads an entry of the configuration file.
    pub(super) fn from_toml(entry: &Spanned<DeValue<'_>>) -> Result<AppEntry, Vec<Fault>> {
        let fault = |problem| vec![Fault { offset: entry.span().start, problem }];
        match entry.get_ref() {
            DeValue::String(spec) => Self::from_spec(spec).map_err(fault),
            DeValue::Table(table) => Self::from_table(table, entry.span().start),
            other => Err(fault(format!("expected {EXPECTED}, found {}", found(other)))),
        }
    }

    fn from_table(table: &DeTable<'_>, offset: usize) -> Result<AppEntry, Vec<Fault>> {
        let mut entry = AppEntry { app_path: String::new(), workers: None, on_disconnect: None };
        let mut faults = Vec::new();
        for (name, value) in table {
            let read = match name.get_ref().as_ref() {
                "app" => app_path(value).map(|path| entry.app_path = path),
                "workers" => Kind::Integer { min: 1, max: MAX_WORKERS }.read_toml(value).map(|read| {
                    if let Value::Integer(number) = read {
                        entry.workers = usize::try_from(number).ok();
                    }
                }),
                "on_disconnect" => Kind::Choice(&["finish", "cancel"])
                    .read_toml(value)
                    .map(|read| entry.on_disconnect = Some(on_disconnect(&read))),
                unknown => {
                    let hint = did_you_mean(unknown, ["app", "workers", "on_disconnect"]);
                    let problem = format!("unknown member {unknown:?} of an app{hint}");
                    Err(vec![Fault { offset: name.span().start, problem }])
                }
            };
            let member = |fault: Fault| match name.get_ref().as_ref() {
                known @ ("app" | "workers" | "on_disconnect") => fault.of(known),
                _ => fault,
            };
            faults.extend(read.err().into_iter().flatten().map(member));
        }
        if !table.contains_key("app") {
            let problem = "expected a member app = \"module:Class\" in the table of an app".to_owned();
            faults.push(Fault { offset, problem });
        }
        if faults.is_empty() { Ok(entry) } else { Err(faults) }
    }

    /// The entry as it would stand in the configuration file.
    pub fn to_json(&self) -> serde_json::Value {
        let Some(rule) = self.on_disconnect else {
            return match self.workers {
                Some(workers) => json!(format!("{}:{workers}", self.app_path)),
                None => json!(self.app_path),
            };
        };
        let mut entry = json!({ "app": self.app_path });
        if let Some(workers) = self.workers {
            entry["workers"] = json!(workers);
        }
        entry["on_disconnect"] = json!(word(rule));
        entry
    }
}

/// The path in a table, where the number of workers has a member of its own.
fn app_path(value: &Spanned<DeValue<'_>>) -> Result<String, Vec<Fault>> {
    let fault = |problem| vec![Fault { offset: value.span().start, problem }];
    let expected = "expected \"module:Class\"";
    let DeValue::String(spec) = value.get_ref() else {
        return Err(fault(format!("{expected}, found {}", found(value.get_ref()))));
    };
    match AppEntry::from_spec(spec) {
        Ok(AppEntry { app_path, workers: None, .. }) => Ok(app_path),
        Ok(AppEntry { app_path, workers: Some(workers), .. }) => {
            Err(fault(format!("expected {app_path:?} with a member workers = {workers}, found {spec:?}")))
        }
        Err(_) => Err(fault(format!("{expected}, found {spec:?}"))),
    }
}

/// What a word of `on_disconnect` means.
pub(super) fn on_disconnect(value: &Value) -> OnDisconnect {
    if *value == Value::Choice("cancel") { OnDisconnect::Cancel } else { OnDisconnect::Finish }
}

fn word(rule: OnDisconnect) -> &'static str {
    match rule {
        OnDisconnect::Finish => "finish",
        OnDisconnect::Cancel => "cancel",
    }
}
