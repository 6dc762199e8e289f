//! The model of `dirty-transcript/1`: one conversation, written down as data (`golden/README.md`).

use std::collections::BTreeSet;
use std::time::Duration;

use super::template::{Bindings, Template};
use super::value::{Object, Value};
use crate::message::Role;

/// The name of the format, as it stands in every file.
pub const FORMAT: &str = "dirty-transcript/1";

/// How long an expectation waits when its step does not say.
pub const DEFAULT_WITHIN: Duration = Duration::from_millis(5000);

/// The optional features that a transcript may need (`golden/README.md` says what each takes).
pub const FEATURES: [&str; 10] = [
    "timeout",
    "cancel",
    "hints",
    "depth-512",
    "verbatim",
    "no-traceback",
    "slots-2",
    "stream",
    "multiplex",
    "call-timeout",
];

/// The features that a client may lack, of [`FEATURES`].
pub const CLIENT_FEATURES: [&str; 4] = ["stream", "multiplex", "call-timeout", "hints"];

/// How much of the protocol a transcript asks for: each level needs those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The codec: frames, members, values.
    L0,
    /// Calls and their errors.
    L1,
    /// Streams and `cancel`.
    L2,
    /// Pipelining, deadlines, metadata.
    L3,
}

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Level; 4] = [Level::L0, Level::L1, Level::L2, Level::L3];

    /// Its name in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Level::L0 => "L0",
            Level::L1 => "L1",
            Level::L2 => "L2",
            Level::L3 => "L3",
        }
    }

    /// What it adds to the level below it.
    pub fn adds(self) -> &'static str {
        match self {
            Level::L0 => "codec",
            Level::L1 => "calls and errors",
            Level::L2 => "streams and cancel",
            Level::L3 => "pipelining, deadlines, metadata",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Level, String> {
        let found = Level::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| format!("{name:?} is no level: expected L0, L1, L2 or L3"))
    }
}

/// The role that has this name in files and on command lines.
///
/// # Errors
/// What is wrong with the name, and what was expected.
pub fn role_named(name: &str) -> Result<Role, String> {
    let found = [Role::Client, Role::Arbiter, Role::Worker].into_iter().find(|role| role.as_str() == name);
    found.ok_or_else(|| format!("{name:?} is no role: expected client, arbiter or worker"))
}

/// A transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// `<area>/<name>`: never changes and is never used again.
    pub id: String,
    /// The claim, one sentence.
    pub title: String,
    /// Ids of the requirements that the conversation shows.
    pub proves: Vec<String>,
    /// Whom it can judge.
    pub roles: Vec<Role>,
    /// How much of the protocol it asks for; every golden one says it.
    pub level: Option<Level>,
    /// Features without which it is skipped.
    pub needs: Vec<String>,
    /// How to start the subject, when the replayer starts it.
    pub setup: Setup,
    /// Values of variables that the replayer sends before it has seen them.
    pub vars: Bindings,
    /// The version that it first came with.
    pub since: Option<String>,
    /// Anything a reader wants to know.
    pub note: Option<String>,
    /// Whether a `msg` breaks the message schema on purpose.
    pub malformed: bool,
    /// What other implementations did.
    pub seen: Vec<Seen>,
    /// The conversation.
    pub steps: Vec<Step>,
}

/// How a subject is started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setup {
    /// Worker processes.
    pub workers: u64,
    /// Slots per worker.
    pub threads: u64,
    /// The arbiter's time limit; zero is none.
    pub timeout: Duration,
    /// The apps, by path.
    pub apps: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            workers: 2,
            threads: 1,
            timeout: Duration::from_secs(300),
            apps: vec!["fixture:App".to_string()],
        }
    }
}

/// What another implementation did with a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which implementation, with its version.
    pub implementation: String,
    /// What it did.
    pub verdict: String,
    /// Where to read more.
    pub see: Option<String>,
}

/// One line of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Bytes, or their absence, on a connection.
    Wire(WireStep),
    /// Messages that may arrive in any order.
    Unordered(Unordered),
    /// Something that a client under test is told to do, or that its caller sees.
    Api(ApiStep),
}

/// A line on a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct WireStep {
    /// The connection's label.
    pub on: String,
    /// Who speaks.
    pub from: Role,
    /// What.
    pub body: Body,
    /// How long it is waited for.
    pub within: Duration,
    /// The pause before it is sent.
    pub after: Duration,
}

/// What a wire step says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// One frame.
    Message(Template),
    /// Bytes as they are.
    Raw(Raw),
    /// The end of the connection.
    Close,
    /// No byte and no end, for so long.
    Quiet(Duration),
}

/// Bytes as they are on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What follows them: this byte, so many times.
    pub pad: Option<(u8, u64)>,
}

impl Raw {
    /// All bytes, padding included.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.pad.map_or(0, |(_, count)| count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The byte at `index`, which is below [`len`](Self::len).
    pub fn byte(&self, index: u64) -> u8 {
        let pad = self.pad.map_or(0, |(byte, _)| byte);
        usize::try_from(index).ok().and_then(|index| self.bytes.get(index)).copied().unwrap_or(pad)
    }
}

/// Messages of one sender on one connection that may arrive in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct Unordered {
    /// The connection's label.
    pub on: String,
    /// Who speaks.
    pub from: Role,
    /// The messages.
    pub messages: Vec<Template>,
    /// How long all of them together are waited for.
    pub within: Duration,
}

/// A line that drives a client under test.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiStep {
    /// The client's label.
    pub on: String,
    /// The call's name, when several run on one label; else empty.
    pub call: String,
    /// What happens.
    pub event: ApiEvent,
    /// Which parts of what the caller sees stand for values that JSON does not have (VAL-5).
    pub hints: Object,
    /// How long it is waited for.
    pub within: Duration,
}

/// What a client is told, or what its caller must see.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiEvent {
    /// Start a call.
    Call(Box<ApiCall>),
    /// The stream gives its caller an item.
    Yields(Template),
    /// The call returns; a stream that ended returns null.
    Returns(Template),
    /// The call raises an error with at least these members.
    Raises(Template),
}

/// A call that a client under test makes.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiCall {
    /// By which method.
    pub method: Method,
    /// The app.
    pub app_path: String,
    /// The action.
    pub action: String,
    /// Its positional arguments.
    pub args: Vec<Value>,
    /// Its keyword arguments.
    pub kwargs: Object,
    /// After how many items the caller leaves the stream.
    pub take: Option<u64>,
    /// How long the caller is ready to wait.
    pub timeout: Option<Duration>,
    /// Which arguments stand for values that JSON does not have (VAL-5).
    pub hints: Object,
}

/// The methods of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// One result.
    Execute,
    /// Items.
    Stream,
}

impl Method {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Method::Execute => "execute",
            Method::Stream => "stream",
        }
    }
}

impl Transcript {
    /// Whether it judges `role`.
    pub fn judges(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Who speaks a line that says `from`, when `role` is judged. A worker is judged from a client's lines by
    /// taking the arbiter's place: client is then read as arbiter, and arbiter as worker.
    pub fn speaker(&self, from: Role, role: Role) -> Role {
        match (role, from) {
            (Role::Worker, Role::Client) => Role::Arbiter,
            (Role::Worker, Role::Arbiter) if self.has_client_lines() => Role::Worker,
            _ => from,
        }
    }

    /// The feature that it needs and the subject lacks, if there is one. A call by `stream` needs the feature of that
    /// name.
    pub fn lacking(&self, lacks: impl Fn(&str) -> bool) -> Option<String> {
        let streams = self.steps.iter().any(|step| {
            matches!(step, Step::Api(ApiStep { event: ApiEvent::Call(call), .. }) if call.method == Method::Stream)
        });
        let needs = self.needs.iter().map(String::as_str).chain(streams.then_some("stream"));
        needs.into_iter().find(|need| lacks(need)).map(str::to_string)
    }

    fn has_client_lines(&self) -> bool {
        self.steps.iter().any(|step| step.from() == Some(Role::Client))
    }

    /// The labels of its connections, in order of appearance.
    pub fn connections(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let labels = self.steps.iter().filter(|step| step.from().is_some()).map(Step::on);
        labels.filter(|label| seen.insert(*label)).collect()
    }

    /// Where a variable would be sent before it has a value, when `role` is judged: the step's index and the name.
    pub fn unbound(&self, role: Role) -> Option<(usize, &str)> {
        let mut known: BTreeSet<&str> = self.vars.keys().map(String::as_str).collect();
        for (index, step) in self.steps.iter().enumerate() {
            let sent = step.from().is_some_and(|from| self.speaker(from, role) != role);
            for name in step.templates().into_iter().flat_map(Template::variables) {
                if known.insert(name) && sent {
                    return Some((index, name));
                }
            }
        }
        None
    }
}

impl Step {
    /// The label of its connection or client.
    pub fn on(&self) -> &str {
        match self {
            Step::Wire(step) => &step.on,
            Step::Unordered(step) => &step.on,
            Step::Api(step) => &step.on,
        }
    }

    /// Who speaks; nobody on the wire in an API step.
    pub fn from(&self) -> Option<Role> {
        match self {
            Step::Wire(step) => Some(step.from),
            Step::Unordered(step) => Some(step.from),
            Step::Api(_) => None,
        }
    }

    /// The templates in it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Step::Wire(WireStep { body: Body::Message(template), .. }) => vec![template],
            Step::Wire(_) => Vec::new(),
            Step::Unordered(step) => step.messages.iter().collect(),
            Step::Api(step) => match &step.event {
                ApiEvent::Call(_) => Vec::new(),
                ApiEvent::Yields(t) | ApiEvent::Returns(t) | ApiEvent::Raises(t) => vec![t],
            },
        }
    }
}
