//! One exchange on a slot: an action's way to answer its request.

use std::future::{Future, pending, poll_fn};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::pin::pin;

use futures_core::Stream;
use tokio::io::Interest;
use tokio::runtime::{Builder, Runtime};

use super::call::Call;
use super::encode::Encoder;
use super::failure::Failure;
use super::function::Outcome;

/// What a slot answers with; kept from one exchange to the next.
pub(super) struct Desk {
    stream: UnixStream,
    encoder: Encoder,
    reactor: Option<Reactor>,
}

impl Desk {
    pub(super) fn new(stream: UnixStream, encoder: Encoder) -> Self {
        Desk { stream, encoder, reactor: None }
    }

    /// Writes a whole frame at once.
    pub(super) fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame)
    }
}

/// Runs the async actions of one slot.
struct Reactor {
    /// Says when something has arrived. Before the runtime, so that it is dropped first.
    arrivals: tokio::net::UnixStream,
    runtime: Runtime,
}

impl Reactor {
    /// The slot's reactor. It is made for the first async action; most slots do without.
    fn of<'r>(place: &'r mut Option<Reactor>, stream: &UnixStream) -> Result<&'r Reactor, Failure> {
        let reactor = match place.take() {
            Some(reactor) => reactor,
            None => Reactor::new(stream).map_err(Failure::Runtime)?,
        };
        Ok(place.insert(reactor))
    }

    fn new(stream: &UnixStream) -> io::Result<Reactor> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let watched = stream.try_clone()?;
        // The mode is the connection's, which is read and written with blocking calls; it is only tokio's check at
        // this place that wants it otherwise. Through `arrivals` nothing is read but with MSG_DONTWAIT.
        stream.set_nonblocking(true)?;
        let entered = runtime.enter();
        let arrivals = tokio::net::UnixStream::from_std(watched);
        drop(entered);
        stream.set_nonblocking(false)?;
        Ok(Reactor { arrivals: arrivals?, runtime })
    }

    /// Returns when the call is cancelled, and not otherwise.
    async fn cancelled(&self, call: &Call) {
        let link = call.link();
        // What has come already; and beside an action that is always ready, the reactor never gets to look.
        if call.is_cancelled() {
            return;
        }
        while link.is_open() {
            if self.arrivals.readable().await.is_err() {
                break;
            }
            if self.arrivals.try_io(Interest::READABLE, || link.look_now()).is_ok() {
                return;
            }
        }
        pending().await
    }
}

/// The exchange that a call is part of.
pub(super) struct Exchange<'d> {
    desk: &'d mut Desk,
    call: Call,
}

impl<'d> Exchange<'d> {
    /// Takes up a call.
    pub(super) fn new(desk: &'d mut Desk, call: Call) -> Self {
        desk.encoder.begin(&call.request().id, call.accepts_hints());
        Exchange { desk, call }
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// Answers with a result (CALL-2).
    pub(super) fn respond<M, T: Outcome<M>>(self, outcome: T) -> Result<(), Failure> {
        let result = outcome.into_result().map_err(Failure::App)?;
        let Desk { stream, encoder, .. } = self.desk;
        stream.write_all(encoder.response(&result).map_err(Failure::Encode)?).map_err(Failure::Gone)
    }

    /// Answers with the items of an iterator, each when it is there (STREAM-1, STREAM-9).
    pub(super) fn respond_each<M, I>(self, items: I) -> Result<(), Failure>
    where
        I: IntoIterator,
        I::Item: Outcome<M>,
    {
        let Exchange { desk, call } = self;
        for item in items {
            if call.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            send_item(&mut desk.stream, &mut desk.encoder, item)?;
        }
        desk.stream.write_all(desk.encoder.end()).map_err(Failure::Gone)
    }

    /// Answers with what a future comes to, unless the call is cancelled (CALL-8).
    pub(super) fn respond_when<M, F>(self, future: F) -> Result<(), Failure>
    where
        F: Future,
        F::Output: Outcome<M>,
    {
        let reactor = Reactor::of(&mut self.desk.reactor, &self.desk.stream)?;
        let outcome = reactor.runtime.block_on(async {
            tokio::select! {
                biased;
                () = reactor.cancelled(&self.call) => Err(Failure::Cancelled),
                outcome = future => Ok(outcome),
            }
        })?;
        self.respond(outcome)
    }

    /// Answers with the items of an asynchronous stream, each when it is there (STREAM-4).
    pub(super) fn respond_as<M, S>(self, items: S) -> Result<(), Failure>
    where
        S: Stream,
        S::Item: Outcome<M>,
    {
        let Exchange { desk: Desk { stream, encoder, reactor }, call } = self;
        let reactor = Reactor::of(reactor, stream)?;
        reactor.runtime.block_on(async {
            let mut items = pin!(items);
            loop {
                let item = tokio::select! {
                    biased;
                    () = reactor.cancelled(&call) => return Err(Failure::Cancelled),
                    item = poll_fn(|context| items.as_mut().poll_next(context)) => item,
                };
                let Some(item) = item else { break };
                send_item(stream, encoder, item)?;
            }
            stream.write_all(encoder.end()).map_err(Failure::Gone)
        })
    }
}

fn send_item<M>(
    stream: &mut UnixStream,
    encoder: &mut Encoder,
    item: impl Outcome<M>,
) -> Result<(), Failure> {
    let item = item.into_result().map_err(Failure::App)?;
    stream.write_all(encoder.chunk(&item).map_err(Failure::Encode)?).map_err(Failure::Gone)
}
