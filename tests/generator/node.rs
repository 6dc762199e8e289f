//! A part of a schema, with its place, and access to it that leaves no keyword unread.

use serde_json::{Map, Value};

/// Something in the schema that the generator does not understand.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// JSON Pointer into the schema.
    pub pointer: String,
    pub reason: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "schema refused at {}: {}", self.pointer, self.reason)
    }
}

pub type Result<T> = std::result::Result<T, Refused>;

/// An object of the schema.
pub struct Node<'a> {
    pub pointer: String,
    members: &'a Map<String, Value>,
}

impl<'a> Node<'a> {
    pub fn new(pointer: String, value: &'a Value) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Node { pointer, members }),
            _ => Err(Refused { pointer, reason: "expected an object".into() }),
        }
    }

    pub fn refuse<T>(&self, keyword: &str, reason: impl Into<String>) -> Result<T> {
        Err(Refused { pointer: self.at(keyword), reason: reason.into() })
    }

    /// Refuses every keyword that is not among `known`.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self.members.keys().find(|keyword| !known.contains(&keyword.as_str())) {
            Some(keyword) => self.refuse(keyword, format!("keyword not supported here, expected {known:?}")),
            None => Ok(()),
        }
    }

    pub fn has(&self, keyword: &str) -> bool {
        self.members.contains_key(keyword)
    }

    pub fn get(&self, keyword: &str) -> Option<&'a Value> {
        self.members.get(keyword)
    }

    pub fn text(&self, keyword: &str) -> Result<&'a str> {
        match self.get(keyword).and_then(Value::as_str) {
            Some(text) => Ok(text),
            None => self.refuse(keyword, "expected a string"),
        }
    }

    /// A number that may be absent.
    pub fn number(&self, keyword: &str) -> Result<Option<u64>> {
        match self.get(keyword) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => self.refuse(keyword, "expected a whole number, not negative"),
            },
        }
    }

    /// A list of strings; none if absent.
    pub fn texts(&self, keyword: &str) -> Result<Vec<String>> {
        let Some(value) = self.get(keyword) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        texts.map_or_else(|| self.refuse(keyword, "expected an array of strings"), Ok)
    }

    /// The value of `keyword`, an object.
    pub fn child(&self, keyword: &str) -> Result<Node<'a>> {
        match self.get(keyword) {
            Some(value) => Node::new(self.at(keyword), value),
            None => self.refuse(keyword, "missing"),
        }
    }

    /// The members of this object, each an object.
    pub fn children(&self) -> impl Iterator<Item = Result<(&'a str, Node<'a>)>> + '_ {
        self.members.iter().map(|(name, value)| Ok((name.as_str(), Node::new(self.at(name), value)?)))
    }

    /// The objects in the array `keyword`.
    pub fn items(&self, keyword: &str) -> Result<Vec<Node<'a>>> {
        let Some(Value::Array(items)) = self.get(keyword) else {
            return self.refuse(keyword, "expected an array");
        };
        let item = |(index, value)| Node::new(format!("{}/{index}", self.at(keyword)), value);
        items.iter().enumerate().map(item).collect()
    }

    /// The name of the definition that `$ref` leads to.
    pub fn reference(&self) -> Result<String> {
        match self.text("$ref")?.strip_prefix("#/$defs/") {
            Some(name) => Ok(name.to_owned()),
            None => self.refuse("$ref", "expected a reference into #/$defs"),
        }
    }

    fn at(&self, keyword: &str) -> String {
        format!("{}/{}", self.pointer, keyword.replace('~', "~0").replace('/', "~1"))
    }
}
