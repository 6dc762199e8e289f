//! From a message to the template that the next one like it matches.

use crate::check::value::{Object, Text, Value};

/// The operators of templates: data that looks like one is put under `$lit`.
const OPERATORS: [&str; 6] = ["$var", "$any", "$like", "$opt", "$open", "$lit"];

/// Names of members whose values are never the same twice.
const FLEETING: [&str; 12] = [
    "pid",
    "ppid",
    "uuid",
    "time",
    "timestamp",
    "elapsed",
    "duration",
    "worker_id",
    "retry_after",
    "started",
    "date",
    "uptime",
];

/// The ids that were seen, and the names that they have.
#[derive(Debug, Default)]
pub(super) struct Templates {
    ids: Vec<String>,
}

impl Templates {
    /// The template of a message; `answers` when the listener has sent it.
    pub(super) fn message(&mut self, message: &Value, answers: bool) -> Value {
        let Some(members) = message.as_object() else { return literal(message) };
        let members = members.iter().map(|(name, value)| {
            let template = match (&*name.lossy(), value.as_str()) {
                ("id", Some(id)) => self.variable(id),
                ("error", _) if answers => self.error(value),
                ("result" | "data", _) if answers => alike(&name.lossy(), value),
                _ => literal(value),
            };
            (name.clone(), template)
        });
        Value::Object(members.collect())
    }

    /// The variables with the values that they had.
    pub(super) fn vars(&self) -> Object {
        let vars = self.ids.iter().enumerate();
        vars.map(|(index, id)| (Text::from(&*name_of(index)), Value::string(id))).collect()
    }

    fn variable(&mut self, id: &str) -> Value {
        let index = self.ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.ids.push(id.to_string());
            self.ids.len() - 1
        });
        operator("$var", Value::string(name_of(index)))
    }

    /// The type is what matters; texts differ, and particulars may be added.
    fn error(&mut self, error: &Value) -> Value {
        let Some(members) = error.as_object() else { return literal(error) };
        let members = members.iter().map(|(name, value)| {
            let template = match &*name.lossy() {
                "message" => operator("$like", literal(value)),
                "details" => self.details(value),
                _ => literal(value),
            };
            (name.clone(), template)
        });
        operator("$open", Value::Object(members.collect()))
    }

    fn details(&mut self, details: &Value) -> Value {
        let Some(members) = details.as_object() else { return literal(details) };
        let kept = members.iter().filter(|(name, _)| name.lossy() != "traceback");
        let members = kept.map(|(name, value)| {
            let template = match (&*name.lossy(), value.as_str()) {
                ("id", Some(id)) if self.ids.iter().any(|known| known == id) => self.variable(id),
                (name, _) => alike(name, value),
            };
            (name.clone(), template)
        });
        operator("$open", Value::Object(members.collect()))
    }
}

fn name_of(index: usize) -> String {
    format!("r{}", index + 1)
}

fn operator(name: &str, operand: Value) -> Value {
    Value::Object([(Text::from(name), operand)].into_iter().collect())
}

/// Exactly this value.
pub(super) fn literal(value: &Value) -> Value {
    if has_operator(value) { operator("$lit", value.clone()) } else { value.clone() }
}

fn has_operator(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_operator),
        Value::Object(members) => {
            let looks = members.len() == 1 && members.keys().any(|name| OPERATORS.contains(&&*name.lossy()));
            looks || members.values().any(has_operator)
        }
        _ => false,
    }
}

/// This value, but for the parts that are never the same twice.
fn alike(name: &str, value: &Value) -> Value {
    if FLEETING.contains(&name) || name.ends_with("_at") || value.as_str().is_some_and(is_fleeting) {
        return operator("$like", literal(value));
    }
    match value {
        _ if has_operator(value) => operator("$lit", value.clone()),
        Value::Array(items) => Value::Array(items.iter().map(|item| alike("", item)).collect()),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (name.clone(), alike(&name.lossy(), value))).collect(),
        ),
        scalar => scalar.clone(),
    }
}

/// Whether a string is a UUID, or a date with a time.
fn is_fleeting(text: &str) -> bool {
    fits(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", true)
        || fits(text, "dddd-dd-ddTdd:dd", false)
        || fits(text, "dddd-dd-dd dd:dd", false)
}

/// Whether `text` has the form of `shape` (`x` a hexadecimal digit, `d` a digit), and ends there if `whole`.
fn fits(text: &str, shape: &str, whole: bool) -> bool {
    let same = text.bytes().zip(shape.bytes()).all(|(byte, form)| match form {
        b'x' => byte.is_ascii_hexdigit(),
        b'd' => byte.is_ascii_digit(),
        form => byte == form,
    });
    same && (text.len() == shape.len() || !whole && text.len() > shape.len())
}

/// Whether every JSON parser reads this value: no lone surrogate, no number beyond a double.
pub(super) fn is_portable(value: &Value) -> bool {
    match value {
        Value::String(Text::Units(_)) => false,
        Value::Number(number) => number.as_f64().is_finite(),
        Value::Array(items) => items.iter().all(is_portable),
        Value::Object(members) => {
            members.iter().all(|(name, value)| matches!(name, Text::Unicode(_)) && is_portable(value))
        }
        _ => true,
    }
}
