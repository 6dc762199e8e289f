//! What the generator understands of a schema.

use super::node::{Node, Refused, Result};

/// A schema, understood.
pub struct Model {
    pub title: String,
    pub doc: String,
    /// The definitions in the order of the schema.
    pub defs: Vec<Def>,
    /// The names of the definitions that are messages, in the order of the root's `oneOf`.
    pub messages: Vec<String>,
}

pub struct Def {
    pub name: String,
    pub doc: String,
    pub shape: Shape,
}

pub enum Shape {
    Struct(Struct),
    /// A string of `min` to `max` characters.
    Text {
        min: u64,
        max: u64,
    },
    /// A string with registered values, of which a receiver accepts others.
    Open(Vec<String>),
    /// A string out of a list.
    Closed(Vec<String>),
    /// A number from (or above, if `exclusive`) `min` to `max`.
    Number {
        min: u64,
        exclusive: bool,
        max: u64,
    },
    /// An object whose values are all of one definition.
    Map(String),
    /// Any JSON value, kept as raw text.
    Any,
}

pub struct Struct {
    /// The value of the member `type`, if it is a message.
    pub tag: Option<String>,
    pub members: Vec<Member>,
    /// Whether members that are not described are kept.
    pub keeps_others: bool,
}

pub struct Member {
    pub name: String,
    pub doc: String,
    /// The requirement that a wrong value breaks: the first that the description names.
    pub requirement: String,
    pub kind: Kind,
    pub presence: Presence,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    /// Taken as empty when absent.
    Default,
}

pub enum Kind {
    Ref(String),
    /// A value of the definition, or null.
    Nullable(String),
    Text,
    Flag,
    /// An unsigned integer of this many bits.
    Integer(u8),
    /// An array of any values.
    RawList,
    /// An object of any values.
    RawMap,
}

const ANY: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

impl Model {
    pub fn read(schema: &serde_json::Value) -> Result<Self> {
        let root = Node::new(String::new(), schema)?;
        root.only(&["$schema", "$id", "title", "description", "oneOf", "$defs"])?;
        if root.text("$schema")? != "https://json-schema.org/draft/2020-12/schema" {
            return root.refuse("$schema", "expected JSON Schema 2020-12");
        }
        root.text("$id")?;
        let defs = root.child("$defs")?.children().map(|child| def(child?)).collect::<Result<Vec<_>>>()?;
        let mut messages = Vec::new();
        for branch in root.items("oneOf")? {
            branch.only(&["$ref"])?;
            messages.push(branch.reference()?);
        }
        let model = Model {
            title: root.text("title")?.into(),
            doc: root.text("description")?.into(),
            defs,
            messages,
        };
        model.consistent()?;
        Ok(model)
    }

    pub fn def(&self, name: &str) -> Option<&Def> {
        self.defs.iter().find(|def| def.name == name)
    }

    /// Whether a value of this definition holds raw text, which has no equality of its own.
    pub fn holds_raw(&self, name: &str) -> bool {
        match self.def(name).map(|def| &def.shape) {
            Some(Shape::Any) => true,
            Some(Shape::Map(item)) => self.holds_raw(item),
            Some(Shape::Struct(of)) => {
                of.keeps_others
                    || of.members.iter().any(|member| match &member.kind {
                        Kind::Ref(name) | Kind::Nullable(name) => self.holds_raw(name),
                        Kind::RawList | Kind::RawMap => true,
                        _ => false,
                    })
            }
            _ => false,
        }
    }

    /// Every reference leads to a definition, and the messages are those definitions that have a tag.
    fn consistent(&self) -> Result<()> {
        for def in &self.defs {
            let pointer = format!("/$defs/{}", def.name);
            let names: Vec<&String> = match &def.shape {
                Shape::Map(item) => vec![item],
                Shape::Struct(of) => of.members.iter().filter_map(|member| member.kind.reference()).collect(),
                _ => Vec::new(),
            };
            if let Some(lost) = names.into_iter().find(|name| self.def(name).is_none()) {
                return Err(Refused { pointer, reason: format!("refers to {lost:?}, which is not defined") });
            }
            let tagged = matches!(&def.shape, Shape::Struct(Struct { tag: Some(_), .. }));
            if tagged != self.messages.contains(&def.name) {
                let reason = "a definition has a constant `type` if, and only if, the root names it".into();
                return Err(Refused { pointer, reason });
            }
        }
        match self.messages.iter().find(|name| self.def(name).is_none()) {
            Some(lost) => {
                Err(Refused { pointer: "/oneOf".into(), reason: format!("{lost:?} is not defined") })
            }
            None => Ok(()),
        }
    }
}

impl Kind {
    fn reference(&self) -> Option<&String> {
        match self {
            Kind::Ref(name) | Kind::Nullable(name) => Some(name),
            _ => None,
        }
    }
}

fn def((name, node): (&str, Node<'_>)) -> Result<Def> {
    if node.text("title")? != name {
        return node.refuse("title", format!("expected the name of the definition, {name:?}"));
    }
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !name.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return node.refuse("title", "expected a name in PascalCase");
    }
    let doc = node.text("description")?.to_owned();
    requirement(&node)?;
    Ok(Def { name: name.to_owned(), doc, shape: shape(&node)? })
}

fn shape(node: &Node<'_>) -> Result<Shape> {
    if node.get("type").is_some_and(serde_json::Value::is_array) {
        node.only(&["title", "description", "type"])?;
        return if node.texts("type")? == ANY {
            Ok(Shape::Any)
        } else {
            node.refuse("type", format!("expected one type, or any value: {ANY:?}"))
        };
    }
    match node.text("type")? {
        "object" if node.has("properties") => structure(node).map(Shape::Struct),
        "object" => {
            node.only(&["title", "description", "type", "additionalProperties"])?;
            let items = node.child("additionalProperties")?;
            items.only(&["$ref"])?;
            Ok(Shape::Map(items.reference()?))
        }
        "string" if node.has("enum") => {
            node.only(&["title", "description", "type", "enum"])?;
            Ok(Shape::Closed(node.texts("enum")?))
        }
        "string" if node.has("examples") => {
            node.only(&["title", "description", "type", "examples"])?;
            Ok(Shape::Open(node.texts("examples")?))
        }
        "string" => {
            node.only(&["title", "description", "type", "minLength", "maxLength"])?;
            match node.number("maxLength")? {
                Some(max) => Ok(Shape::Text { min: node.number("minLength")?.unwrap_or(0), max }),
                None => node.refuse("maxLength", "missing"),
            }
        }
        "number" => {
            node.only(&["title", "description", "type", "minimum", "exclusiveMinimum", "maximum"])?;
            let bounds = (node.number("minimum")?, node.number("exclusiveMinimum")?, node.number("maximum")?);
            match bounds {
                (Some(min), None, Some(max)) => Ok(Shape::Number { min, exclusive: false, max }),
                (None, Some(min), Some(max)) => Ok(Shape::Number { min, exclusive: true, max }),
                _ => node.refuse("type", "expected a maximum and one kind of minimum"),
            }
        }
        other => node.refuse("type", format!("type {other:?} not supported in a definition")),
    }
}

fn structure(node: &Node<'_>) -> Result<Struct> {
    node.only(&["title", "description", "type", "properties", "required", "additionalProperties"])?;
    // True is what its absence means too; written out, it says that a receiver keeps what it does not know.
    let keeps_others = node.has("additionalProperties");
    if keeps_others && node.get("additionalProperties") != Some(&serde_json::Value::Bool(true)) {
        return node.refuse(
            "additionalProperties",
            "a receiver ignores unknown members (MSG-3), or keeps them: true",
        );
    }
    let required = node.texts("required")?;
    let properties = node.child("properties")?;
    if let Some(lost) = required.iter().find(|name| !properties.has(name)) {
        return node.refuse("required", format!("{lost:?} is not among the properties"));
    }
    let mut members = Vec::new();
    let mut tag = None;
    for child in properties.children() {
        let (name, property) = child?;
        let is_required = required.iter().any(|required| required == name);
        if property.has("const") {
            tag = Some(read_tag(name, &property, is_required)?);
        } else {
            members.push(member(name, &property, is_required)?);
        }
    }
    Ok(Struct { tag, members, keeps_others })
}

fn read_tag(name: &str, node: &Node<'_>, is_required: bool) -> Result<String> {
    node.only(&["description", "type", "const"])?;
    if name != "type" || node.text("type")? != "string" || !is_required {
        return node.refuse("const", "only a required string member `type` can be constant");
    }
    Ok(node.text("const")?.to_owned())
}

fn member(name: &str, node: &Node<'_>, is_required: bool) -> Result<Member> {
    if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return node.refuse("", "expected a name in snake_case");
    }
    let kind = kind(node)?;
    let presence = match (is_required, node.get("default")) {
        (true, None) => Presence::Required,
        (false, None) => Presence::Optional,
        (false, Some(default)) if is_empty(default, &kind) => Presence::Default,
        _ => return node.refuse("default", "only an optional array or object may default to an empty one"),
    };
    if presence == Presence::Optional && matches!(kind, Kind::Nullable(_)) {
        return node.refuse("anyOf", "a member that may be absent cannot be null as well");
    }
    let doc = node.text("description")?.to_owned();
    Ok(Member { name: name.to_owned(), doc, requirement: requirement(node)?, kind, presence })
}

fn kind(node: &Node<'_>) -> Result<Kind> {
    if node.has("$ref") {
        node.only(&["description", "$ref"])?;
        return Ok(Kind::Ref(node.reference()?));
    }
    if node.has("anyOf") {
        node.only(&["description", "anyOf"])?;
        let branches = node.items("anyOf")?;
        return match &branches[..] {
            [value, null] if null.text("type") == Ok("null") => {
                value.only(&["$ref"])?;
                null.only(&["type"])?;
                Ok(Kind::Nullable(value.reference()?))
            }
            _ => node.refuse("anyOf", "expected a reference and the type null"),
        };
    }
    match node.text("type")? {
        "string" => node.only(&["description", "type"]).map(|()| Kind::Text),
        "boolean" => node.only(&["description", "type"]).map(|()| Kind::Flag),
        "integer" => {
            node.only(&["description", "type", "minimum", "maximum"])?;
            match (node.number("minimum")?, node.number("maximum")?) {
                (Some(0), Some(0xff)) => Ok(Kind::Integer(8)),
                (Some(0), Some(0xffff_ffff)) => Ok(Kind::Integer(32)),
                _ => node.refuse("type", "expected the range of a u8 or a u32"),
            }
        }
        "array" => {
            node.only(&["description", "type", "items", "default"])?;
            any_value(&node.child("items")?).map(|()| Kind::RawList)
        }
        "object" => {
            node.only(&["description", "type", "additionalProperties", "default"])?;
            any_value(&node.child("additionalProperties")?).map(|()| Kind::RawMap)
        }
        other => node.refuse("type", format!("type {other:?} not supported in a member")),
    }
}

fn any_value(node: &Node<'_>) -> Result<()> {
    node.only(&["$ref"])?;
    if node.reference()? == "JsonValue" { Ok(()) } else { node.refuse("$ref", "expected JsonValue") }
}

fn is_empty(default: &serde_json::Value, kind: &Kind) -> bool {
    match kind {
        Kind::RawList => default.as_array().is_some_and(Vec::is_empty),
        Kind::RawMap => default.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    }
}

/// The first requirement id in the description, such as `MSG-7`.
fn requirement(node: &Node<'_>) -> Result<String> {
    let is_id = |word: &&str| {
        word.split_once('-').is_some_and(|(area, number)| {
            !area.is_empty()
                && !number.is_empty()
                && area.chars().all(|c| c.is_ascii_uppercase())
                && number.chars().all(|c| c.is_ascii_digit())
        })
    };
    let words = node.text("description")?.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    match words.into_iter().find(is_id) {
        Some(id) => Ok(id.to_owned()),
        None => node.refuse("description", "names no requirement"),
    }
}
