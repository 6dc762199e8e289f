//! A call that is being put together.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::args::{Args, encode_at};
use super::failure;
use super::options::{ClientOptions, TimeLimit};
use crate::error::DirtyError;
use crate::message::{ActionName, AppPath, Hints, InvalidValue, RequestId, RequestMessage, Timeout};
use crate::values::{Hinting, encode, push_token};

/// A call that is being put together: arguments, limits, extensions. `execute` or `stream` makes it.
///
/// It is the same for the async and the blocking client.
#[must_use = "a call does nothing until `execute` or `stream`"]
#[derive(Debug)]
pub struct Call<C> {
    pub(super) client: C,
    request: Result<Box<RequestMessage>, DirtyError>,
    hinting: Hinting,
    hints: Hints,
    limit: TimeLimit,
}

/// A request that is ready, but for its id.
#[derive(Debug)]
pub(super) struct Draft {
    pub request: Box<RequestMessage>,
    /// How long its caller waits.
    pub limit: Option<Duration>,
}

impl<C> Call<C> {
    pub(super) fn new(client: C, options: &ClientOptions, app_path: &str, action: &str) -> Self {
        let request = request(app_path, action).map(Box::new).map_err(failure::invalid);
        let hinting = if options.accepts_hints() { Hinting::All } else { Hinting::Bytes };
        Call { client, request, hinting, hints: Hints::default(), limit: options.time_limit() }
    }

    /// Adds a positional argument.
    ///
    /// [`Bytes`](crate::values::Bytes), at any depth, are sent as base64 with a hint (VAL-5).
    ///
    /// # Errors
    /// `DirtyProtocolError`, naming the place of a value that cannot be sent, such as NaN without
    /// [`accept_hints`](Self::accept_hints). Or the app path or action is empty or too long (MSG-8, MSG-9).
    pub fn arg<T: Serialize>(mut self, value: T) -> Result<Self, DirtyError> {
        let request = self.request.as_mut().map_err(|error| error.clone())?;
        let text = encode_at(request.args.len(), &value, self.hinting, &mut self.hints);
        request.args.push(text.map_err(failure::unsendable)?);
        Ok(self)
    }

    /// Gives all positional arguments at once; those given before are forgotten.
    ///
    /// # Errors
    /// As [`arg`](Self::arg).
    pub fn args(mut self, values: impl Args) -> Result<Self, DirtyError> {
        let request = self.request.as_mut().map_err(|error| error.clone())?;
        forget(&mut self.hints, "/args");
        request.args = values.encode(self.hinting, &mut self.hints).map_err(failure::unsendable)?;
        Ok(self)
    }

    /// Adds a named argument, or replaces the one of that name.
    ///
    /// # Errors
    /// As [`arg`](Self::arg).
    pub fn kwarg<T: Serialize>(mut self, name: impl Into<String>, value: T) -> Result<Self, DirtyError> {
        let request = self.request.as_mut().map_err(|error| error.clone())?;
        let name = name.into();
        let mut place = "/kwargs".to_owned();
        push_token(&mut place, &name);
        forget(&mut self.hints, &place);
        let text = encode(&value, &place, self.hinting, &mut self.hints).map_err(failure::unsendable)?;
        request.kwargs.insert(name, text);
        Ok(self)
    }

    /// Adds a member to `meta`, which every hop passes to the worker untouched: a trace context, a tenant (EXT-2).
    ///
    /// # Errors
    /// As [`arg`](Self::arg); hints do not reach into `meta`, so bytes and NaN are refused.
    pub fn meta<T: Serialize>(mut self, name: impl Into<String>, value: T) -> Result<Self, DirtyError> {
        let request = self.request.as_mut().map_err(|error| error.clone())?;
        let name = name.into();
        let mut place = "/meta".to_owned();
        push_token(&mut place, &name);
        let text =
            encode(&value, &place, Hinting::None, &mut Hints::default()).map_err(failure::unsendable)?;
        request.meta.get_or_insert_default().insert(name, text);
        Ok(self)
    }

    /// Bounds the call: for `execute` the time to the result, connecting and queueing included; for `stream` every wait
    /// for an item. The request carries the limit too, so that the arbiter ends the work as well (TIME-2).
    ///
    /// When it passes, the caller gets `DirtyTimeoutError`, the request is cancelled, and the connection stays usable.
    /// It must be longer than zero.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = TimeLimit::Chosen(limit);
        self
    }

    /// Waits as long as it takes.
    pub fn no_timeout(mut self) -> Self {
        self.limit = TimeLimit::Never;
        self
    }

    /// Uses hints both ways (VAL-5, VAL-6): the answer may hold bytes and non-finite numbers, and arguments given from
    /// here on too; integers beyond ±(2^53 − 1) are sent in a form that no receiver rounds (VAL-9).
    ///
    /// Off by default, because a worker that knows no hints would take such arguments for plain strings.
    pub fn accept_hints(mut self) -> Self {
        self.hinting = Hinting::All;
        self
    }

    /// The request and its limit.
    pub(super) fn finish(self) -> Result<(C, Draft), DirtyError> {
        let mut request = self.request?;
        request.timeout = match self.limit {
            TimeLimit::Chosen(limit) if limit.as_secs_f64() <= LONGEST_TIMEOUT => {
                Some(Timeout::try_from(limit).map_err(failure::invalid)?)
            }
            // Longer than any arbiter's limit could be: it has nothing to say.
            _ => None,
        };
        request.accept_hints = (self.hinting == Hinting::All).then_some(true);
        request.hints = Some(self.hints).filter(|hints| !hints.is_empty());
        Ok((self.client, Draft { request, limit: self.limit.duration() }))
    }
}

/// The longest `timeout` that a message can carry, in seconds.
const LONGEST_TIMEOUT: f64 = 1e9;

fn request(app_path: &str, action: &str) -> Result<RequestMessage, InvalidValue> {
    // The id is given by the connection.
    Ok(RequestMessage::new(RequestId::new("-")?, AppPath::new(app_path)?, ActionName::new(action)?))
}

/// Drops the hints at and below `place`.
fn forget(hints: &mut Hints, place: &str) {
    hints.retain(|pointer, _| {
        !pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
}

impl Draft {
    /// Lets go of the arguments: the request has been made into a frame, and only its target is still of interest.
    pub fn sent(&mut self) {
        self.request.args = Vec::new();
        self.request.kwargs = IndexMap::new();
        self.request.meta = None;
        self.request.hints = None;
    }

    /// The error of a caller whose limit has passed while it waited for `awaited`.
    pub fn timed_out(&self, awaited: &str) -> DirtyError {
        let RequestMessage { app_path, action, .. } = &*self.request;
        failure::timed_out(self.limit.unwrap_or_default(), format_args!("{awaited} {app_path} {action}"))
            .with_app_path(app_path.clone())
            .with_action(action.clone())
    }
}
