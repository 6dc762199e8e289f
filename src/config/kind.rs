//! What values a setting takes, and how they are read from TOML and from text.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::app_entry::AppEntry;
use super::value::{Account, Value};

/// The longest time that can be set: some thirty years.
const MAX_SECONDS: f64 = 1e9;
/// The highest number of a user or group; the one above means "none" to the system.
const MAX_ID: u64 = 4_294_967_294;
/// How much of a text is shown in an error, in characters.
const SHOWN: usize = 60;

/// What values a setting takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number in a range.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A time, in seconds.
    Seconds,
    /// A text that is not empty.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Yes or no.
    Switch,
    /// Permission bits.
    Mode,
    /// A user or a group.
    Account,
    /// Users.
    Accounts,
    /// Apps.
    Apps,
}

/// What is wrong in a file, and where.
#[derive(Debug)]
pub(super) struct Fault {
    /// The byte offset.
    pub offset: usize,
    /// What was wrong and what was expected.
    pub problem: String,
}

impl Fault {
    /// The same fault of a member of a table.
    pub fn of(self, member: &str) -> Fault {
        Fault { problem: format!("{member}: {}", self.problem), ..self }
    }
}

impl Kind {
    /// Whether a flag can be given several times, one item each.
    pub fn is_list(self) -> bool {
        matches!(self, Kind::Apps | Kind::Accounts)
    }

    /// What is expected, for people.
    fn expected(self) -> String {
        match self {
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Seconds => format!("a number of seconds, from 0 to {MAX_SECONDS}"),
            Kind::Text => "a text that is not empty and has no NUL".to_owned(),
            Kind::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                format!("one of {}", words.join(", "))
            }
            Kind::Switch => "true or false".to_owned(),
            Kind::Mode => "a text of octal digits up to 0777, such as \"0660\"".to_owned(),
            Kind::Account => format!("a name, or a number from 0 to {MAX_ID}"),
            Kind::Accounts => "a list of names and numbers".to_owned(),
            Kind::Apps => "a list of one app or more".to_owned(),
        }
    }

    /// Reads a value of the configuration file.
    pub(super) fn read_toml(self, value: &Spanned<DeValue<'_>>) -> Result<Value, Vec<Fault>> {
        match (self, value.get_ref()) {
            (Kind::Accounts, DeValue::Array(items)) => Ok(Value::Accounts(each(items, account)?)),
            (Kind::Apps, DeValue::Array(items)) if !items.is_empty() => {
                Ok(Value::Apps(each(items, AppEntry::from_toml)?))
            }
            (_, plain) => self.read_plain(plain).ok_or_else(|| {
                let problem = format!("expected {}, found {}", self.expected(), found(plain));
                vec![Fault { offset: value.span().start, problem }]
            }),
        }
    }

    /// A value that is no list.
    fn read_plain(self, value: &DeValue<'_>) -> Option<Value> {
        match (self, value) {
            (Kind::Integer { .. }, DeValue::Integer(_) | DeValue::Float(_)) => self.integer(whole(value)?),
            (Kind::Seconds, DeValue::Integer(_) | DeValue::Float(_)) => seconds(number(value)?),
            (Kind::Switch, DeValue::Boolean(on)) => Some(Value::Switch(*on)),
            (Kind::Account, DeValue::Integer(_) | DeValue::Float(_)) => id(whole(value)?).map(Value::Account),
            (Kind::Choice(words), DeValue::String(text)) => choice(words, text),
            (Kind::Text | Kind::Mode | Kind::Account, DeValue::String(text)) => self.text(text),
            _ => None,
        }
    }

    /// Reads the text of an environment variable, or a default. A list is a JSON array of strings, or has commas between
    /// its items.
    pub fn read_text(self, text: &str) -> Result<Value, String> {
        if !self.is_list() {
            return self.read_item(text);
        }
        let items: Vec<String> = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map_err(|error| {
                format!("expected a JSON array of strings, or a list with commas: {error}")
            })?
        } else {
            text.split(',').map(|item| item.trim().to_owned()).collect()
        };
        if items.is_empty() && matches!(self, Kind::Apps) {
            return Err(format!("expected {}, found an empty one", self.expected()));
        }
        let mut read =
            items.iter().map(|item| self.read_item(item)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = read.next().unwrap_or(Value::Accounts(Vec::new()));
        Ok(read.fold(first, Value::and))
    }

    /// Reads a text; of a list, one item.
    pub fn read_item(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Kind::Integer { .. } => text.parse().ok().and_then(|number| self.integer(number)),
            Kind::Seconds => text.parse().ok().and_then(seconds),
            Kind::Switch => text.parse().ok().map(Value::Switch),
            Kind::Choice(words) => choice(words, &text.to_ascii_lowercase()),
            Kind::Text | Kind::Mode | Kind::Account => self.text(text),
            Kind::Accounts => {
                let account = Kind::Account.read_item(text)?.into_account();
                account.map(|account| Value::Accounts(vec![account]))
            }
            Kind::Apps => return AppEntry::from_spec(text).map(|entry| Value::Apps(vec![entry])),
        };
        value.ok_or_else(|| format!("expected {}, found {}", self.expected(), quoted(text)))
    }

    fn integer(self, number: i128) -> Option<Value> {
        let Kind::Integer { min, max } = self else { return None };
        let number = u64::try_from(number).ok()?;
        (min..=max).contains(&number).then_some(Value::Integer(number))
    }

    fn text(self, text: &str) -> Option<Value> {
        let is_text = !text.is_empty() && !text.contains('\0');
        match self {
            Kind::Mode => {
                let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
                let mode = u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o777)?;
                Some(Value::Mode(mode))
            }
            Kind::Account if is_text && text.bytes().all(|b| b.is_ascii_digit()) => {
                id(text.parse().ok()?).map(Value::Account)
            }
            Kind::Account => is_text.then(|| Value::Account(Account::Name(text.to_owned()))),
            _ => is_text.then(|| Value::Text(text.to_owned())),
        }
    }
}

impl Value {
    fn into_account(self) -> Option<Account> {
        match self {
            Value::Account(account) => Some(account),
            _ => None,
        }
    }

    /// Two lists of the same kind as one.
    pub fn and(self, other: Value) -> Value {
        match (self, other) {
            (Value::Accounts(mut all), Value::Accounts(more)) => {
                all.extend(more);
                Value::Accounts(all)
            }
            (Value::Apps(mut all), Value::Apps(more)) => {
                all.extend(more);
                Value::Apps(all)
            }
            (_, other) => other,
        }
    }
}

/// Reads every item of a list, with every fault of every item.
fn each<T>(
    items: &DeArray<'_>,
    read: impl Fn(&Spanned<DeValue<'_>>) -> Result<T, Vec<Fault>>,
) -> Result<Vec<T>, Vec<Fault>> {
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match read(item) {
            Ok(value) => values.push(value),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

fn account(item: &Spanned<DeValue<'_>>) -> Result<Account, Vec<Fault>> {
    Kind::Account.read_plain(item.get_ref()).and_then(Value::into_account).ok_or_else(|| {
        let problem = format!("expected {}, found {}", Kind::Account.expected(), found(item.get_ref()));
        vec![Fault { offset: item.span().start, problem }]
    })
}

fn choice(words: &[&'static str], text: &str) -> Option<Value> {
    words.iter().find(|word| **word == text).map(|word| Value::Choice(word))
}

fn seconds(number: f64) -> Option<Value> {
    let valid = (0.0..=MAX_SECONDS).contains(&number);
    valid.then(|| Duration::try_from_secs_f64(number).ok().map(Value::Seconds)).flatten()
}

fn id(number: i128) -> Option<Account> {
    u32::try_from(number).ok().filter(|id| u64::from(*id) <= MAX_ID).map(Account::Id)
}

/// A whole number; 2.0 is one, as it is to JSON Schema.
fn whole(value: &DeValue<'_>) -> Option<i128> {
    match value {
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix()).ok(),
        // Beyond 2^53 a float does not say which number it means; no setting goes there.
        _ => number(value)
            .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
            .map(|float| float as i128),
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(_) => whole(value).map(|integer| integer as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

/// What was found, for people.
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {}", quoted(text)),
        DeValue::Integer(integer) => format!("the number {integer}"),
        DeValue::Float(float) => format!("the number {float}"),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(items) if items.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
