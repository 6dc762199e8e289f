//! The async client.

mod connection;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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

/// A client of an arbiter, on tokio.
///
/// Cheap to clone: all clones share one connection, on which any number of calls run at once, told apart by id. The
/// connection is made by the first call. If it is lost, the calls in flight fail, and the next call makes a new
/// one; no call is ever repeated once any of its bytes have been sent.
///
/// Dropping the future of a call, or a [`Stream`] before its end, cancels the call at the arbiter and leaves the
/// connection usable (STREAM-7).
///
/// ```no_run
/// use dirty_arbiter::client::Client;
/// # async fn demo() -> Result<(), dirty_arbiter::DirtyError> {
/// let client = Client::discover()?;
/// let tokens: u32 = client.execute("demo:LLM", "count_tokens", ("a short text",)).await?;
///
/// let mut stream = client.stream::<String>("demo:LLM", "generate", ("once upon a time",)).await?;
/// while let Some(token) = stream.next().await {
///     print!("{}", token?);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: Arc<Path>,
    options: ClientOptions,
    current: Mutex<Option<Arc<Connection>>>,
    /// Held by the one who connects; the others wait for it.
    connecting: tokio::sync::Mutex<()>,
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
        Client(Arc::new(Shared {
            path: path.into().into(),
            options,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }))
    }

    /// The path of the arbiter's socket.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Begins a call with named arguments, limits or extensions.
    ///
    /// ```no_run
    /// # use dirty_arbiter::client::Client;
    /// use std::time::Duration;
    /// # async fn demo(client: Client) -> Result<(), dirty_arbiter::DirtyError> {
    /// let thumbnail: Vec<f32> = client
    ///     .call("shop:Images", "embed")
    ///     .arg("cat.png")?
    ///     .kwarg("size", 256)?
    ///     .timeout(Duration::from_secs(5))
    ///     .execute()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn call(&self, app_path: impl AsRef<str>, action: impl AsRef<str>) -> Call<Client> {
        Call::new(self.clone(), &self.0.options, app_path.as_ref(), action.as_ref())
    }

    /// Calls an action and returns its one result.
    ///
    /// # Errors
    /// As [`Call::execute`](Call#method.execute).
    pub async fn execute<T: DeserializeOwned>(
        &self,
        app_path: impl AsRef<str>,
        action: impl AsRef<str>,
        args: impl Args,
    ) -> Result<T, DirtyError> {
        let call = self.call(app_path, action).args(args)?;
        call.execute().await
    }

    /// Calls an action and returns its items as they come. A plain result is yielded as the one item (STREAM-6).
    ///
    /// # Errors
    /// As [`Call::stream`](Call#method.stream).
    pub async fn stream<T: DeserializeOwned>(
        &self,
        app_path: impl AsRef<str>,
        action: impl AsRef<str>,
        args: impl Args,
    ) -> Result<Stream<T>, DirtyError> {
        let call = self.call(app_path, action).args(args)?;
        call.stream().await
    }

    /// Sends a request. A connection that was lost in the meantime is replaced, as long as nothing has been sent.
    async fn start(&self, kind: CallKind, draft: &mut Draft) -> Result<InFlight, DirtyError> {
        for _ in 0..ATTEMPTS {
            if let Ok(call) = self.connection().await?.start(kind, &mut draft.request)? {
                draft.sent();
                return Ok(call);
            }
        }
        Err(failure::turned_away(&self.0.path))
    }

    async fn answer<T: DeserializeOwned>(&self, draft: &mut Draft) -> Result<T, DirtyError> {
        let call = self.start(CallKind::Execute, draft).await?;
        std::future::poll_fn(|cx| call.poll_event(cx)).await.into_result()
    }

    async fn connection(&self) -> Result<Arc<Connection>, DirtyError> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let _turn = self.0.connecting.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let connection = Arc::new(Connection::open(&self.0.path, &self.0.options).await?);
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(connection.clone());
        Ok(connection)
    }

    fn current(&self) -> Option<Arc<Connection>> {
        let current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone().filter(|connection| connection.is_open())
    }
}

impl Call<Client> {
    /// Makes the call and returns its one result.
    ///
    /// # Errors
    /// The error the call ended with. `DirtyError` when the action streams, or the result is not a `T`;
    /// `DirtyTimeoutError` when the caller's limit passes; `DirtyConnectionError` when no arbiter can be reached, or
    /// it goes away; `DirtyProtocolError` when the request cannot be sent, or the arbiter breaks the protocol.
    pub async fn execute<T: DeserializeOwned>(self) -> Result<T, DirtyError> {
        let (client, mut draft) = self.finish()?;
        let Some(limit) = draft.limit else { return client.answer(&mut draft).await };
        match tokio::time::timeout(limit, client.answer(&mut draft)).await {
            Ok(result) => result,
            Err(_) => Err(draft.timed_out("result from")),
        }
    }

    /// Makes the call and returns its items as they come. A plain result is yielded as the one item (STREAM-6).
    ///
    /// # Errors
    /// Those of connecting and sending, as [`execute`](Self::execute); what happens later is an item of the stream.
    pub async fn stream<T: DeserializeOwned>(self) -> Result<Stream<T>, DirtyError> {
        let (client, mut draft) = self.finish()?;
        let limit = draft.limit;
        let start = client.start(CallKind::Stream, &mut draft);
        let call = match limit {
            None => start.await?,
            Some(limit) => match tokio::time::timeout(limit, start).await {
                Ok(call) => call?,
                Err(_) => return Err(draft.timed_out("connection for")),
            },
        };
        Ok(Stream::new(call, draft))
    }
}
