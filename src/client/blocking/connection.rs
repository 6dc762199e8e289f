//! One connection of the blocking client: a socket, the exchange around it, and the threads that move the bytes.
//!
//! One thread reads. A caller writes its own request as far as the socket takes it at once; what is left, if
//! anything, is written by a second thread, which is started when it is first needed. So no caller is held up by
//! a socket that is full, and dropping a stream never blocks.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::signal::Signal;
use crate::client::exchange::{Exchange, Reading};
use crate::client::inbox::Event;
use crate::client::intake::Intake;
use crate::client::mux::{CallId, CallKind};
use crate::client::options::ClientOptions;
use crate::client::{CONNECT_LIMIT, failure};
use crate::error::DirtyError;
use crate::message::RequestMessage;

/// A connection in use. When the last user drops it, it is closed and its threads end.
#[derive(Debug)]
pub(super) struct Connection(Arc<Link>);

#[derive(Debug)]
struct Link {
    socket: UnixStream,
    state: Mutex<State>,
    /// Tells the writing thread that it is its turn, or that the connection has ended.
    turn: Condvar,
}

#[derive(Debug)]
struct State {
    exchange: Exchange,
    writing: Writing,
    /// Whether there is a writing thread.
    has_writer: bool,
}

/// Who writes. As long as nobody does, nothing waits to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Nobody,
    Caller,
    Thread,
}

/// A call was not started: the connection turned out to be dead, or somebody else noticed before.
pub(super) struct Stale;

/// How long a write waits for a socket that is full before it returns. The writing thread then tries again.
const WRITE_PATIENCE: Duration = Duration::from_millis(10);
/// How much a caller writes itself, in bytes.
const WRITE_INLINE: usize = 64 * 1024;
const READ_SIZE: usize = 64 * 1024;

impl Connection {
    /// Connects in the thread that will read, so that the deadline holds even while the arbiter's backlog is full.
    /// Returns `None` when it passes.
    pub fn open(
        path: &Arc<Path>,
        options: &ClientOptions,
        deadline: Option<Instant>,
    ) -> Result<Option<Self>, DirtyError> {
        let limits = options.frame_limits();
        let exchange = Exchange::new(path.clone(), limits, options.flow());
        let (opened, open) = sync_channel(1);
        let reader = {
            let path = path.clone();
            move || {
                let connected = UnixStream::connect(&path).and_then(|socket| {
                    socket.set_write_timeout(Some(WRITE_PATIENCE))?;
                    Ok(socket)
                });
                let socket = match connected {
                    Ok(socket) => socket,
                    Err(error) => return drop(opened.send(Err(error))),
                };
                let state = Mutex::new(State { exchange, writing: Writing::Nobody, has_writer: false });
                let link = Arc::new(Link { socket, state, turn: Condvar::new() });
                // A connection that nobody waits for any more ends here: it is dropped, and reading stops at once.
                let _ = opened.send(Ok(Connection(link.clone())));
                link.read(Intake::new(limits));
            }
        };
        thread::Builder::new()
            .name("dirty-client-read".to_owned())
            .spawn(reader)
            .map_err(|error| failure::unreachable(path, &error))?;
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match open.recv_timeout(rest.map_or(CONNECT_LIMIT, |rest| rest.min(CONNECT_LIMIT))) {
            Ok(Ok(connection)) => Ok(Some(connection)),
            Ok(Err(error)) => Err(failure::unreachable(path, &error)),
            Err(RecvTimeoutError::Timeout) if rest.is_some_and(|rest| rest <= CONNECT_LIMIT) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(failure::unreachable(path, &io::ErrorKind::WouldBlock.into()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(failure::lost(path, "the connecting thread has died")),
        }
    }

    /// Whether calls may be started on it.
    pub fn is_open(&self) -> bool {
        self.0.lock().exchange.is_open()
    }

    /// Starts a call; its request is written at once, as far as the socket takes it.
    pub fn start(
        self: &Arc<Self>,
        kind: CallKind,
        request: &mut RequestMessage,
    ) -> Result<Result<InFlight, Stale>, DirtyError> {
        let mut state = self.0.lock();
        if !state.exchange.is_open() {
            return Ok(Err(Stale));
        }
        let call = state.exchange.start(kind, request)?;
        if self.0.flush(state, Some(call)) {
            return Ok(Err(Stale));
        }
        Ok(Ok(InFlight { connection: self.clone(), call }))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.end(|exchange| exchange.lose("nobody uses it any more"));
    }
}

/// A call in flight. Dropping it tells the arbiter that nobody waits any more.
#[derive(Debug)]
pub(super) struct InFlight {
    connection: Arc<Connection>,
    call: CallId,
}

impl InFlight {
    /// Waits for the next event of the call; `None` when the deadline passes.
    pub fn wait(&self, deadline: Option<Instant>) -> Option<Event> {
        // Not that of the thread that started the call: a stream can be sent to another one.
        let signal = Signal::of_this_thread();
        let waker = Waker::from(signal.clone());
        loop {
            let polled = self.connection.0.lock().exchange.poll(self.call, &waker);
            match polled {
                Poll::Ready(event) => return Some(event),
                Poll::Pending if signal.wait(deadline) => {}
                Poll::Pending => return None,
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let link = &self.connection.0;
        let mut state = link.lock();
        state.exchange.leave(self.call);
        link.flush(state, None);
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock could only come from a waker; the state is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection: its calls fail as `end` says, the socket is closed, and its threads end.
    fn end(&self, end: impl FnOnce(&mut Exchange) -> Vec<Waker>) {
        let wakers = end(&mut self.lock().exchange);
        // Fails when the arbiter has closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.turn.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Writes what the socket takes now, unless somebody else is writing. Says whether the connection turned out to be
    /// dead before anything of the request of `call` was written.
    fn flush(self: &Arc<Self>, mut state: MutexGuard<'_, State>, call: Option<CallId>) -> bool {
        if state.writing != Writing::Nobody {
            return false;
        }
        let Some(bytes) = state.exchange.next_outgoing() else { return false };
        state.writing = Writing::Caller;
        drop(state);
        let written = (&self.socket).write(&bytes[..bytes.len().min(WRITE_INLINE)]);
        let mut state = self.lock();
        state.writing = Writing::Nobody;
        match written {
            Ok(written) => state.exchange.written(written),
            Err(error) if try_again(&error) => {}
            Err(_) => return state.exchange.stop_writing(call),
        }
        if !state.exchange.is_flushed() {
            self.hand_over(state);
        }
        false
    }

    /// Leaves the rest to the writing thread.
    fn hand_over(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.writing = Writing::Thread;
        if !std::mem::replace(&mut state.has_writer, true) {
            let link = self.clone();
            let writer = thread::Builder::new().name("dirty-client-write".to_owned());
            if let Err(error) = writer.spawn(move || link.write()) {
                drop(state);
                self.end(|exchange| exchange.lose(error));
                return;
            }
        }
        self.turn.notify_all();
    }

    /// The writing thread: writes whenever it is its turn, until the connection ends.
    fn write(&self) {
        let mut state = self.lock();
        while !state.exchange.has_ended() {
            let bytes = match state.writing {
                Writing::Thread => state.exchange.next_outgoing(),
                _ => None,
            };
            let Some(bytes) = bytes else {
                if state.writing == Writing::Thread {
                    state.writing = Writing::Nobody;
                }
                state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let written = (&self.socket).write(&bytes);
            state = self.lock();
            match written {
                Ok(written) => state.exchange.written(written),
                Err(error) if try_again(&error) => {}
                Err(_) => drop(state.exchange.stop_writing(None)),
            }
        }
    }

    /// The reading thread.
    fn read(self: &Arc<Self>, mut intake: Intake) {
        let signal = Signal::of_this_thread();
        let waker = Waker::from(signal.clone());
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let reading = self.lock().exchange.poll_reading(&waker);
            match reading {
                Reading::Over => return,
                Reading::Paused => {
                    signal.wait(None);
                    continue;
                }
                Reading::Wanted => {}
            }
            let ended = match (&self.socket).read(&mut buffer) {
                Ok(0) => intake.finish().map(|()| Some("closed by the arbiter".to_owned())),
                Ok(read) => {
                    intake.push(&buffer[..read]);
                    intake.deliver(|message| self.lock().exchange.on_message(message)).map(|()| None)
                }
                Err(error) if try_again(&error) => Ok(None),
                Err(error) => Ok(Some(error.to_string())),
            };
            match ended {
                Ok(None) => drop(self.flush(self.lock(), None)),
                Ok(Some(cause)) => self.end(|exchange| exchange.lose(cause)),
                Err(error) => self.end(|exchange| exchange.end(error)),
            }
        }
    }
}

fn try_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
