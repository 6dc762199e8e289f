//! What a client does where the caller has not said otherwise.

use std::time::Duration;

use super::exchange::Flow;
use crate::wire::Limits;

/// How a client behaves; the same for both clients.
///
/// ```
/// use std::time::Duration;
/// use dirty_arbiter::client::ClientOptions;
/// let options = ClientOptions::new().timeout(Duration::from_secs(5)).accept_hints();
/// assert_eq!(options.default_timeout(), Some(Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone)]
pub struct ClientOptions {
    limit: TimeLimit,
    limits: Limits,
    flow: Flow,
    accept_hints: bool,
}

/// How long a caller waits, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeLimit {
    /// The client's default: a safety net the arbiter is not told about.
    Default(Duration),
    /// The caller's own limit, which the arbiter is told (TIME-2).
    Chosen(Duration),
    /// None.
    Never,
}

impl TimeLimit {
    pub fn duration(self) -> Option<Duration> {
        match self {
            TimeLimit::Default(limit) | TimeLimit::Chosen(limit) => Some(limit),
            TimeLimit::Never => None,
        }
    }
}

impl ClientOptions {
    /// 330 s: the arbiter's own default limit of 300 s, and 30 s for its answer.
    ///
    /// The arbiter's limit is the one that ends work and says what happened; the client's is there for an arbiter that
    /// does not answer at all. It is therefore the longer of the two. (gunicorn's client gives up after 30 s, so
    /// that its server's limit of 300 s never shows.)
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(330);
    /// 1 MiB: see [`stream_buffer`](Self::stream_buffer).
    pub const DEFAULT_STREAM_BUFFER: usize = 1024 * 1024;
    /// 64 MiB: see [`stream_limit`](Self::stream_limit).
    pub const DEFAULT_STREAM_LIMIT: usize = 64 * 1024 * 1024;

    /// The defaults.
    pub fn new() -> Self {
        ClientOptions {
            limit: TimeLimit::Default(Self::DEFAULT_TIMEOUT),
            limits: Limits::default(),
            flow: Flow { pause_at: Self::DEFAULT_STREAM_BUFFER, end_at: Self::DEFAULT_STREAM_LIMIT },
            accept_hints: false,
        }
    }

    /// Bounds every call, and every wait for an item of a stream, that has no limit of its own. Requests carry the
    /// limit, so that the arbiter ends the work as well (TIME-2). It must be longer than zero.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = TimeLimit::Chosen(limit);
        self
    }

    /// Waits for ever.
    pub fn no_timeout(mut self) -> Self {
        self.limit = TimeLimit::Never;
        self
    }

    /// The longest frame to send or receive, and the deepest nesting (FRAME-3, VAL-3).
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How much of a stream may wait to be read before the client stops reading its connection, in bytes. It goes on
    /// as soon as the stream is read, or another caller waits for an answer on the same connection.
    pub fn stream_buffer(mut self, bytes: usize) -> Self {
        self.flow.pause_at = bytes;
        self.flow.end_at = self.flow.end_at.max(bytes);
        self
    }

    /// How much of a stream may wait to be read at all, in bytes. A stream gets there only if it is not read while
    /// other callers keep waiting on the same connection; it is then cancelled and ends with an error. One item
    /// may always wait, however large.
    pub fn stream_limit(mut self, bytes: usize) -> Self {
        self.flow.end_at = bytes;
        self.flow.pause_at = self.flow.pause_at.min(bytes);
        self
    }

    /// Makes every call as with [`Call::accept_hints`](super::Call::accept_hints).
    pub fn accept_hints(mut self) -> Self {
        self.accept_hints = true;
        self
    }

    /// The limit of calls that have none of their own.
    pub fn default_timeout(&self) -> Option<Duration> {
        self.limit.duration()
    }

    pub(super) fn time_limit(&self) -> TimeLimit {
        self.limit
    }

    pub(super) fn frame_limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow
    }

    pub(super) fn accepts_hints(&self) -> bool {
        self.accept_hints
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new()
    }
}
