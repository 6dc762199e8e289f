//! The half of the replay that listens.

use std::time::{Duration, Instant};

use super::{Played, Player};
use crate::check::blame;
use crate::check::departure::{Departure, match_but_for};
use crate::check::failure::Problem;
use crate::check::matcher::match_message;
use crate::check::template::Template;
use crate::check::trace::{What, show};
use crate::check::transcript::{Body, Raw, Unordered, WireStep};
use crate::check::value::Value;
use crate::message::Role;
use crate::wire::Frame;

/// How long the end of a connection may take that was closed before another was opened.
const MOMENT: Duration = Duration::from_millis(100);

impl Player<'_> {
    pub(super) fn expect(&mut self, step: &WireStep, by: Role) -> Played<()> {
        let within = self.scaled(step.within);
        match &step.body {
            Body::Message(template) => self.expect_message(&step.on, by, template, within),
            Body::Raw(raw) => self.expect_raw(&step.on, by, raw, within),
            Body::Close => self.expect_close(&step.on, by, within),
            Body::Quiet(time) => self.expect_quiet(&step.on, by, *time),
        }
    }

    /// The next frame on `on`; `wanted` says in an error what it should have been.
    fn read_frame(
        &mut self,
        on: &str,
        by: Role,
        wanted: &str,
        within: Duration,
        deadline: Instant,
    ) -> Played<Frame> {
        loop {
            let link = self.link(on)?;
            let ended = link.ended();
            let error = match link.next_frame() {
                Ok(Some(frame)) => {
                    self.note(on, by, What::message(frame.payload()));
                    return Ok(frame);
                }
                Ok(None) if ended => link.finish().err(),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            let wanted = wanted.to_string();
            if let Some((label, frame)) = self.links.surplus_frame() {
                self.note(&label, by, What::message(frame.payload()));
                let got = show(frame.payload());
                return Err(Problem::OtherConnection { on: on.to_string(), got, wanted });
            }
            if let Some(error) = error {
                return Err(Problem::BadFrame { error, wanted });
            }
            if ended {
                self.note_end(on, by);
                return Err(Problem::Ended { wanted });
            }
            if Instant::now() >= deadline {
                let got = self.link(on)?.buffered().len();
                return Err(Problem::Silent { within, got, wanted });
            }
            self.pump(on, deadline)?;
        }
    }

    /// Parses and judges a payload that the subject has sent. `declared` says that the transcript asked for just
    /// this although it breaks the schema.
    fn judged(&mut self, frame: &Frame, by: Role, declared: impl FnOnce(&Value) -> bool) -> Played<Value> {
        let payload = frame.payload();
        let fault = blame::check(payload, by).err();
        match (Value::parse(payload), fault) {
            (Ok(value), None) => Ok(value),
            (Ok(value), Some(_)) if self.transcript.malformed && declared(&value) => Ok(value),
            (_, Some(fault)) => Err(fault.of_subject()),
            (Err(error), None) => {
                let wanted = "a value that the kit can compare".to_string();
                Err(Problem::Unexpected { got: format!("{error}, in {}", show(payload)), wanted })
            }
        }
    }

    fn expect_message(&mut self, on: &str, by: Role, template: &Template, within: Duration) -> Played<()> {
        let deadline = Instant::now() + within;
        if self.role == Role::Client && is_a(template, "request") && !self.has_cancelled.contains(on) {
            self.follow(on, &template.describe(), deadline)?;
        }
        let frame = self.read_frame(on, by, &template.describe(), within, deadline)?;
        let mut trial = self.bindings.clone();
        let value = self.judged(&frame, by, |value| match_message(template, value, &mut trial).is_ok())?;
        if is_a(template, "cancel") {
            self.has_cancelled.insert(on.to_string());
        }
        let step = self.at + 1;
        let departures = &mut self.departures;
        let mut departed = |requirement, mismatch| departures.push(Departure { requirement, step, mismatch });
        match_but_for(template, &value, &mut self.bindings, &self.transcript.proves, &mut departed)
            .map_err(Problem::Mismatch)
    }

    /// A client that is about to call may have closed its connection between two frames and opened another: nothing obliges
    /// it to keep one for the next call, unless it has sent `cancel` there: then it has late replies to drop (CORR-3).
    fn follow(&mut self, on: &str, wanted: &str, deadline: Instant) -> Played<()> {
        // Who opens another before the end of this one has come is given a moment: the two are on their way.
        let mut until = deadline;
        loop {
            if self.links.has_surplus() {
                until = until.min(Instant::now() + MOMENT);
            }
            let link = self.link(on)?;
            if !link.buffered().is_empty() || Instant::now() >= until {
                return Ok(());
            }
            if link.ended() {
                // What it closed in the middle of is told by who reads it.
                if link.finish().is_err() {
                    return Ok(());
                }
                self.note_end(on, self.role);
                return self.reopened(on, wanted, deadline.min(Instant::now() + 10 * MOMENT));
            }
            self.pump(on, until)?;
        }
    }

    /// Waits for the connection that a client opens in place of the one that it has closed.
    fn reopened(&mut self, on: &str, wanted: &str, until: Instant) -> Played<()> {
        let failed = |error: std::io::Error| Problem::Connect(error.to_string());
        while !self.links.adopt_surplus(on) && !self.links.accept(on).map_err(failed)? {
            if Instant::now() >= until {
                return Err(Problem::Ended { wanted: wanted.to_string() });
            }
            self.pump(on, until)?;
        }
        self.note(on, self.role, What::Open);
        Ok(())
    }

    pub(super) fn expect_unordered(&mut self, step: &Unordered, by: Role) -> Played<()> {
        let within = self.scaled(step.within);
        let deadline = Instant::now() + within;
        let mut waiting: Vec<&Template> = step.messages.iter().collect();
        while let Some(first) = waiting.first() {
            let wanted = match waiting.len() {
                1 => first.describe(),
                more => format!("{more} messages in any order, among them {}", first.describe()),
            };
            let frame = self.read_frame(&step.on, by, &wanted, within, deadline)?;
            let mut trial = self.bindings.clone();
            let declared =
                |value: &Value| waiting.iter().any(|t| match_message(t, value, &mut trial).is_ok());
            let value = self.judged(&frame, by, declared)?;
            let mut closest = None;
            let mut found = None;
            for (index, template) in waiting.iter().enumerate() {
                match match_message(template, &value, &mut self.bindings) {
                    Ok(()) => {
                        found = Some(index);
                        break;
                    }
                    Err(mismatch) => closest = closest.or(Some(mismatch)),
                }
            }
            match (found, closest) {
                (Some(index), _) => drop(waiting.remove(index)),
                (None, Some(closest)) => {
                    return Err(Problem::Unmatched { waiting: waiting.len(), closest });
                }
                (None, None) => return Ok(()),
            }
        }
        Ok(())
    }

    fn expect_raw(&mut self, on: &str, by: Role, raw: &Raw, within: Duration) -> Played<()> {
        let deadline = Instant::now() + within;
        let mut offset = 0;
        loop {
            let left = raw.len() - offset;
            let link = self.link(on)?;
            let ended = link.ended();
            let got = link.take(usize::try_from(left).unwrap_or(usize::MAX));
            if !got.is_empty() {
                self.note(on, by, What::raw(&got, got.len() as u64));
            }
            for got in got {
                let wanted = raw.byte(offset);
                if got != wanted {
                    return Err(Problem::OtherBytes { offset, wanted, got });
                }
                offset += 1;
            }
            if offset == raw.len() {
                return Ok(());
            }
            let wanted = format!("{} more bytes", raw.len() - offset);
            if ended {
                self.note_end(on, by);
                return Err(Problem::Ended { wanted });
            }
            if Instant::now() >= deadline {
                let got = usize::try_from(offset).unwrap_or(usize::MAX);
                return Err(Problem::Silent { within, got, wanted });
            }
            self.pump(on, deadline)?;
        }
    }

    fn expect_close(&mut self, on: &str, by: Role, within: Duration) -> Played<()> {
        let deadline = Instant::now() + within;
        loop {
            let link = self.link(on)?;
            if !link.buffered().is_empty() {
                return Err(self.unexpected(on, by, "the end of the connection"));
            }
            if link.ended() {
                self.note_end(on, by);
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Problem::StillOpen { within });
            }
            self.pump(on, deadline)?;
        }
    }

    fn expect_quiet(&mut self, on: &str, by: Role, time: Duration) -> Played<()> {
        let deadline = Instant::now() + time;
        let wanted = format!("{} ms without a byte, and the connection open", time.as_millis());
        loop {
            let link = self.link(on)?;
            if !link.buffered().is_empty() {
                return Err(self.unexpected(on, by, &wanted));
            }
            if link.ended() {
                self.note_end(on, by);
                return Err(Problem::Ended { wanted });
            }
            if Instant::now() >= deadline {
                self.note(on, by, What::Quiet(time));
                return Ok(());
            }
            self.pump(on, deadline)?;
        }
    }

    /// The peer has ended the connection.
    fn note_end(&mut self, on: &str, by: Role) {
        self.note(on, by, What::Close);
        self.links.close(on);
    }

    /// Bytes have arrived where none should; shows them as what they are, once they are whole.
    fn unexpected(&mut self, on: &str, by: Role, wanted: &str) -> Problem {
        let patience = Instant::now() + Duration::from_millis(50);
        let shown = loop {
            match self.link(on) {
                Ok(link) => match link.next_frame() {
                    Ok(Some(frame)) => break What::message(frame.payload()),
                    Ok(None) if Instant::now() < patience && !link.ended() => {}
                    _ => {
                        let count = link.buffered().len();
                        break What::raw(&link.take(count), count as u64);
                    }
                },
                Err(problem) => return problem,
            }
            if let Err(problem) = self.pump(on, patience) {
                return problem;
            }
        };
        let got = match &shown {
            What::Message(text) => format!("a message ({text})"),
            other => format!("bytes that are no whole frame ({})", other.text()),
        };
        self.note(on, by, shown);
        Problem::Unexpected { got, wanted: wanted.to_string() }
    }
}

/// Whether a template is that of a message of this type.
fn is_a(template: &Template, message_type: &str) -> bool {
    let Template::Object { members, .. } = template else { return false };
    let kind = members.iter().find(|(name, _)| name.lossy() == "type").map(|(_, kind)| kind);
    matches!(kind, Some(Template::Exact(kind)) if kind.as_str() == Some(message_type))
}
