//! One call, as an action sees it that asks for it whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use super::app::{AppError, AppResult};
use super::function::Parameters;
use super::hints::{ArgumentHints, Place};
use super::inbox::{CallNumber, Link};
use crate::message::RequestMessage;
use crate::values::AnyValue;

/// One call: what was asked, by when, and whether it still matters.
///
/// An action receives it when it is registered with [`WholeCall`](super::WholeCall) in place of parameter names.
/// It can be cloned and kept; after the action's end [`is_cancelled`](Self::is_cancelled) is true.
#[derive(Clone)]
pub struct Call {
    request: Arc<RequestMessage>,
    link: Arc<Link>,
    number: CallNumber,
    deadline: Option<Instant>,
}

impl Call {
    pub(super) fn new(
        request: Arc<RequestMessage>,
        link: Arc<Link>,
        number: CallNumber,
        limit: Option<Duration>,
    ) -> Self {
        let own = request.timeout.map(Duration::from);
        let limit = limit.into_iter().chain(own).min();
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Call { request, link, number, deadline }
    }

    pub(super) fn request(&self) -> &RequestMessage {
        &self.request
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The app that was asked.
    pub fn app_path(&self) -> &str {
        self.request.app_path.as_str()
    }

    /// The action that was asked for.
    pub fn action(&self) -> &str {
        self.request.action.as_str()
    }

    /// The positional arguments.
    ///
    /// # Errors
    /// When a hint of the request fits no value (VAL-5).
    pub fn args(&self) -> AppResult<Vec<AnyValue<'_>>> {
        let hints = ArgumentHints::read(&self.request)?;
        let args = self.request.args.iter().enumerate();
        Ok(args.map(|(index, text)| AnyValue::new(text, hints.of(Place::Position(index)))).collect())
    }

    /// The named arguments, in their order.
    ///
    /// # Errors
    /// When a hint of the request fits no value (VAL-5).
    pub fn kwargs(&self) -> AppResult<IndexMap<&str, AnyValue<'_>>> {
        let hints = ArgumentHints::read(&self.request)?;
        let kwargs = self.request.kwargs.iter();
        Ok(kwargs
            .map(|(name, text)| (name.as_str(), AnyValue::new(text, hints.of(Place::Name(name)))))
            .collect())
    }

    /// Binds the arguments to parameters, as for an action that was registered with these names.
    ///
    /// ```
    /// use dirty_arbiter::worker::{AppResult, Call};
    ///
    /// fn resize(call: Call) -> AppResult<u64> {
    ///     let (width, height): (u64, Option<u64>) = call.bind(["width", "height"])?;
    ///     Ok(width * height.unwrap_or(width))
    /// }
    /// ```
    ///
    /// # Errors
    /// When an argument is missing, unknown, given twice or of the wrong type.
    pub fn bind<S, P: Parameters<S>>(&self, names: S) -> AppResult<P> {
        P::bind(&names, self.clone()).map_err(|bad| AppError::from(bad.into_error()))
    }

    /// The member `name` of the request's `meta`, for example `traceparent` (EXT-2).
    pub fn meta<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.request.meta.as_ref()?.get(name)?.get()).ok()
    }

    /// Whether the caller reads hints: whether a result may hold bytes, NaN or infinities (VAL-6).
    pub fn accepts_hints(&self) -> bool {
        self.request.accept_hints == Some(true)
    }

    /// How long the caller will still wait, by the arbiter's limit and the request's own; `None` without a limit.
    /// In a stream the limit is on the gap between items, so this is a lower bound.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the caller has cancelled the call, or it has ended. A long computation asks now and then, and gives
    /// up with any error: the caller receives `DirtyCancelledError` (CANCEL-4). Asking is cheap.
    pub fn is_cancelled(&self) -> bool {
        self.link.is_cancelled(self.number)
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("app_path", &self.app_path()).field("action", &self.action()).finish()
    }
}
