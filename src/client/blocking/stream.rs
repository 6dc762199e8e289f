//! The items of a stream, as they come.

use std::marker::PhantomData;
use std::time::Instant;

use serde::de::DeserializeOwned;

use super::connection::InFlight;
use crate::client::call::Draft;
use crate::client::inbox::Step;
use crate::error::DirtyError;

/// The items of a stream, as they come: an iterator that waits for each.
///
/// The first error ends it. Dropping it before its end cancels the call and leaves the connection usable (STREAM-7).
/// It can be sent to another thread, and read there.
///
/// Items that are not read are kept, but not without bound: see
/// [`ClientOptions::stream_buffer`](crate::client::ClientOptions::stream_buffer).
#[derive(Debug)]
#[must_use = "a stream that is dropped is cancelled"]
pub struct Stream<T> {
    /// `None` after the end.
    call: Option<InFlight>,
    draft: Draft,
    items: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream<T> {
    pub(super) fn new(call: InFlight, draft: Draft) -> Self {
        Stream { call: Some(call), draft, items: PhantomData }
    }
}

impl<T: DeserializeOwned> Iterator for Stream<T> {
    type Item = Result<T, DirtyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let call = self.call.as_ref()?;
        let deadline = self.draft.limit.and_then(|limit| Instant::now().checked_add(limit));
        let last = match call.wait(deadline).map(|event| event.into_step()) {
            Some(Step::Item(item)) => return Some(Ok(item)),
            Some(Step::End(last)) => last,
            None => Some(Err(self.draft.timed_out("item from"))),
        };
        self.call = None;
        last
    }
}

impl<T: DeserializeOwned> std::iter::FusedIterator for Stream<T> {}
