//! The value of a setting.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::app_entry::AppEntry;

/// The value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A whole number.
    Integer(u64),
    /// A time.
    Seconds(Duration),
    /// A text: a path, a command.
    Text(String),
    /// One of a few words.
    Choice(&'static str),
    /// Yes or no.
    Switch(bool),
    /// Permission bits.
    Mode(u32),
    /// A user or a group.
    Account(Account),
    /// Users.
    Accounts(Vec<Account>),
    /// Apps.
    Apps(Vec<AppEntry>),
}

/// A user or a group of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// By name.
    Name(String),
    /// By number.
    Id(u32),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Name(name) => write!(f, "{name:?}"),
            Account::Id(id) => write!(f, "{id}"),
        }
    }
}

impl Account {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Account::Name(name) => json!(name),
            Account::Id(id) => json!(id),
        }
    }
}

impl Value {
    /// The value as it would stand in the configuration file, in JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Integer(number) => json!(number),
            Value::Seconds(time) if time.subsec_nanos() == 0 => json!(time.as_secs()),
            Value::Seconds(time) => json!(time.as_secs_f64()),
            Value::Text(text) => json!(text),
            Value::Choice(word) => json!(word),
            Value::Switch(on) => json!(on),
            Value::Mode(mode) => json!(format!("{mode:04o}")),
            Value::Account(account) => account.to_json(),
            Value::Accounts(accounts) => accounts.iter().map(Account::to_json).collect(),
            Value::Apps(apps) => apps.iter().map(AppEntry::to_json).collect(),
        }
    }

    /// The value as it would stand in the configuration file, in TOML.
    pub fn to_toml(&self) -> String {
        toml(&self.to_json())
    }
}

/// A value as TOML, on one line. Values of settings hold no null.
pub(super) fn toml(value: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    let list = |parts: Vec<String>, open, close| format!("{open}{}{close}", parts.join(", "));
    match value {
        Json::Array(items) => list(items.iter().map(toml).collect(), "[", "]"),
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name} = {}", toml(value)));
            list(members.collect(), "{ ", " }")
        }
        // JSON's escapes are TOML's; TOML also wants DEL escaped.
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}
