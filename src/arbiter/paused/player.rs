//! Walks through a transcript on paused time.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::Bytes;
use nix::sys::socket::Shutdown;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use super::Subject;
use super::pipe::End;
use crate::arbiter::tasks;
use crate::check::blame;
use crate::check::matcher::match_message;
use crate::check::template::{Bindings, Template};
use crate::check::transcript::{Body, Raw, Step, Transcript, Unordered, WireStep};
use crate::check::value::Value;
use crate::message::Role;
use crate::transcode::{GdFrame, to_gd, to_json};
use crate::wire::{Codec, Frame, FrameDecoder, Head, Limits};

type Played<T> = Result<T, String>;

/// One transcript being played.
pub(super) struct Player<'a> {
    transcript: &'a Transcript,
    role: Role,
    subject: &'a Subject,
    codec: Codec,
    connections: HashMap<&'a str, Connection>,
    bindings: Bindings,
}

/// What a transcript that cannot be played in a codec has in it.
pub(super) const NOT_IN_CODEC: &str = "has no counterpart in gd/1";

/// A connection of ours.
struct Connection {
    end: Rc<End>,
    incoming: FrameDecoder,
    ids: Ids,
    /// What is to be written, in its order.
    outgoing: UnboundedSender<Outgoing>,
}

enum Outgoing {
    Bytes(Vec<u8>),
    Pad(u8, u64),
    Close,
}

impl<'a> Player<'a> {
    pub fn new(transcript: &'a Transcript, role: Role, codec: Codec, subject: &'a Subject) -> Player<'a> {
        let (connections, bindings) = (HashMap::new(), Bindings::new());
        Player { transcript, role, subject, codec, connections, bindings }
    }

    pub async fn play(mut self) -> Played<()> {
        for (index, step) in self.transcript.steps.iter().enumerate() {
            let played = match step {
                Step::Api(_) => Ok(()),
                Step::Unordered(step) => self.expect_unordered(step).await,
                Step::Wire(step) if self.transcript.speaker(step.from, self.role) == self.role => {
                    self.expect(step).await
                }
                Step::Wire(step) => self.send(step).await,
            };
            played.map_err(|problem| format!("step {}: {problem}", index + 1))?;
        }
        Ok(())
    }

    fn connection(&mut self, on: &'a str) -> &mut Connection {
        let subject = self.subject;
        self.connections.entry(on).or_insert_with(|| Connection::new(subject.connect()))
    }

    async fn send(&mut self, step: &'a WireStep) -> Played<()> {
        if matches!(step.body, Body::Quiet(_)) {
            return Ok(());
        }
        tokio::time::sleep(step.after).await;
        let outgoing = match &step.body {
            Body::Message(template) => {
                let value = template.render(&mut self.bindings, &self.transcript.vars);
                let payload = value.map_err(|error| error.to_string())?.to_string();
                let frame = match self.codec {
                    Codec::Json => Frame::from_payload(payload.as_bytes(), &Limits::default())
                        .map_err(|error| error.to_string())?
                        .into_bytes(),
                    Codec::Gd => self.connection(&step.on).ids.encode(payload.as_bytes())?,
                };
                vec![Outgoing::Bytes(frame.to_vec())]
            }
            Body::Raw(_) if self.codec == Codec::Gd => return Err(NOT_IN_CODEC.to_owned()),
            Body::Raw(Raw { bytes, pad }) => {
                let pad = pad.map(|(byte, count)| Outgoing::Pad(byte, count));
                [Outgoing::Bytes(bytes.clone())].into_iter().chain(pad).collect()
            }
            Body::Close => vec![Outgoing::Close],
            Body::Quiet(_) => Vec::new(),
        };
        let connection = self.connection(&step.on);
        for part in outgoing {
            // The writer ends when the subject takes nothing more: that is found by reading.
            let _ = connection.outgoing.send(part);
        }
        Ok(())
    }

    async fn expect(&mut self, step: &'a WireStep) -> Played<()> {
        let deadline = Instant::now() + step.within;
        match &step.body {
            Body::Message(template) => {
                let value = self.read(&step.on, deadline).await?;
                match_message(template, &value, &mut self.bindings).map_err(|mismatch| mismatch.to_string())
            }
            Body::Raw(raw) => self.expect_raw(&step.on, raw, deadline).await,
            Body::Close => match self.connection(&step.on).more(deadline).await {
                More::End => Ok(()),
                more => Err(format!("expected the end of the connection, found {more:?}")),
            },
            Body::Quiet(time) => match self.connection(&step.on).more(Instant::now() + *time).await {
                More::Nothing => Ok(()),
                more => Err(format!("expected {time:?} of silence, found {more:?}")),
            },
        }
    }

    /// The next message.
    async fn read(&mut self, on: &'a str, deadline: Instant) -> Played<Value> {
        let (malformed, role) = (self.transcript.malformed, self.role);
        let connection = self.connection(on);
        loop {
            if let Some(frame) = connection.incoming.next_whole().map_err(|error| error.to_string())? {
                let frame = connection.ids.decode(frame)?;
                if !malformed {
                    blame::check(frame.payload(), role).map_err(|fault| format!("{fault:?}"))?;
                }
                return Value::parse(frame.payload()).map_err(|error| error.to_string());
            }
            match connection.fill(deadline).await {
                More::Bytes => (),
                more => return Err(format!("expected a message, found {more:?}")),
            }
        }
    }

    async fn expect_unordered(&mut self, step: &'a Unordered) -> Played<()> {
        let deadline = Instant::now() + step.within;
        let mut waiting: Vec<&Template> = step.messages.iter().collect();
        while !waiting.is_empty() {
            let value = self.read(&step.on, deadline).await?;
            let found = waiting.iter().position(|it| match_message(it, &value, &mut self.bindings).is_ok());
            waiting.remove(found.ok_or_else(|| format!("nothing waits for {value}"))?);
        }
        Ok(())
    }

    async fn expect_raw(&mut self, on: &'a str, raw: &Raw, deadline: Instant) -> Played<()> {
        let connection = self.connection(on);
        let mut offset = 0;
        while offset < raw.len() {
            if connection.incoming.buffered().is_empty() {
                match connection.fill(deadline).await {
                    More::Bytes => (),
                    more => return Err(format!("expected byte {offset}, found {more:?}")),
                }
            }
            let available = connection.incoming.buffered().len();
            let count = available.min(usize::try_from(raw.len() - offset).unwrap());
            for byte in connection.incoming.buffer_mut().split_to(count) {
                if byte != raw.byte(offset) {
                    return Err(format!("byte {offset} is {byte:02x}: expected {:02x}", raw.byte(offset)));
                }
                offset += 1;
            }
        }
        Ok(())
    }
}

/// The ids of one connection, and the numbers that stand for them in `gd/1`.
#[derive(Default)]
struct Ids(Vec<String>);

impl Ids {
    /// A message as a frame of `gd/1`.
    fn encode(&mut self, payload: &[u8]) -> Played<Bytes> {
        let head = Head::read(payload, &Limits::default()).map_err(|_| NOT_IN_CODEC.to_owned())?;
        let id = head.id().unwrap_or_default();
        let known = self.0.iter().position(|known| known == id);
        let index = known.unwrap_or_else(|| {
            self.0.push(id.to_owned());
            self.0.len() - 1
        });
        to_gd(payload, head.message_type(), index as u64 + 1, &Limits::default())
            .map_err(|_| NOT_IN_CODEC.to_owned())
    }

    /// A frame of either codec as a message, with the ids of the transcript.
    fn decode(&self, frame: Bytes) -> Played<Frame> {
        if Codec::of(&frame) == Codec::Json {
            return Ok(Frame::from_whole(frame));
        }
        let frame = GdFrame::read(&frame).map_err(|error| error.to_string())?;
        let index = usize::try_from(frame.header.id).unwrap_or_default();
        let id = index.checked_sub(1).and_then(|index| self.0.get(index));
        to_json(frame, id.map(String::as_str), true, &Limits::default()).map_err(|error| error.to_string())
    }
}

/// What came of waiting.
#[derive(Debug)]
enum More {
    Bytes,
    End,
    Nothing,
}

impl Connection {
    fn new(end: End) -> Connection {
        let end = Rc::new(end);
        let (outgoing, mut parts) = unbounded_channel();
        let writer = Rc::clone(&end);
        tasks::spawn(async move {
            while let Some(part) = parts.recv().await {
                let written = match part {
                    Outgoing::Bytes(bytes) => write(&writer, &bytes).await,
                    Outgoing::Pad(byte, count) => write_pad(&writer, byte, count).await,
                    Outgoing::Close => {
                        writer.shut_down(Shutdown::Both);
                        Err(io::ErrorKind::NotConnected.into())
                    }
                };
                if written.is_err() {
                    return;
                }
            }
        });
        let incoming = FrameDecoder::of_both_codecs(Limits::default());
        Connection { end, incoming, ids: Ids::default(), outgoing }
    }

    /// Reads once.
    async fn fill(&mut self, deadline: Instant) -> More {
        loop {
            match self.end.try_read_buf(self.incoming.buffer_mut()) {
                Ok(0) => return More::End,
                Ok(_) => return More::Bytes,
                Err(_) => (),
            }
            if timeout_at(deadline, self.end.readable()).await.is_err() {
                return More::Nothing;
            }
        }
    }

    /// What comes next, bytes that have come already included.
    async fn more(&mut self, deadline: Instant) -> More {
        if self.incoming.buffered().is_empty() { self.fill(deadline).await } else { More::Bytes }
    }
}

async fn write(end: &End, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        end.writable().await?;
        match end.try_write_vectored(&[IoSlice::new(bytes)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn write_pad(end: &End, byte: u8, mut count: u64) -> io::Result<()> {
    let block = [byte; 64 * 1024];
    while count > 0 {
        let length = count.min(block.len() as u64);
        write(end, &block[..usize::try_from(length).unwrap_or(block.len())]).await?;
        count -= length;
    }
    Ok(())
}
