//! Judging a client: the kit plays the arbiter, and a driver makes the client call.
//!
//! A [`ClientDriver`] makes clients; a client [starts](ClientUnderTest::start) calls and reports what their caller
//! sees to [`CallEvents`], from whatever thread. The drivers for the Rust clients of this crate are in
//! [`drivers`](super::drivers); one for a program that is told what to call on its standard input is in
//! [`adapter`](super::adapter).

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::failure::Problem;
use super::matcher::{match_message, match_value};
use super::replay::{Options, Outcome, Peer, Played, Player};
use super::template::Template;
use super::trace::What;
use super::transcript::{ApiCall, ApiEvent, ApiStep, Transcript};
use super::value::{Object, Text, Value};
use crate::message::Role;

/// Makes clients of one kind.
pub trait ClientDriver {
    /// What is judged, for reports: "the blocking Rust client".
    fn name(&self) -> &str;

    /// Whether the clients lack a feature that transcripts may need.
    fn lacks(&self, _feature: &str) -> bool {
        false
    }

    /// Called when a replay begins, with a place to [report](CallEvents::fault) what belongs to no call.
    fn attach(&mut self, _session: CallEvents) {}

    /// Makes a client for the arbiter at `socket`. It connects when it first calls, or at once.
    ///
    /// # Errors
    /// Why there is no client, for a reader.
    fn open(&mut self, socket: &Path) -> Result<Box<dyn ClientUnderTest>, String>;

    /// Called when the client with this label is about to be told to make a call.
    fn told(&mut self, _on: &str, _call: &ApiCall) {}

    /// Called when the caller of the client with this label should see something. Whether that is shown instead of
    /// judged.
    fn shows(&mut self, _on: &str, _wanted: &str) -> bool {
        false
    }
}

/// A client.
pub trait ClientUnderTest {
    /// Starts a call and does not wait for it.
    ///
    /// # Errors
    /// Why the call could not even be started, for a reader.
    fn start(&mut self, call: &ApiCall, events: CallEvents) -> Result<(), String>;
}

/// What the caller of a client sees.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// The stream gave it an item.
    Yields(Value),
    /// The call returned; null for a stream that has ended.
    Returns(Value),
    /// The call raised an error.
    Raises {
        /// Its type.
        error_type: String,
        /// Its text.
        message: String,
        /// Its details, an object.
        details: Value,
    },
}

/// What a driver reports.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Report {
    /// The caller saw something, of which the hinted parts stand for values that JSON does not have.
    Seen(ClientEvent, Object),
    /// The client can be driven no further.
    Fault(Problem),
}

/// Where a driver reports what the caller of one call sees. Cheap to clone, and fit for any thread.
#[derive(Debug, Clone)]
pub struct CallEvents {
    call: u64,
    events: mpsc::Sender<(u64, Report)>,
    wake: Arc<UnixStream>,
}

impl CallEvents {
    /// Reports of the call with this number, which begins at 1; 0 is none.
    pub(super) fn new(call: u64, events: mpsc::Sender<(u64, Report)>, wake: Arc<UnixStream>) -> CallEvents {
        CallEvents { call, events, wake }
    }

    /// The number of the call.
    pub(super) fn call(&self) -> u64 {
        self.call
    }

    /// Reports an event.
    pub fn report(&self, event: ClientEvent) {
        self.report_hinted(event, Object::new());
    }

    /// Reports an event in which some values stand for others: JSON Pointers, from `/yields` or `/returns`, to hints
    /// (VAL-5).
    pub fn report_hinted(&self, event: ClientEvent, hints: Object) {
        self.send(Report::Seen(event, hints));
    }

    /// Reports that the client can be driven no further, and why. What it has done before is still judged.
    pub fn fault(&self, problem: Problem) {
        self.send(Report::Fault(problem));
    }

    fn send(&self, report: Report) {
        // A replay that is over wants no more events.
        if self.events.send((self.call, report)).is_ok() {
            let _ = (&*self.wake).write(&[0]);
        }
    }
}

/// Plays `transcript` as the arbiter, with clients of `driver` as the subject. `directory` is a private one, in
/// which the socket is made.
pub fn replay_client(
    transcript: &Transcript,
    driver: &mut dyn ClientDriver,
    directory: &Path,
    options: &Options,
) -> std::io::Result<Outcome> {
    let socket = directory.join("arbiter.sock");
    let _ = std::fs::remove_file(&socket);
    replay_listening(transcript, driver, UnixListener::bind(&socket)?, options)
}

/// Plays `transcript` as the arbiter that listens there already.
pub(super) fn replay_listening(
    transcript: &Transcript,
    driver: &mut dyn ClientDriver,
    listener: UnixListener,
    options: &Options,
) -> std::io::Result<Outcome> {
    let address = listener.local_addr()?;
    let unnamed = || std::io::Error::other("the socket has no path");
    let socket = address.as_pathname().ok_or_else(unnamed)?.to_owned();
    listener.set_nonblocking(true)?;
    let (wake, wakes) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    wakes.set_nonblocking(true)?;
    let (sender, events) = mpsc::channel();
    let wake = Arc::new(wake);
    driver.attach(CallEvents::new(0, sender.clone(), Arc::clone(&wake)));
    let clients = Clients {
        driver,
        socket,
        clients: BTreeMap::new(),
        calls: BTreeMap::new(),
        started: 0,
        sender,
        wake,
        events,
        early: BTreeMap::new(),
        fault: None,
    };
    let mut player = Player::new(transcript, Role::Client, Peer::Clients(Box::new(clients)), options);
    player.links.listener = Some(listener);
    player.links.wake = Some(wakes);
    Ok(player.run())
}

/// The clients under test of one replay, and the events of their calls.
pub(super) struct Clients<'a> {
    driver: &'a mut dyn ClientDriver,
    socket: PathBuf,
    clients: BTreeMap<String, Box<dyn ClientUnderTest>>,
    /// The running call of each label and name.
    calls: BTreeMap<(String, String), u64>,
    started: u64,
    sender: mpsc::Sender<(u64, Report)>,
    wake: Arc<UnixStream>,
    events: mpsc::Receiver<(u64, Report)>,
    /// Events that came before their step, with their hints.
    early: BTreeMap<u64, VecDeque<(ClientEvent, Object)>>,
    /// Why the client can be driven no further.
    fault: Option<Problem>,
}

impl Clients<'_> {
    fn start(&mut self, step: &ApiStep, call: &ApiCall) -> Result<(), String> {
        if !self.clients.contains_key(&step.on) {
            let client = self.driver.open(&self.socket)?;
            self.clients.insert(step.on.clone(), client);
        }
        self.driver.told(&step.on, call);
        self.started += 1;
        self.calls.insert((step.on.clone(), step.call.clone()), self.started);
        let events = CallEvents::new(self.started, self.sender.clone(), Arc::clone(&self.wake));
        match self.clients.get_mut(&step.on) {
            Some(client) => client.start(call, events),
            None => Ok(()),
        }
    }

    /// The next event of the call that `step` is about, if it has come.
    fn event(&mut self, step: &ApiStep) -> Result<Option<(ClientEvent, Object)>, String> {
        let key = (step.on.clone(), step.call.clone());
        let call = *self.calls.get(&key).ok_or("the step is about a call that was never started")?;
        self.sort();
        Ok(self.early.get_mut(&call).and_then(VecDeque::pop_front))
    }
}

impl Clients<'_> {
    /// Takes what the driver has reported.
    fn sort(&mut self) {
        for (call, report) in self.events.try_iter() {
            match report {
                Report::Seen(event, hints) => self.early.entry(call).or_default().push_back((event, hints)),
                Report::Fault(problem) => self.fault = self.fault.take().or(Some(problem)),
            }
        }
    }

    /// Why the client can be driven no further, if that is so.
    pub(super) fn fault(&mut self) -> Option<Problem> {
        self.sort();
        self.fault.clone()
    }
}

impl Player<'_> {
    /// Plays an API step; a subject that is not a client has none.
    pub(super) fn api(&mut self, step: &ApiStep) -> Played<()> {
        let Peer::Clients(clients) = &mut self.peer else { return Ok(()) };
        let wanted = match &step.event {
            ApiEvent::Call(call) => {
                let started = clients.start(step, call);
                self.note(&step.on, Role::Arbiter, What::Api(describe_call(call)));
                return started.map_err(Problem::Driver);
            }
            ApiEvent::Yields(template) => ("an item", template),
            ApiEvent::Returns(template) => ("a result", template),
            ApiEvent::Raises(template) => ("an error", template),
        };
        let due = format!("{} like {}", wanted.0, wanted.1.describe());
        if clients.driver.shows(&step.on, &due) {
            return Ok(());
        }
        let (event, hints) = self.next_event(step, &due)?;
        self.note(&step.on, Role::Client, What::Api(event.describe()));
        self.compare(&step.event, wanted, &event)?;
        if hints == step.hints {
            return Ok(());
        }
        let shown = |hints: &Object| Value::Object(hints.clone()).to_string();
        let (wanted, got) = (shown(&step.hints), shown(&hints));
        Err(Problem::Api {
            wanted: format!("the hints {wanted}"),
            got: format!("{} with the hints {got}", event.describe()),
            mismatch: None,
        })
    }

    fn next_event(&mut self, step: &ApiStep, wanted: &str) -> Played<(ClientEvent, Object)> {
        let within = self.scaled(step.within);
        let deadline = Instant::now() + within;
        loop {
            let Peer::Clients(clients) = &mut self.peer else {
                return Err(Problem::Ours("an API step without a client".to_string()));
            };
            if let Some(event) = clients.event(step).map_err(Problem::Ours)? {
                return Ok(event);
            }
            if Instant::now() >= deadline {
                return Err(Problem::ApiSilent { within, wanted: wanted.to_string() });
            }
            self.wait(None, deadline)?;
        }
    }

    fn compare(&mut self, due: &ApiEvent, wanted: (&str, &Template), event: &ClientEvent) -> Played<()> {
        let matched = match (due, event) {
            (ApiEvent::Yields(template), ClientEvent::Yields(value))
            | (ApiEvent::Returns(template), ClientEvent::Returns(value)) => {
                match_value(template, value, &mut self.bindings)
            }
            (ApiEvent::Raises(template), ClientEvent::Raises { .. }) => {
                match_message(template, &event.value(), &mut self.bindings)
            }
            _ => {
                let wanted = format!("{} like {}", wanted.0, wanted.1.describe());
                return Err(Problem::Api { wanted, got: event.describe(), mismatch: None });
            }
        };
        matched.map_err(|mismatch| Problem::Api {
            wanted: format!("{} at {}", mismatch.wanted, mismatch.pointer),
            got: event.describe(),
            mismatch: Some(mismatch),
        })
    }
}

impl ClientEvent {
    /// What there is to compare.
    pub(super) fn value(&self) -> Value {
        match self {
            ClientEvent::Yields(value) | ClientEvent::Returns(value) => value.clone(),
            ClientEvent::Raises { error_type, message, details } => {
                let mut members = Object::new();
                members.insert(Text::from("error_type"), Value::string(error_type));
                members.insert(Text::from("message"), Value::string(message));
                members.insert(Text::from("details"), details.clone());
                Value::Object(members)
            }
        }
    }

    fn describe(&self) -> String {
        let what = match self {
            ClientEvent::Yields(_) => "item",
            ClientEvent::Returns(_) => "result",
            ClientEvent::Raises { .. } => "error",
        };
        format!("{what} {}", self.value().excerpt(300))
    }
}

pub(super) fn describe_call(call: &ApiCall) -> String {
    let mut arguments: Vec<String> = call.args.iter().map(ToString::to_string).collect();
    arguments.extend(call.kwargs.iter().map(|(name, value)| format!("{}={value}", name.lossy())));
    let arguments = super::value::excerpt(&arguments.join(", "), 300);
    format!("{} {} {}({arguments})", call.method.name(), call.app_path, call.action)
}
