//! The blocking client: threads and the standard library, no runtime.
//!
//! ```no_run
//! use dirty_arbiter::client::blocking::Client;
//!
//! let client = Client::discover()?;
//! let tokens: u32 = client.execute("demo:LLM", "count_tokens", ("a short text",))?;
//! for token in client.stream::<String>("demo:LLM", "generate", ("once upon a time",))? {
//!     print!("{}", token?);
//! }
//! # Ok::<(), dirty_arbiter::DirtyError>(())
//! ```

mod connection;
mod signal;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::de::DeserializeOwned;

use self::connection::{Connection, InFlight};
pub use self::stream::Stream;
use super::args::Args;
use super::call::{Call, Draft};
use super::mux::CallKind;
use super::options::ClientOptions;
use super::{ATTEMPTS, failure};
use crate::discovery::socket_path;
use crate::error::DirtyError;

/// A client of an arbiter that blocks the calling thread.
///
/// Cheap to clone, and to be shared between threads: all clones share one connection, on which the calls of all
/// threads run at once, told apart by id. The connection is made by the first call. If it is lost, the calls in
/// flight fail, and the next call makes a new one; no call is ever repeated once any of its bytes have been sent.
///
/// Dropping a [`Stream`] before its end cancels the call at the arbiter and leaves the connection usable (STREAM-7).
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: Arc<Path>,
    options: ClientOptions,
    slot: Mutex<Slot>,
    /// Tells those who wait for a connection that there is one, or that there will be none.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    current: Option<Arc<Connection>>,
    /// Whether one of the callers is connecting.
    connecting: bool,
}

impl Client {
    /// A client of the arbiter whose socket is at `path`. The connection is made by the first call.
    pub fn connect(path: impl Into<PathBuf>) -> Self {
        Self::with_options(path, ClientOptions::new())
    }

    /// A client of the arbiter whose socket is found from the environment: `DIRTY_SOCKET`, `GUNICORN_DIRTY_SOCKET`, or
    /// `$XDG_RUNTIME_DIR/dirty/arbiter.sock`.
    ///
    /// # Errors
    /// `DirtyConnectionError` when none of them is set.
    pub fn discover() -> Result<Self, DirtyError> {
        Ok(Self::connect(socket_path(None).map_err(failure::undiscovered)?))
    }

    /// [`connect`](Self::connect), with other than the default options.
    pub fn with_options(path: impl Into<PathBuf>, options: ClientOptions) -> Self {
        let path = path.into().into();
        Client(Arc::new(Shared { path, options, slot: Mutex::default(), settled: Condvar::new() }))
    }

    /// The path of the arbiter's socket.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Begins a call with named arguments, limits or extensions.
    ///
    /// ```no_run
    /// # use dirty_arbiter::client::blocking::Client;
    /// use std::time::Duration;
    /// # let client = Client::discover()?;
    /// let thumbnail: Vec<f32> = client
    ///     .call("shop:Images", "embed")
    ///     .arg("cat.png")?
    ///     .kwarg("size", 256)?
    ///     .timeout(Duration::from_secs(5))
    ///     .execute()?;
    /// # Ok::<(), dirty_arbiter::DirtyError>(())
    /// ```
    pub fn call(&self, app_path: impl AsRef<str>, action: impl AsRef<str>) -> Call<Client> {
        Call::new(self.clone(), &self.0.options, app_path.as_ref(), action.as_ref())
    }

    /// Calls an action and returns its one result.
    ///
    /// # Errors
    /// As [`Call::execute`](Call#method.execute).
    pub fn execute<T: DeserializeOwned>(
        &self,
        app_path: impl AsRef<str>,
        action: impl AsRef<str>,
        args: impl Args,
    ) -> Result<T, DirtyError> {
        self.call(app_path, action).args(args)?.execute()
    }

    /// Calls an action and returns its items as they come. A plain result is yielded as the one item (STREAM-6).
    ///
    /// # Errors
    /// As [`Call::stream`](Call#method.stream).
    pub fn stream<T: DeserializeOwned>(
        &self,
        app_path: impl AsRef<str>,
        action: impl AsRef<str>,
        args: impl Args,
    ) -> Result<Stream<T>, DirtyError> {
        self.call(app_path, action).args(args)?.stream()
    }

    /// Sends a request. A connection that was lost in the meantime is replaced, as long as nothing has been sent.
    fn start(
        &self,
        kind: CallKind,
        draft: &mut Draft,
        deadline: Option<Instant>,
    ) -> Result<InFlight, DirtyError> {
        for _ in 0..ATTEMPTS {
            let Some(connection) = self.connection(deadline)? else {
                return Err(draft.timed_out("connection for"));
            };
            if let Ok(call) = connection.start(kind, &mut draft.request)? {
                draft.sent();
                return Ok(call);
            }
        }
        Err(failure::turned_away(&self.0.path))
    }

    /// The open connection; without one, exactly one of the callers makes it. `None` when the deadline passes.
    fn connection(&self, deadline: Option<Instant>) -> Result<Option<Arc<Connection>>, DirtyError> {
        let mut slot = self.slot();
        loop {
            if let Some(connection) = slot.current.as_ref().filter(|connection| connection.is_open()) {
                return Ok(Some(connection.clone()));
            }
            if !slot.connecting {
                break;
            }
            slot = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.0.settled.wait(slot).unwrap_or_else(PoisonError::into_inner),
                Some(rest) if rest.is_zero() => return Ok(None),
                Some(rest) => {
                    self.0.settled.wait_timeout(slot, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        slot.connecting = true;
        drop(slot);
        let opened =
            Connection::open(&self.0.path, &self.0.options, deadline).map(|opened| opened.map(Arc::new));
        let mut slot = self.slot();
        slot.connecting = false;
        if let Ok(Some(connection)) = &opened {
            slot.current = Some(connection.clone());
        }
        self.0.settled.notify_all();
        opened
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<Client> {
    /// Makes the call and returns its one result.
    ///
    /// # Errors
    /// The error the call ended with. `DirtyError` when the action streams, or the result is not a `T`;
    /// `DirtyTimeoutError` when the caller's limit passes; `DirtyConnectionError` when no arbiter can be reached, or
    /// it goes away; `DirtyProtocolError` when the request cannot be sent, or the arbiter breaks the protocol.
    pub fn execute<T: DeserializeOwned>(self) -> Result<T, DirtyError> {
        let (client, mut draft) = self.finish()?;
        let deadline = draft.limit.and_then(|limit| Instant::now().checked_add(limit));
        let call = client.start(CallKind::Execute, &mut draft, deadline)?;
        match call.wait(deadline) {
            Some(event) => event.into_result(),
            None => Err(draft.timed_out("result from")),
        }
    }

    /// Makes the call and returns its items as they come. A plain result is yielded as the one item (STREAM-6).
    ///
    /// # Errors
    /// Those of connecting and sending, as [`execute`](Self::execute); what happens later is an item of the stream.
    pub fn stream<T: DeserializeOwned>(self) -> Result<Stream<T>, DirtyError> {
        let (client, mut draft) = self.finish()?;
        let deadline = draft.limit.and_then(|limit| Instant::now().checked_add(limit));
        let call = client.start(CallKind::Stream, &mut draft, deadline)?;
        Ok(Stream::new(call, draft))
    }
}
