//! Playing a transcript against a subject, over real sockets.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::blame;
use super::client::Clients;
use super::delivery::Delivery;
use super::departure::Departure;
use super::failure::{Failure, Problem};
use super::link::{Link, Links};
use super::spelling::Spelling;
use super::template::Bindings;
use super::trace::{Trace, What};
use super::transcript::{Body, Raw, Step, Transcript, WireStep};
use crate::message::Role;
use crate::wire::Frame;

mod expect;

/// How many messages that nobody asked for are shown on each connection.
const LEFTOVERS: usize = 20;

/// How to play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// How bytes are handed to the kernel.
    pub delivery: Delivery,
    /// How the messages of the kit are written.
    pub spelling: Spelling,
    /// All bounds on expectations are multiplied by this; above 1 on slow machines.
    pub time_scale: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options { delivery: Delivery::default(), spelling: Spelling::default(), time_scale: 1.0 }
    }
}

/// How a replay ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What happened, and when.
    pub trace: Trace,
    /// How long it took.
    pub duration: Duration,
    /// Why it failed; nothing when the subject did all that was expected.
    pub failure: Option<Failure>,
    /// Where it departed from what a SHOULD asks for.
    pub departures: Vec<Departure>,
}

impl Outcome {
    /// Whether the subject was waited for in vain and did nothing in the whole replay but be there.
    pub fn is_mute(&self) -> bool {
        let does = |what: &What| !matches!(what, What::Open | What::Quiet(_) | What::Note(_));
        let waited = self.failure.as_ref().is_some_and(|failure| failure.problem.is_silence());
        waited && !self.trace.events().iter().any(|it| it.subject && does(&it.what))
    }
}

/// Plays `transcript` against the arbiter or worker that listens on `socket`.
pub fn replay(transcript: &Transcript, role: Role, socket: &Path, options: &Options) -> Outcome {
    Player::new(transcript, role, Peer::Socket(socket), options).run()
}

/// Where the subject is.
pub(super) enum Peer<'a> {
    /// It listens there.
    Socket(&'a Path),
    /// It is a client, which connects to us.
    Clients(Box<Clients<'a>>),
}

/// One replay in progress.
pub(super) struct Player<'a> {
    transcript: &'a Transcript,
    role: Role,
    options: Options,
    pub(super) peer: Peer<'a>,
    pub(super) links: Links,
    pub(super) bindings: Bindings,
    pub(super) trace: Trace,
    /// The connections that a client has opened so far, by label.
    opened: BTreeSet<String>,
    /// The connections on which a client has sent `cancel`.
    has_cancelled: BTreeSet<String>,
    /// Where the subject departed from a SHOULD.
    departures: Vec<Departure>,
    /// The step that is being played, from 0.
    at: usize,
}

pub(super) type Played<T> = Result<T, Problem>;

impl<'a> Player<'a> {
    pub(super) fn new(transcript: &'a Transcript, role: Role, peer: Peer<'a>, options: &Options) -> Self {
        Player {
            transcript,
            role,
            options: *options,
            peer,
            links: Links::new(options.delivery),
            bindings: Bindings::new(),
            trace: Trace::start(),
            opened: BTreeSet::new(),
            has_cancelled: BTreeSet::new(),
            departures: Vec::new(),
            at: 0,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        let mut failure = None;
        for (index, step) in self.transcript.steps.iter().enumerate() {
            self.at = index;
            if let Err(problem) = self.play(step) {
                failure = Some(Failure { step: index + 1, on: step.on().to_string(), problem });
                self.record_leftovers();
                break;
            }
        }
        if failure.is_none()
            && let Some(problem) = self.fault()
        {
            let step = self.transcript.steps.len();
            failure = Some(Failure { step, on: String::new(), problem });
        }
        for label in self.links.labels() {
            self.links.close(&label);
        }
        let departures = self.departures;
        Outcome { duration: self.trace.elapsed(), trace: self.trace, failure, departures }
    }

    fn play(&mut self, step: &Step) -> Played<()> {
        match step {
            Step::Api(step) => self.api(step),
            Step::Unordered(step) => {
                let by = self.transcript.speaker(step.from, self.role);
                self.connect(&step.on, self.scaled(step.within))?;
                self.expect_unordered(step, by)
            }
            Step::Wire(step) => {
                let by = self.transcript.speaker(step.from, self.role);
                let expected = by == self.role;
                if !expected && matches!(step.body, Body::Quiet(_)) {
                    return Ok(());
                }
                self.connect(&step.on, self.scaled(step.within))?;
                if expected { self.expect(step, by) } else { self.send(step, by) }
            }
        }
    }

    pub(super) fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.options.time_scale)
    }

    /// Opens the connection, if this is its first step.
    fn connect(&mut self, on: &str, within: Duration) -> Played<()> {
        if self.links.has(on) {
            return Ok(());
        }
        match &self.peer {
            Peer::Socket(path) => {
                let failed = |error: std::io::Error| Problem::Connect(error.to_string());
                let stream = UnixStream::connect(path).map_err(failed)?;
                self.links.add(on, stream).map_err(failed)?;
                self.note(on, self.kit(), What::Open);
            }
            Peer::Clients(_) => {
                let deadline = Instant::now() + within;
                while !self.links.accept(on).map_err(|error| Problem::Connect(error.to_string()))? {
                    if Instant::now() >= deadline {
                        return Err(Problem::NoConnection { within });
                    }
                    self.pump(on, deadline)?;
                }
                self.note(on, Role::Client, What::Open);
                self.opened.insert(on.to_string());
                let all = self.transcript.connections();
                self.links.watch_surplus(all.iter().all(|label| self.opened.contains(*label)));
            }
        }
        Ok(())
    }

    /// The role that the kit plays.
    fn kit(&self) -> Role {
        match self.role {
            Role::Arbiter => Role::Client,
            Role::Client | Role::Worker => Role::Arbiter,
        }
    }

    /// Records what belongs to the step that is being played.
    pub(super) fn note(&mut self, on: &str, by: Role, what: What) {
        self.trace.add(on, by, by == self.role, Some(self.at + 1), what);
    }

    /// Waits until something moves on `focus`, at most until `until`.
    pub(super) fn pump(&mut self, focus: &str, until: Instant) -> Played<()> {
        self.wait(Some(focus), until)
    }

    pub(super) fn wait(&mut self, focus: Option<&str>, until: Instant) -> Played<()> {
        let fault = self.fault();
        // A client that can do no more has still sent what it sent before; it is looked at first.
        let until = if fault.is_some() { Instant::now() } else { until };
        let failed = |error| Problem::Ours(format!("cannot wait on sockets: {error}"));
        let moved = self.links.pump(focus, until).map_err(failed)?;
        match fault {
            Some(problem) if !moved => Err(problem),
            _ => Ok(()),
        }
    }

    /// Why the client under test can do no more, if that is so.
    fn fault(&mut self) -> Option<Problem> {
        match &mut self.peer {
            Peer::Clients(clients) => clients.fault(),
            Peer::Socket(_) => None,
        }
    }

    /// The connection `on`, which [`connect`](Self::connect) has opened.
    fn link(&mut self, on: &str) -> Played<&mut Link> {
        self.links.get_mut(on).ok_or_else(|| Problem::Ours(format!("connection {on:?} is not open")))
    }

    fn send(&mut self, step: &WireStep, by: Role) -> Played<()> {
        if !step.after.is_zero() {
            self.flush(&step.on)?;
            let resume = Instant::now() + step.after;
            while Instant::now() < resume {
                self.wait(None, resume)?;
            }
        }
        match &step.body {
            Body::Message(template) => {
                let rendered = template.render(&mut self.bindings, &self.transcript.vars);
                let rendered = rendered.map_err(|error| Problem::Ours(error.to_string()))?;
                let payload = self.options.spelling.write(&rendered).into_bytes();
                if !self.transcript.malformed {
                    blame::check_shape(&payload).map_err(blame::Fault::of_kit)?;
                }
                let frame = Frame::from_payload(&payload, &Default::default());
                let frame = frame.map_err(|error| Problem::Ours(format!("it sends a {error}")))?;
                self.note(&step.on, by, What::message(&payload));
                self.link(&step.on)?.outgoing.push(frame.as_bytes().to_vec());
            }
            Body::Raw(Raw { bytes, pad }) => {
                self.note(&step.on, by, raw_event(bytes, *pad));
                let outgoing = &mut self.link(&step.on)?.outgoing;
                outgoing.push(bytes.clone());
                if let Some((byte, count)) = pad {
                    outgoing.push_pad(*byte, *count);
                }
            }
            Body::Close => {
                self.flush(&step.on)?;
                self.links.close(&step.on);
                self.note(&step.on, by, What::Close);
                return Ok(());
            }
            Body::Quiet(_) => return Ok(()),
        }
        if self.options.delivery == Delivery::Coalesced && self.sends_next_on(&step.on) {
            return Ok(());
        }
        self.flush(&step.on)
    }

    /// Whether the next step is a send on the same connection, without a pause.
    fn sends_next_on(&self, on: &str) -> bool {
        let Some(Step::Wire(next)) = self.transcript.steps.get(self.at + 1) else { return false };
        let sent = self.transcript.speaker(next.from, self.role) != self.role;
        let bytes = matches!(next.body, Body::Message(_) | Body::Raw(_));
        sent && bytes && next.on == on && next.after.is_zero()
    }

    /// Writes what is queued, as far as the peer takes it. A peer that answers before it has read everything is
    /// listened to at once; the rest goes on being written while the next steps are played.
    fn flush(&mut self, on: &str) -> Played<()> {
        let deadline = Instant::now() + self.scaled(super::transcript::DEFAULT_WITHIN);
        let before = self.link(on)?.buffered().len();
        loop {
            let link = self.link(on)?;
            let answered = link.buffered().len() > before || link.ended();
            if link.outgoing.is_empty() || answered || Instant::now() >= deadline {
                return Ok(());
            }
            self.pump(on, deadline)?;
        }
    }

    /// After a failure: what else has arrived, on any connection, that nobody asked for.
    fn record_leftovers(&mut self) {
        for on in self.links.labels() {
            let _ = self.links.pump(Some(&on), Instant::now());
            for _ in 0..LEFTOVERS {
                let Some(link) = self.links.get_mut(&on) else { break };
                let what = match link.next_frame() {
                    Ok(Some(frame)) => What::message(frame.payload()),
                    _ if !link.buffered().is_empty() => {
                        let count = link.buffered().len();
                        What::raw(&link.take(count), count as u64)
                    }
                    _ if link.ended() => {
                        self.links.close(&on);
                        What::Close
                    }
                    _ => break,
                };
                self.trace.add(&on, self.role, true, None, what);
            }
        }
    }
}

fn raw_event(bytes: &[u8], pad: Option<(u8, u64)>) -> What {
    match (What::raw(bytes, bytes.len() as u64), pad) {
        (What::Raw(text), Some((byte, count))) => What::Raw(format!("{text} + {count} × {byte:02x}")),
        (what, _) => what,
    }
}
