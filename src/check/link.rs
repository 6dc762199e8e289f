//! Connections of a replay: non-blocking, one `poll` for all, so that no write can starve a read.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::delivery::{Delivery, Outgoing};
use crate::wire::{Frame, FrameDecoder, FrameError, Limits};

/// How many connections that belong to no label are taken.
const MOST_SURPLUS: usize = 4;

/// How many blocks are read before what they hold is looked at.
const BLOCKS: usize = 16;

/// One connection to (or from) the subject.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    incoming: FrameDecoder,
    /// What is still to be written.
    pub(super) outgoing: Outgoing,
    ended: bool,
}

impl Link {
    fn new(stream: UnixStream, delivery: Delivery) -> io::Result<Link> {
        stream.set_nonblocking(true)?;
        let incoming = FrameDecoder::new(Limits::default());
        Ok(Link { stream, incoming, outgoing: Outgoing::new(delivery), ended: false })
    }

    /// The next whole frame that has arrived.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        self.incoming.next_frame()
    }

    /// Bytes that have arrived and were not taken yet.
    pub(super) fn buffered(&self) -> &[u8] {
        self.incoming.buffered()
    }

    /// Takes `count` of the bytes that have arrived.
    pub(super) fn take(&mut self, count: usize) -> bytes::BytesMut {
        let available = self.buffered().len();
        self.incoming.buffer_mut().split_to(count.min(available))
    }

    /// Whether the peer has ended the connection (end of file, reset).
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Says whether the connection may end here.
    pub(super) fn finish(&self) -> Result<(), FrameError> {
        self.incoming.finish()
    }

    fn write_some(&mut self) {
        while let Some(bytes) = self.outgoing.next() {
            match self.stream.write(bytes) {
                Ok(written) => self.outgoing.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A broken pipe: what the peer still had to say, and its end, are found by reading.
                Err(_) => self.outgoing.clear(),
            }
        }
    }

    /// Reads what has arrived, but not without bound: a peer may write faster than this reads, for ever.
    fn read_some(&mut self) {
        let mut block = [0; 64 * 1024];
        for _ in 0..BLOCKS {
            match self.stream.read(&mut block) {
                Ok(0) => self.ended = true,
                Ok(got) => {
                    self.incoming.push(&block[..got]);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
            return;
        }
    }

    fn wants_to_write(&self) -> bool {
        !self.outgoing.is_empty() && self.outgoing.paused_until().is_none_or(|until| until <= Instant::now())
    }
}

/// All connections of a replay, by label.
#[derive(Debug)]
pub(super) struct Links {
    links: BTreeMap<String, Link>,
    delivery: Delivery,
    /// Where a client under test connects.
    pub(super) listener: Option<UnixListener>,
    /// Becomes readable when a client under test has an event.
    pub(super) wake: Option<UnixStream>,
    /// Whether every connection that the transcript knows has been opened, so that one more is one too many.
    surplus: bool,
}

/// How the labels of connections begin that no transcript knows.
const SURPLUS: &str = "+";

impl Links {
    pub(super) fn new(delivery: Delivery) -> Links {
        Links { links: BTreeMap::new(), delivery, listener: None, wake: None, surplus: false }
    }

    pub(super) fn get_mut(&mut self, label: &str) -> Option<&mut Link> {
        self.links.get_mut(label)
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.links.contains_key(label)
    }

    pub(super) fn add(&mut self, label: &str, stream: UnixStream) -> io::Result<()> {
        self.links.insert(label.to_string(), Link::new(stream, self.delivery)?);
        Ok(())
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, label: &str) {
        self.links.remove(label);
    }

    /// The labels of the connections that are open on our side.
    pub(super) fn labels(&self) -> Vec<String> {
        self.links.keys().cloned().collect()
    }

    /// Takes a connection that a client under test has opened, if there is one.
    pub(super) fn accept(&mut self, label: &str) -> io::Result<bool> {
        let Some(listener) = &self.listener else { return Ok(false) };
        match listener.accept() {
            Ok((stream, _)) => self.add(label, stream).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether there is a connection that belongs to no label.
    pub(super) fn has_surplus(&self) -> bool {
        self.links.keys().any(|label| label.starts_with(SURPLUS))
    }

    /// Gives a label to a connection that had none, if there is one.
    pub(super) fn adopt_surplus(&mut self, label: &str) -> bool {
        let surplus = self.links.keys().find(|known| known.starts_with(SURPLUS)).cloned();
        let link = surplus.and_then(|known| self.links.remove(&known));
        link.map(|link| self.links.insert(label.to_string(), link)).is_some()
    }

    /// From now on, or no more, connections that a client under test opens belong to no label.
    pub(super) fn watch_surplus(&mut self, watch: bool) {
        self.surplus = watch;
    }

    /// A frame that has come on a connection that belongs to no label, and its name.
    pub(super) fn surplus_frame(&mut self) -> Option<(String, Frame)> {
        let surplus = self.links.iter_mut().filter(|(label, _)| label.starts_with(SURPLUS));
        surplus.into_iter().find_map(|(label, link)| Some((label.clone(), link.next_frame().ok()??)))
    }

    /// Takes the connections that belong to no label.
    fn accept_surplus(&mut self) -> io::Result<()> {
        if self.takes_surplus() {
            let count = self.links.keys().filter(|label| label.starts_with(SURPLUS)).count();
            self.accept(&format!("{SURPLUS}{}", count + 1))?;
        }
        Ok(())
    }

    /// Waits until something moves, at most until `until`, and says whether anything did: writes wherever something is to be written, reads on
    /// `focus` alone, or watches for a client when that connection does not exist yet. (Reading elsewhere would relieve a peer of the back-pressure that a transcript is about.)
    pub(super) fn pump(&mut self, focus: Option<&str>, until: Instant) -> io::Result<bool> {
        let now = Instant::now();
        let paused = self.links.values().filter_map(|link| link.outgoing.paused_until());
        let until = paused.chain([until]).min().unwrap_or(until);
        let mut fds = Vec::new();
        for (label, link) in &self.links {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, reads(focus, label) && !link.ended);
            flags.set(PollFlags::POLLOUT, link.wants_to_write());
            if !flags.is_empty() {
                fds.push(PollFd::new(link.stream.as_fd(), flags));
            }
        }
        let missing = focus.is_some_and(|label| !self.links.contains_key(label));
        let awaited = self.listener.as_ref().filter(|_| missing || self.takes_surplus());
        fds.extend(awaited.map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN)));
        fds.extend(self.wake.iter().map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, timeout(until.saturating_duration_since(now))) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        // The wake, which comes last, is about something else.
        let links = fds.len() - usize::from(self.wake.is_some());
        let moved = fds[..links].iter().any(|fd| fd.any().unwrap_or_default());
        drop(fds);
        if let Some(wake) = &mut self.wake {
            // Only a signal: the events themselves are elsewhere.
            while matches!(wake.read(&mut [0; 64]), Ok(got) if got > 0) {}
        }
        for (label, link) in &mut self.links {
            if !link.outgoing.is_empty() {
                link.write_some();
            }
            if reads(focus, label) && !link.ended {
                link.read_some();
            }
        }
        self.accept_surplus()?;
        Ok(moved)
    }

    fn takes_surplus(&self) -> bool {
        let count = self.links.keys().filter(|label| label.starts_with(SURPLUS)).count();
        self.surplus && count < MOST_SURPLUS
    }
}

/// Whether a connection is read while `focus` is waited for.
fn reads(focus: Option<&str>, label: &str) -> bool {
    focus == Some(label) || label.starts_with(SURPLUS)
}

/// The time as `poll` wants it: in milliseconds, rounded up so that a wait never spins.
fn timeout(time: Duration) -> PollTimeout {
    let milliseconds = time.as_micros().div_ceil(1000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}
