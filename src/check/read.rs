//! Strict reading of transcripts.

use std::time::Duration;

use super::fields::{Fields, FileError, Read, fault, text};
use super::template::{Bindings, Template};
use super::transcript::{
    ApiCall, ApiEvent, ApiStep, Body, DEFAULT_WITHIN, FEATURES, FORMAT, Level, Method, Raw, Seen, Setup,
    Step, Transcript, Unordered, WireStep, role_named,
};
use super::value::{Object, Pointer, Value};
use crate::message::Role;

impl Transcript {
    /// Reads a transcript. `file` names it in errors.
    ///
    /// # Errors
    /// [`FileError`] with the place: not JSON, a member that is missing, unknown or ill-typed, a variable that
    /// would be sent before it has a value, or a line on a connection that has ended.
    pub fn parse(file: &str, text: &[u8]) -> Result<Transcript, FileError> {
        let value = Value::parse(text).map_err(|error| FileError::from_text(file, text, &error))?;
        Transcript::from_value(&value).map_err(|fault| fault.of(file))
    }

    pub(super) fn from_value(value: &Value) -> Read<Transcript> {
        let root = Pointer::default();
        let mut fields = Fields::new(value, &root)?;
        let format = fields.required_string("format")?;
        if format != FORMAT {
            return fault(&fields.at("format"), format!("{format:?}: expected {FORMAT:?}"));
        }
        let transcript = Transcript {
            id: fields.required_string("id")?,
            title: fields.required_string("title")?,
            proves: fields.list("proves", text)?,
            roles: fields.list("roles", role)?,
            level: fields.get("level").map(|value| level(value, &root.join("level"))).transpose()?,
            needs: fields.list("needs", feature)?,
            setup: fields
                .get("setup")
                .map_or_else(|| Ok(Setup::default()), |v| setup(v, &root.join("setup")))?,
            vars: vars(fields.get("vars"), &root.join("vars"))?,
            since: fields.string("since")?,
            note: fields.string("note")?,
            malformed: fields.truth("malformed")?.unwrap_or_default(),
            seen: fields.list("seen", seen)?,
            steps: fields.list("steps", step)?,
        };
        fields.finish()?;
        check(&transcript, &root)?;
        Ok(transcript)
    }
}

/// Rules that need the whole transcript.
fn check(transcript: &Transcript, root: &Pointer) -> Read<()> {
    let legal = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let parts: Vec<&str> = transcript.id.split('/').collect();
    if parts.len() != 2 || !parts.into_iter().all(legal) {
        let problem = format!("{:?}: expected <area>/<name> of a-z, 0-9 and -", transcript.id);
        return fault(&root.join("id"), problem);
    }
    for (name, empty) in [
        ("proves", transcript.proves.is_empty()),
        ("roles", transcript.roles.is_empty()),
        ("steps", transcript.steps.is_empty()),
    ] {
        if empty {
            return fault(&root.join(name), "nothing: expected at least one item");
        }
    }
    for role in &transcript.roles {
        if let Some((index, name)) = transcript.unbound(*role) {
            let article = if *role == Role::Arbiter { "an" } else { "a" };
            let problem = format!(
                "sends {{\"$var\": {name:?}}} to {article} {role} before it has a value: expected it in `vars`"
            );
            return fault(&root.join("steps").join(index), problem);
        }
    }
    ended_connections(transcript, root)
}

fn ended_connections(transcript: &Transcript, root: &Pointer) -> Read<()> {
    let mut closed: Vec<&str> = Vec::new();
    for (index, step) in transcript.steps.iter().enumerate() {
        if step.from().is_none() {
            continue;
        }
        if closed.contains(&step.on()) {
            let problem = format!("a line on connection {:?}, which has been closed", step.on());
            return fault(&root.join("steps").join(index), problem);
        }
        if matches!(step, Step::Wire(WireStep { body: Body::Close, .. })) {
            closed.push(step.on());
        }
    }
    Ok(())
}

fn role(value: &Value, at: &Pointer) -> Read<Role> {
    role_named(&text(value, at)?).or_else(|problem| fault(at, problem))
}

fn level(value: &Value, at: &Pointer) -> Read<Level> {
    text(value, at)?.parse().or_else(|problem: String| fault(at, problem))
}

fn feature(value: &Value, at: &Pointer) -> Read<String> {
    let name = text(value, at)?;
    if FEATURES.contains(&name.as_str()) {
        return Ok(name);
    }
    fault(at, format!("{name:?} is no feature: expected one of {}", FEATURES.join(", ")))
}

fn setup(value: &Value, at: &Pointer) -> Read<Setup> {
    let mut fields = Fields::new(value, at)?;
    let default = Setup::default();
    let timeout = match fields.get("timeout_s") {
        Some(value) => seconds(value, &at.join("timeout_s"))?,
        None => default.timeout,
    };
    let mut setup = Setup {
        workers: fields.number("workers")?.unwrap_or(default.workers),
        threads: fields.number("threads")?.unwrap_or(default.threads),
        timeout,
        apps: fields.list("apps", text)?,
    };
    if setup.apps.is_empty() {
        setup.apps = default.apps;
    }
    fields.finish()?;
    Ok(setup)
}

fn seconds(value: &Value, at: &Pointer) -> Read<Duration> {
    let seconds = match value {
        Value::Number(number) => Duration::try_from_secs_f64(number.as_f64()).ok(),
        _ => None,
    };
    seconds.map_or_else(|| fault(at, format!("{}: expected seconds from 0", value.excerpt(40))), Ok)
}

fn vars(value: Option<&Value>, at: &Pointer) -> Read<Bindings> {
    let Some(value) = value else { return Ok(Bindings::new()) };
    match value.as_object() {
        Some(members) => Ok(members.iter().map(|(k, v)| (k.lossy().into_owned(), v.clone())).collect()),
        None => fault(at, format!("{}: expected an object", value.kind())),
    }
}

fn seen(value: &Value, at: &Pointer) -> Read<Seen> {
    let mut fields = Fields::new(value, at)?;
    let seen = Seen {
        implementation: fields.required_string("impl")?,
        verdict: fields.required_string("verdict")?,
        see: fields.string("see")?,
    };
    fields.finish()?;
    Ok(seen)
}

fn step(value: &Value, at: &Pointer) -> Read<Step> {
    let mut fields = Fields::new(value, at)?;
    let step = if !fields.has("from") {
        Step::Api(api_step(&mut fields, at)?)
    } else if fields.has("unordered") {
        Step::Unordered(unordered(&mut fields, at)?)
    } else {
        Step::Wire(wire_step(&mut fields, at)?)
    };
    fields.finish()?;
    Ok(step)
}

fn milliseconds(fields: &mut Fields<'_>, name: &'static str) -> Read<Option<Duration>> {
    Ok(fields.number(name)?.map(Duration::from_millis))
}

/// The one member of `names` that the step has.
fn one_of(fields: &Fields<'_>, names: &[&'static str], at: &Pointer) -> Read<&'static str> {
    let found: Vec<&'static str> = names.iter().copied().filter(|name| fields.has(name)).collect();
    match found[..] {
        [name] => Ok(name),
        [] => fault(at, format!("a step without anything to do: expected one of {}", names.join(", "))),
        _ => fault(at, format!("{} in one step: expected one of them", found.join(" and "))),
    }
}

fn wire_step(fields: &mut Fields<'_>, at: &Pointer) -> Read<WireStep> {
    let on = fields.required_string("on")?;
    let from = role(fields.required("from")?, &at.join("from"))?;
    let what = one_of(fields, &["msg", "raw", "close", "quiet_ms"], at)?;
    let body = match what {
        "msg" => {
            let value = fields.required("msg")?;
            if value.as_object().is_none() {
                return fault(&at.join("msg"), format!("{}: expected a message, an object", value.kind()));
            }
            Body::Message(Template::read(value, &at.join("msg"))?)
        }
        "raw" => Body::Raw(raw(fields, at)?),
        "close" => match fields.truth("close")? {
            Some(true) => Body::Close,
            _ => return fault(&at.join("close"), "false: expected true"),
        },
        _ => Body::Quiet(milliseconds(fields, "quiet_ms")?.unwrap_or_default()),
    };
    let within = milliseconds(fields, "within_ms")?.unwrap_or(DEFAULT_WITHIN);
    let after = milliseconds(fields, "after_ms")?.unwrap_or_default();
    Ok(WireStep { on, from, body, within, after })
}

fn raw(fields: &mut Fields<'_>, at: &Pointer) -> Read<Raw> {
    let hex = fields.required_string("raw")?;
    let Some(bytes) = unhex(&hex) else {
        return fault(&at.join("raw"), "expected an even number of lower-case hexadecimal digits");
    };
    let pad = match fields.get("pad") {
        None => None,
        Some(value) => {
            let at = at.join("pad");
            let mut pad = Fields::new(value, &at)?;
            let (byte, count) = (pad.number("byte")?, pad.number("count")?);
            pad.finish()?;
            match (byte.and_then(|byte| u8::try_from(byte).ok()), count) {
                (Some(byte), Some(count)) => Some((byte, count)),
                _ => return fault(&at, "expected `byte` from 0 to 255 and `count`"),
            }
        }
    };
    let raw = Raw { bytes, pad };
    if raw.is_empty() { fault(&at.join("raw"), "no bytes: expected at least one") } else { Ok(raw) }
}

/// The bytes that lower-case hexadecimal digits stand for.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn unordered(fields: &mut Fields<'_>, at: &Pointer) -> Read<Unordered> {
    let on = fields.required_string("on")?;
    let from = role(fields.required("from")?, &at.join("from"))?;
    let messages = fields.list("unordered", |value, at| {
        let mut inner = Fields::new(value, at)?;
        let step = wire_step(&mut inner, at)?;
        inner.finish()?;
        match step.body {
            Body::Message(template) if step.on == on && step.from == from => Ok(template),
            Body::Message(_) => fault(at, "another `on` or `from` than that of the step: expected the same"),
            _ => fault(at, "not a `msg`: expected one"),
        }
    })?;
    if messages.is_empty() {
        return fault(&at.join("unordered"), "nothing: expected at least one step");
    }
    let within = milliseconds(fields, "within_ms")?.unwrap_or(DEFAULT_WITHIN);
    Ok(Unordered { on, from, messages, within })
}

fn api_step(fields: &mut Fields<'_>, at: &Pointer) -> Read<ApiStep> {
    let on = fields.required_string("on")?;
    let name = fields.string("as")?.unwrap_or_default();
    let what = one_of(fields, &["call", "yields", "returns", "raises"], at)?;
    let value = fields.required(what)?;
    let at = at.join(what);
    let event = match what {
        "call" => ApiEvent::Call(Box::new(api_call(value, &at)?)),
        "yields" => ApiEvent::Yields(Template::read(value, &at)?),
        "returns" => ApiEvent::Returns(Template::read(value, &at)?),
        _ => ApiEvent::Raises(raises(value, &at)?),
    };
    let hints = if what == "raises" { Object::new() } else { hints(fields)? };
    let within = milliseconds(fields, "within_ms")?.unwrap_or(DEFAULT_WITHIN);
    Ok(ApiStep { on, call: name, event, hints, within })
}

/// The member `hints`, when it is there.
fn hints(fields: &mut Fields<'_>) -> Read<Object> {
    let at = fields.at("hints");
    match fields.get("hints") {
        None => Ok(Object::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(other) => fault(&at, format!("{}: expected an object", other.kind())),
    }
}

fn raises(value: &Value, at: &Pointer) -> Read<Template> {
    let mut fields = Fields::new(value, at)?;
    fields.required("error_type")?;
    fields.get("message");
    fields.get("details");
    fields.finish()?;
    Ok(Template::read(value, at)?)
}

fn api_call(value: &Value, at: &Pointer) -> Read<ApiCall> {
    let mut fields = Fields::new(value, at)?;
    let method = match fields.required_string("method")?.as_str() {
        "execute" => Method::Execute,
        "stream" => Method::Stream,
        other => return fault(&at.join("method"), format!("{other:?}: expected execute or stream")),
    };
    let timeout = fields.get("timeout").map(|value| seconds(value, &at.join("timeout"))).transpose()?;
    let kwargs = match fields.get("kwargs") {
        None => Default::default(),
        Some(Value::Object(members)) => members.clone(),
        Some(other) => return fault(&at.join("kwargs"), format!("{}: expected an object", other.kind())),
    };
    let call = ApiCall {
        method,
        app_path: fields.required_string("app_path")?,
        action: fields.required_string("action")?,
        args: fields.list("args", |value, _| Ok(value.clone()))?,
        kwargs,
        take: fields.number("take")?,
        timeout,
        hints: hints(&mut fields)?,
    };
    fields.finish()?;
    Ok(call)
}
