//! The floor: the leanest relay that keeps frames whole. One thread, one epoll, no look into a payload but for the first
//! letter of a reply's type, which says whether the call has ended.
//!
//! Like an arbiter it stores a frame before it forwards it, gives a request to an idle worker, and does not read from a
//! worker whose client does not read. It has no deadlines, ids, limits or replacement.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::frames::{HEADER, Inbox};

struct Link {
    stream: UnixStream,
    inbox: Inbox,
    /// What the peer has not taken yet.
    outbox: Vec<u8>,
    /// So many bytes of `outbox` are gone already.
    sent: usize,
    interest: EpollFlags,
    /// Of a worker: whose call it runs.
    client: Option<u64>,
    /// Of a worker: not read while its client does not read.
    paused: bool,
}

impl Link {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = if self.outbox.is_empty() { partly(&mut self.stream, bytes)? } else { 0 };
        self.outbox.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sent += partly(&mut self.stream, &self.outbox[self.sent..])?;
        if self.sent == self.outbox.len() {
            self.outbox.clear();
            self.sent = 0;
        }
        Ok(())
    }
}

/// Writes what the socket takes.
fn partly(stream: &mut UnixStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// The load has what it wanted, and leaves with calls in flight.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

struct Floor {
    epoll: Epoll,
    links: HashMap<u64, Link>,
    idle: Vec<u64>,
    waiting: VecDeque<(u64, Vec<u8>)>,
}

const LISTENER: u64 = 0;

/// Whether a reply of the worker of this benchmark ends its call.
fn is_last(frame: &[u8]) -> bool {
    !frame[HEADER..].starts_with(b"{\"type\":\"chunk")
}

/// Relays between the clients of `listen` and the workers, one call at a time on each connection to a worker.
pub fn run(listen: &Path, workers: &[String]) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut floor = Floor { epoll, links: HashMap::new(), idle: Vec::new(), waiting: VecDeque::new() };
    let mut next = 1;
    for worker in workers {
        floor.add(next, UnixStream::connect(worker)?)?;
        floor.idle.push(next);
        next += 1;
    }
    let first_client = next;
    let listener = UnixListener::bind(listen)?;
    floor.epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut events = [EpollEvent::empty(); 256];
    loop {
        let count = floor.epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let id = event.data();
            if id == LISTENER {
                floor.add(next, listener.accept()?.0)?;
                next += 1;
                continue;
            }
            if event.events().contains(EpollFlags::EPOLLOUT) {
                floor.drained(id)?;
            }
            if event.events().intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP) {
                if id < first_client { floor.replies(id)? } else { floor.requests(id)? }
            }
        }
    }
}

impl Floor {
    fn add(&mut self, id: u64, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let interest = EpollFlags::EPOLLIN;
        self.epoll.add(&stream, EpollEvent::new(interest, id))?;
        let link = Link {
            stream,
            inbox: Inbox::default(),
            outbox: Vec::new(),
            sent: 0,
            interest,
            client: None,
            paused: false,
        };
        self.links.insert(id, link);
        Ok(())
    }

    /// Waits for what the link is ready for.
    fn watch(&mut self, id: u64) -> io::Result<()> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let mut interest = EpollFlags::empty();
        interest.set(EpollFlags::EPOLLIN, !link.paused);
        interest.set(EpollFlags::EPOLLOUT, !link.outbox.is_empty());
        if interest != link.interest {
            link.interest = interest;
            self.epoll.modify(&link.stream, &mut EpollEvent::new(interest, id))?;
        }
        Ok(())
    }

    fn send(&mut self, id: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match link.send(bytes) {
            Err(error) if is_gone(&error) => self.forget(id),
            Err(error) => Err(error),
            Ok(()) => self.watch(id),
        }
    }

    /// A connection has ended. What a worker still says to it is dropped.
    fn forget(&mut self, id: u64) -> io::Result<()> {
        self.links.remove(&id);
        self.resume(id)
    }

    /// Reads again from the workers that work for a client.
    fn resume(&mut self, client: u64) -> io::Result<()> {
        let mut paused = Vec::new();
        for (id, link) in &mut self.links {
            if link.paused && link.client == Some(client) {
                link.paused = false;
                paused.push(*id);
            }
        }
        paused.into_iter().try_for_each(|worker| self.watch(worker))
    }

    fn start(&mut self, worker: u64, client: u64, frame: &[u8]) -> io::Result<()> {
        if let Some(link) = self.links.get_mut(&worker) {
            link.client = Some(client);
        }
        self.send(worker, frame)
    }

    /// Takes the inbox of a link, filled by one read; `None` at the end of the connection.
    fn read(&mut self, id: u64) -> io::Result<Option<Inbox>> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(None) };
        match link.inbox.fill(&mut link.stream) {
            Ok(0) => self.forget(id).map(|()| None),
            Ok(_) => Ok(Some(std::mem::take(&mut link.inbox))),
            Err(error) if is_gone(&error) => self.forget(id).map(|()| None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&mut self, id: u64, inbox: Inbox) {
        if let Some(link) = self.links.get_mut(&id) {
            link.inbox = inbox;
        }
    }

    fn requests(&mut self, client: u64) -> io::Result<()> {
        let Some(mut inbox) = self.read(client)? else { return Ok(()) };
        while let Some(frame) = inbox.frame() {
            match self.idle.pop() {
                Some(worker) => self.start(worker, client, frame)?,
                None => self.waiting.push_back((client, frame.to_vec())),
            }
        }
        self.keep(client, inbox);
        Ok(())
    }

    fn replies(&mut self, worker: u64) -> io::Result<()> {
        let client = self.links.get(&worker).and_then(|link| link.client);
        let Some(mut inbox) = self.read(worker)? else { return Ok(()) };
        if let (Some(client), Some((run, ended))) = (client, inbox.run(is_last)) {
            self.send(client, run)?;
            if ended {
                match self.waiting.pop_front() {
                    Some((client, frame)) => self.start(worker, client, &frame)?,
                    None => self.idle.push(worker),
                }
            } else if self.links.get(&client).is_some_and(|link| !link.outbox.is_empty()) {
                if let Some(link) = self.links.get_mut(&worker) {
                    link.paused = true;
                }
                self.watch(worker)?;
            }
        }
        self.keep(worker, inbox);
        Ok(())
    }

    /// The peer takes bytes again.
    fn drained(&mut self, id: u64) -> io::Result<()> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match link.flush() {
            Err(error) if is_gone(&error) => return self.forget(id),
            result => result?,
        }
        if !link.outbox.is_empty() {
            return Ok(());
        }
        self.watch(id)?;
        self.resume(id)
    }
}
