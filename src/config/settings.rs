//! The values that are in effect.

use std::path::PathBuf;
use std::time::Duration;

use super::app_entry::{AppEntry, on_disconnect};
use super::layer::Assignment;
use super::origin::Origin;
use super::setting::{Key, SETTINGS, Setting};
use super::value::{Account, Value};
use crate::arbiter::core::OnDisconnect;

/// The value of every setting that has one, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Settings(Vec<(Option<Value>, Origin)>);

/// The table of settings fixes the kind of every value; a test reads each of them.
const OTHER_KIND: &str = "the value is not of the setting's kind";

impl Settings {
    /// The defaults.
    pub fn defaults() -> Settings {
        let default = |setting: &Setting| {
            // A test reads every default.
            let value = setting.default.and_then(|text| setting.kind.read_text(text).ok());
            (value, Origin::Default)
        };
        Settings(SETTINGS.iter().map(default).collect())
    }

    /// Puts the values of a source over what is there. A list replaces a list.
    pub fn put(&mut self, values: impl IntoIterator<Item = Assignment>) {
        for Assignment { setting, value, origin } in values {
            self.0[setting.key as usize] = (Some(value), origin);
        }
    }

    /// Every setting with its value and origin, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, Option<&Value>, &Origin)> {
        SETTINGS.iter().zip(&self.0).map(|(setting, (value, origin))| (setting, value.as_ref(), origin))
    }

    /// A setting's value.
    pub fn value(&self, key: Key) -> Option<&Value> {
        self.0[key as usize].0.as_ref()
    }

    /// Where a setting's value comes from.
    pub fn origin(&self, key: Key) -> &Origin {
        &self.0[key as usize].1
    }

    /// Gives what only a restart changes the values that it has in `running`. Returns the names of those that differed.
    pub fn keep_fixed(&mut self, running: &Settings) -> Vec<&'static str> {
        let mut kept = Vec::new();
        for (setting, (new, old)) in SETTINGS.iter().zip(self.0.iter_mut().zip(&running.0)) {
            if !setting.reloadable && new.0 != old.0 {
                *new = old.clone();
                kept.push(setting.name);
            }
        }
        kept
    }

    pub(super) fn integer(&self, key: Key) -> u64 {
        match self.value(key) {
            Some(Value::Integer(number)) => *number,
            _ => unreachable!("{OTHER_KIND}"),
        }
    }

    pub(super) fn time(&self, key: Key) -> Duration {
        match self.value(key) {
            Some(Value::Seconds(time)) => *time,
            _ => unreachable!("{OTHER_KIND}"),
        }
    }

    pub(super) fn choice(&self, key: Key) -> &'static str {
        match self.value(key) {
            Some(Value::Choice(word)) => word,
            _ => unreachable!("{OTHER_KIND}"),
        }
    }

    pub(super) fn is_on(&self, key: Key) -> bool {
        self.value(key) == Some(&Value::Switch(true))
    }

    pub(super) fn text(&self, key: Key) -> Option<&str> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn path(&self, key: Key) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(super) fn mode(&self, key: Key) -> u32 {
        match self.value(key) {
            Some(Value::Mode(mode)) => *mode,
            _ => unreachable!("{OTHER_KIND}"),
        }
    }

    pub(super) fn account(&self, key: Key) -> Option<&Account> {
        match self.value(key) {
            Some(Value::Account(account)) => Some(account),
            _ => None,
        }
    }

    pub(super) fn accounts(&self, key: Key) -> &[Account] {
        match self.value(key) {
            Some(Value::Accounts(accounts)) => accounts,
            _ => &[],
        }
    }

    pub(super) fn apps(&self) -> &[AppEntry] {
        match self.value(Key::Apps) {
            Some(Value::Apps(apps)) => apps,
            _ => &[],
        }
    }

    pub(super) fn on_disconnect(&self) -> OnDisconnect {
        self.value(Key::OnDisconnect).map(on_disconnect).unwrap_or_default()
    }
}
