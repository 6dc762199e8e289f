//! The relay between an honest role and its peer, in which a fault sits.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Saboteur;
use super::fault::{Act, Fault, Hands, Line, Message, NoFrame};
use crate::message::Role;
use crate::wire::{FrameDecoder, Limits};

/// How much is read at once, in bytes.
const BLOCK: usize = 64 * 1024;

/// A relay that is at work until it is dropped.
#[derive(Debug)]
pub struct Relay {
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Relay {
    /// Listens on `socket`, and connects to `target` for everyone who connects there. What the role `honest` sends
    /// passes through the fault of `saboteur`; without one everything passes as it is. A client is honest on the side
    /// that connects, an arbiter or a worker on the other.
    ///
    /// # Errors
    /// The socket or the thread cannot be made.
    pub fn start(
        saboteur: Option<&Saboteur>,
        honest: Role,
        socket: &Path,
        target: &Path,
    ) -> io::Result<Relay> {
        let listener = StdListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let fault = saboteur.map_or_else(|| Box::new(Honest) as Box<dyn Fault>, Saboteur::fault);
        let (stop, stopped) = oneshot::channel();
        let target = target.to_owned();
        let run = move || {
            runtime.block_on(async {
                // A listener of this process that is non-blocking can be watched.
                let Ok(listener) = UnixListener::from_std(listener) else { return };
                tokio::select! {
                    _ = stopped => {}
                    () = relay(listener, &target, honest, fault) => {}
                }
            });
        };
        let thread = thread::Builder::new().name("sabotage".to_string()).spawn(run)?;
        Ok(Relay { socket: socket.to_owned(), stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A relay that has panicked relays no more, which whoever uses it sees.
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

struct Honest;

impl Fault for Honest {}

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Honest,
    Peer,
}

#[derive(Debug)]
enum Event {
    Read(Line, Side, Bytes),
    Ended(Line, Side),
    Woken(u64),
}

enum Write {
    Bytes(Bytes),
    End,
}

/// One side of a connection, as the relay writes to it and cuts what it reads from it.
struct Half {
    writes: mpsc::UnboundedSender<Write>,
    backlog: Arc<AtomicUsize>,
    reader: JoinHandle<()>,
    incoming: FrameDecoder,
    /// A header was out of the limits: all the rest is no frame.
    astray: bool,
    /// Nothing more comes from this side.
    ended: bool,
}

impl Drop for Half {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct Desk {
    fault: Box<dyn Fault>,
    lines: BTreeMap<Line, [Half; 2]>,
    events: mpsc::Sender<Event>,
}

async fn relay(listener: UnixListener, target: &Path, honest: Role, fault: Box<dyn Fault>) {
    let (events, mut incoming) = mpsc::channel(64);
    let mut desk = Desk { fault, lines: BTreeMap::new(), events };
    let mut next: Line = 0;
    loop {
        let alive = tokio::select! {
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { return };
                // Whoever connects to a target that is gone sees an end.
                let Ok(far) = UnixStream::connect(target).await else { continue };
                next += 1;
                let (honest, peer) = if honest == Role::Client { (near, far) } else { (far, near) };
                desk.open(next, honest, peer);
                true
            }
            Some(event) = incoming.recv() => desk.on(event),
        };
        if !alive {
            return;
        }
    }
}

impl Desk {
    fn open(&mut self, line: Line, honest: UnixStream, peer: UnixStream) {
        let half = |stream: UnixStream, side| {
            let (read, write) = stream.into_split();
            let (writes, queue) = mpsc::unbounded_channel();
            let backlog = Arc::new(AtomicUsize::new(0));
            tokio::spawn(write_all(write, queue, Arc::clone(&backlog)));
            let reader = tokio::spawn(read_all(read, line, side, self.events.clone()));
            let incoming = FrameDecoder::new(Limits::default());
            Half { writes, backlog, reader, incoming, astray: false, ended: false }
        };
        self.lines.insert(line, [half(honest, Side::Honest), half(peer, Side::Peer)]);
    }

    fn half(&mut self, line: Line, side: Side) -> Option<&mut Half> {
        self.lines.get_mut(&line).map(|halves| &mut halves[side as usize])
    }

    /// Lets the fault act; says whether the relay goes on.
    fn on(&mut self, event: Event) -> bool {
        let backlog = |halves: &[Half; 2]| halves[Side::Peer as usize].backlog.load(Ordering::Relaxed);
        let backlog = self.lines.iter().map(|(line, halves)| (*line, backlog(halves))).collect();
        let mut hands = Hands { acts: Vec::new(), backlog };
        match event {
            Event::Read(line, side, bytes) => {
                let bytes = if side == Side::Peer { self.fault.read(line, bytes) } else { bytes };
                self.cut(line, side, &bytes, &mut hands);
            }
            Event::Ended(line, side) => {
                self.half(line, side).into_iter().for_each(|half| half.ended = true);
                let rest = self.half(line, side).map(|half| half.incoming.buffer_mut().split().freeze());
                if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                    self.pass_no_frame(line, side, rest, NoFrame::Cut, &mut hands);
                }
                match side {
                    Side::Honest => self.fault.sent_end(line, &mut hands),
                    Side::Peer => self.fault.received_end(line, &mut hands),
                }
            }
            Event::Woken(token) => self.fault.woken(token, &mut hands),
        }
        let alive = hands.acts.into_iter().all(|act| self.act(act));
        // The writers own what is left to be written.
        self.lines.retain(|_, halves| !halves.iter().all(|half| half.ended));
        alive
    }

    /// Cuts what was read into frames, and shows them to the fault.
    fn cut(&mut self, line: Line, side: Side, bytes: &[u8], hands: &mut Hands) {
        let Some(half) = self.half(line, side) else { return };
        half.incoming.push(bytes);
        loop {
            let Some(half) = self.half(line, side) else { return };
            if half.astray {
                break;
            }
            match half.incoming.next_frame() {
                Ok(Some(frame)) => {
                    let message = Message::new(frame.into_bytes().slice(crate::wire::HEADER_LEN..));
                    match side {
                        Side::Honest => self.fault.sent(line, &message, hands),
                        Side::Peer => self.fault.received(line, &message, hands),
                    }
                }
                Ok(None) => return,
                Err(_) => half.astray = true,
            }
        }
        let rest = self.half(line, side).map(|half| half.incoming.buffer_mut().split().freeze());
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            self.pass_no_frame(line, side, rest, NoFrame::Length, hands);
        }
    }

    fn pass_no_frame(&mut self, line: Line, side: Side, bytes: Bytes, why: NoFrame, hands: &mut Hands) {
        match side {
            Side::Honest => hands.say_bytes(line, bytes),
            Side::Peer => self.fault.received_no_frame(line, bytes, why, hands),
        }
    }

    fn act(&mut self, act: Act) -> bool {
        match act {
            Act::Tell(line, bytes) => self.write(line, Side::Honest, Write::Bytes(bytes)),
            Act::Say(line, bytes) => self.write(line, Side::Peer, Write::Bytes(bytes)),
            Act::EndHonest(line) => self.write(line, Side::Honest, Write::End),
            Act::EndPeer(line) => self.write(line, Side::Peer, Write::End),
            Act::Close(line) => {
                // What was written before is still delivered: the writers own their halves.
                self.write(line, Side::Honest, Write::End);
                self.write(line, Side::Peer, Write::End);
                self.lines.remove(&line);
            }
            Act::Crash => return false,
            Act::Wake(after, token) => {
                let events = self.events.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    let _ = events.send(Event::Woken(token)).await;
                });
            }
        }
        true
    }

    fn write(&mut self, line: Line, side: Side, write: Write) {
        let Some(half) = self.half(line, side) else { return };
        if let Write::Bytes(bytes) = &write {
            half.backlog.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        // A writer that has ended has lost its peer: what is for it goes nowhere.
        let _ = half.writes.send(write);
    }
}

async fn read_all(mut from: OwnedReadHalf, line: Line, side: Side, events: mpsc::Sender<Event>) {
    let mut block = vec![0; BLOCK];
    loop {
        let event = match from.read(&mut block).await {
            Ok(0) | Err(_) => Event::Ended(line, side),
            Ok(got) => Event::Read(line, side, Bytes::copy_from_slice(&block[..got])),
        };
        let ended = matches!(event, Event::Ended(..));
        if events.send(event).await.is_err() || ended {
            return;
        }
    }
}

async fn write_all(
    mut to: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Write>,
    backlog: Arc<AtomicUsize>,
) {
    while let Some(write) = queue.recv().await {
        let written = match write {
            Write::Bytes(bytes) => {
                let written = to.write_all(&bytes).await;
                backlog.fetch_sub(bytes.len(), Ordering::Relaxed);
                written
            }
            Write::End => to.shutdown().await,
        };
        if written.is_err() {
            return;
        }
    }
}
