//! One connection of the async client: a socket, the exchange around it, and the task that moves the bytes.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::client::exchange::{Exchange, Reading};
use crate::client::inbox::Event;
use crate::client::intake::Intake;
use crate::client::mux::{CallId, CallKind};
use crate::client::options::ClientOptions;
use crate::client::{CONNECT_LIMIT, failure};
use crate::error::DirtyError;
use crate::message::RequestMessage;

/// A connection in use. When the last user drops it, it is closed.
#[derive(Debug)]
pub(super) struct Connection(Arc<Link>);

#[derive(Debug)]
struct Link(Mutex<State>);

#[derive(Debug)]
struct State {
    exchange: Exchange,
    /// Gone when the connection has ended: then the socket is closed as soon as the driver lets go of it.
    socket: Option<Arc<UnixStream>>,
}

/// A call was not started: the connection turned out to be dead, or somebody else noticed before.
pub(super) struct Stale;

/// How long to wait before another attempt when the arbiter's backlog is full.
const BACKLOG_PAUSE: Duration = Duration::from_millis(20);

impl Connection {
    /// Connects, and spawns the driver on the current runtime.
    pub async fn open(path: &Arc<Path>, options: &ClientOptions) -> Result<Self, DirtyError> {
        let give_up = Instant::now() + CONNECT_LIMIT;
        let socket = loop {
            match UnixStream::connect(path).await {
                Ok(socket) => break Arc::new(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < give_up => {
                    tokio::time::sleep(BACKLOG_PAUSE).await;
                }
                Err(error) => return Err(failure::unreachable(path, &error)),
            }
        };
        let limits = options.frame_limits();
        let exchange = Exchange::new(path.clone(), limits, options.flow());
        let link = Arc::new(Link(Mutex::new(State { exchange, socket: Some(socket.clone()) })));
        tokio::spawn(Driver { link: link.clone(), socket, intake: Intake::new(limits) }.run());
        Ok(Connection(link))
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
        let written = state.flush();
        if written.is_err() && state.exchange.stop_writing(Some(call)) {
            return Ok(Err(Stale));
        }
        drop(state);
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
    /// The next event of the call.
    pub fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Event> {
        self.connection.0.lock().exchange.poll(self.call, cx.waker())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.connection.0.lock();
        state.exchange.leave(self.call);
        if state.flush().is_err() {
            state.exchange.stop_writing(None);
        }
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock could only come from a waker; the state is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection: its calls fail as `end` says, and the socket is closed.
    fn end(&self, end: impl FnOnce(&mut Exchange) -> Vec<Waker>) {
        let mut state = self.lock();
        if let Some(socket) = state.socket.take() {
            shut_down(&socket);
        }
        let wakers = end(&mut state.exchange);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Writes what the socket takes now. What is left is for the driver.
    fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        while let Some(bytes) = self.exchange.next_outgoing() {
            match socket.try_write(&bytes) {
                Ok(written) => self.exchange.written(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.exchange.wake_writer();
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Tells the arbiter at once that the connection has ended. The driver closes the socket when it runs next, which may be
/// later, or never if its runtime rests.
fn shut_down(socket: &UnixStream) {
    if let Ok(socket) = socket.as_fd().try_clone_to_owned() {
        // Fails when the arbiter has closed already.
        let _ = std::os::unix::net::UnixStream::from(socket).shutdown(Shutdown::Both);
    }
}

/// Moves the bytes of one connection until it ends.
struct Driver {
    link: Arc<Link>,
    socket: Arc<UnixStream>,
    intake: Intake,
}

impl Driver {
    async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_write(cx);
        loop {
            let reading = self.link.lock().exchange.poll_reading(cx.waker());
            match reading {
                Reading::Over => return Poll::Ready(()),
                Reading::Paused => return Poll::Pending,
                Reading::Wanted => {}
            }
            let read = match ready!(self.socket.poll_read_ready(cx)) {
                Ok(()) => self.socket.try_read_buf(self.intake.buffer_mut()),
                Err(error) => Err(error),
            };
            let ended = match read {
                Ok(0) => self.intake.finish().map(|()| Some("closed by the arbiter".to_owned())),
                Ok(_) => {
                    let link = &self.link;
                    self.intake.deliver(|message| link.lock().exchange.on_message(message)).map(|()| None)
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
                {
                    Ok(None)
                }
                Err(error) => Ok(Some(error.to_string())),
            };
            match ended {
                Ok(None) => {}
                Ok(Some(cause)) => self.link.end(|exchange| exchange.lose(cause)),
                Err(error) => self.link.end(|exchange| exchange.end(error)),
            }
            // An answer may have made a cancel necessary.
            self.poll_write(cx);
        }
    }

    /// Writes what is to be written; the socket wakes the task when it takes more.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        let mut state = self.link.lock();
        while let Some(bytes) = state.exchange.poll_writing(cx.waker()) {
            let Poll::Ready(ready) = self.socket.poll_write_ready(cx) else { return };
            match ready.and_then(|()| self.socket.try_write(&bytes)) {
                Ok(written) => state.exchange.written(written),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => {
                    state.exchange.stop_writing(None);
                }
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Does nothing if the connection has ended; a runtime that shuts down drops its tasks where they are.
        self.link.end(|exchange| exchange.lose("the runtime that drove it has been shut down"));
    }
}
