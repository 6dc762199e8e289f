//! Templates: JSON in which six one-member objects are operators.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::value::{Pointer, Text, Value};

/// A template of `golden/README.md`. Every operator carries an example, so that it can be sent as well as expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// A scalar, or what stood under `{"$lit": …}`: exactly this value.
    Exact(Value),
    /// An array, item by item.
    Array(Vec<Template>),
    /// An object; `open` when it stood under `{"$open": …}`.
    Object {
        /// Its members.
        members: IndexMap<Text, Template>,
        /// Whether other members are welcome.
        open: bool,
    },
    /// `{"$var": name}`
    Var(String),
    /// `{"$any": example}`
    Any(Box<Template>),
    /// `{"$like": example}`
    Like(Box<Template>),
    /// `{"$opt": template}`, the value of a member that may be absent.
    Optional(Box<Template>),
}

/// A template that breaks the rules of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TemplateError {
    /// Where in the document.
    pub pointer: Pointer,
    /// What, and what was expected.
    pub problem: String,
}

/// A variable that was sent before it had a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variable {0:?} has no value yet: expected an earlier step that binds it, or an entry in `vars`")]
pub struct Unbound(pub String);

/// The values of variables.
pub type Bindings = BTreeMap<String, Value>;

impl Template {
    /// Reads a template out of the JSON value at `pointer`.
    ///
    /// # Errors
    /// [`TemplateError`] when an operator's operand has the wrong form.
    pub fn read(value: &Value, pointer: &Pointer) -> Result<Template, TemplateError> {
        Reader { optional_here: false }.read(value, pointer)
    }

    /// The value to send: bound variables as bound, others as `vars` says, which binds them.
    ///
    /// # Errors
    /// [`Unbound`] when a variable has neither.
    pub fn render(&self, bindings: &mut Bindings, vars: &Bindings) -> Result<Value, Unbound> {
        Ok(match self {
            Template::Exact(value) => value.clone(),
            Template::Array(items) => {
                let items: Result<_, _> = items.iter().map(|item| item.render(bindings, vars)).collect();
                Value::Array(items?)
            }
            Template::Object { members, .. } => {
                let members = members.iter().map(|(name, t)| Ok((name.clone(), t.render(bindings, vars)?)));
                Value::Object(members.collect::<Result<_, _>>()?)
            }
            Template::Var(name) => match bindings.get(name) {
                Some(value) => value.clone(),
                None => {
                    let value = vars.get(name).ok_or_else(|| Unbound(name.clone()))?;
                    bindings.insert(name.clone(), value.clone());
                    value.clone()
                }
            },
            Template::Any(inner) | Template::Like(inner) | Template::Optional(inner) => {
                inner.render(bindings, vars)?
            }
        })
    }

    /// The template without the member at `pointer`, when that stands in an object that may have other members.
    pub(super) fn without(&self, pointer: &str) -> Option<Template> {
        let Template::Object { members, open } = self else { return None };
        let (name, rest) = match pointer.strip_prefix('/')?.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (pointer.strip_prefix('/')?, None),
        };
        let mut members = members.clone();
        let member = members.get_mut(name)?;
        match rest {
            Some(rest) => *member = member.without(&format!("/{rest}"))?,
            None if *open => drop(members.shift_remove(name)),
            None => return None,
        }
        Some(Template::Object { members, open: *open })
    }

    /// The names of the variables in it, in order.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Template::Exact(_) => Vec::new(),
            Template::Array(items) => items.iter().flat_map(Template::variables).collect(),
            Template::Object { members, .. } => members.values().flat_map(Template::variables).collect(),
            Template::Var(name) => vec![name],
            Template::Any(inner) | Template::Like(inner) | Template::Optional(inner) => inner.variables(),
        }
    }

    /// What it accepts, for a reader.
    pub fn describe(&self) -> String {
        match self {
            Template::Exact(value) => value.excerpt(200),
            Template::Var(name) => format!("the value of ${name}"),
            Template::Any(_) => "any value".to_string(),
            Template::Like(example) => example.kind().to_string(),
            Template::Optional(inner) => format!("{}, or nothing", inner.describe()),
            Template::Array(_) | Template::Object { .. } => super::value::excerpt(&self.text(), 200),
        }
    }

    /// The JSON type of what it is sent as; a variable may hold any.
    fn kind(&self) -> &'static str {
        match self {
            Template::Exact(value) => value.kind(),
            Template::Array(_) => "an array",
            Template::Object { .. } => "an object",
            Template::Var(_) => "any value",
            Template::Any(inner) | Template::Like(inner) | Template::Optional(inner) => inner.kind(),
        }
    }

    /// Compact text in the notation of the file.
    fn text(&self) -> String {
        match self {
            Template::Exact(value) => value.to_string(),
            Template::Array(items) => {
                format!("[{}]", items.iter().map(Template::text).collect::<Vec<_>>().join(","))
            }
            Template::Object { members, open } => {
                let members: Vec<String> = members.iter().map(|(k, t)| format!("{k}:{}", t.text())).collect();
                let members = members.join(",");
                if *open { format!("{{\"$open\":{{{members}}}}}") } else { format!("{{{members}}}") }
            }
            Template::Var(name) => format!("{{\"$var\":{}}}", Value::string(name)),
            Template::Any(inner) => format!("{{\"$any\":{}}}", inner.text()),
            Template::Like(inner) => format!("{{\"$like\":{}}}", inner.text()),
            Template::Optional(inner) => format!("{{\"$opt\":{}}}", inner.text()),
        }
    }
}

struct Reader {
    /// Whether `$opt` may stand here: only as a member's value.
    optional_here: bool,
}

impl Reader {
    fn read(&self, value: &Value, at: &Pointer) -> Result<Template, TemplateError> {
        match value {
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(i, item)| Template::read(item, &at.join(i)));
                Ok(Template::Array(items.collect::<Result<_, _>>()?))
            }
            Value::Object(members) => match members.first() {
                Some((Text::Unicode(operator), operand)) if members.len() == 1 => {
                    self.operator(operator, operand, value, at)
                }
                _ => members_of(value, at, false),
            },
            scalar => Ok(Template::Exact(scalar.clone())),
        }
    }

    fn operator(
        &self,
        name: &str,
        operand: &Value,
        whole: &Value,
        at: &Pointer,
    ) -> Result<Template, TemplateError> {
        let error = |problem: String| Err(TemplateError { pointer: at.clone(), problem });
        let inner = || Template::read(operand, &at.join(name)).map(Box::new);
        match name {
            "$var" => match operand.as_str() {
                Some(name) if !name.is_empty() => Ok(Template::Var(name.to_string())),
                _ => error(format!("$var holds {}: expected the name of a variable", operand.kind())),
            },
            "$any" => Ok(Template::Any(inner()?)),
            "$like" => Ok(Template::Like(inner()?)),
            "$opt" if self.optional_here => Ok(Template::Optional(inner()?)),
            "$opt" => error("$opt outside of an object: expected it as the value of a member".to_string()),
            "$open" if operand.as_object().is_some() => members_of(operand, &at.join(name), true),
            "$open" => error(format!("$open holds {}: expected an object", operand.kind())),
            "$lit" => Ok(Template::Exact(operand.clone())),
            _ => members_of(whole, at, false),
        }
    }
}

fn members_of(value: &Value, at: &Pointer, open: bool) -> Result<Template, TemplateError> {
    let members = value.as_object().into_iter().flatten().map(|(name, member)| {
        let template = Reader { optional_here: true }.read(member, &at.join(name.lossy()))?;
        Ok((name.clone(), template))
    });
    Ok(Template::Object { members: members.collect::<Result<_, _>>()?, open })
}
