//! The items of a stream, as they come.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::de::DeserializeOwned;
use tokio::time::{Instant, Sleep};

use super::connection::InFlight;
use crate::client::call::Draft;
use crate::client::inbox::Step;
use crate::error::DirtyError;

/// The items of a stream, as they come: use [`next`](Self::next), or any adapter of `futures_core::Stream`.
///
/// The first error ends it. Dropping it before its end cancels the call and leaves the connection usable (STREAM-7).
///
/// Items that are not read are kept, but not without bound: see
/// [`ClientOptions::stream_buffer`](crate::client::ClientOptions::stream_buffer).
#[derive(Debug)]
#[must_use = "a stream that is dropped is cancelled"]
pub struct Stream<T> {
    /// `None` after the end.
    call: Option<InFlight>,
    draft: Draft,
    /// Runs while an item is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    items: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream<T> {
    pub(super) fn new(call: InFlight, draft: Draft) -> Self {
        Stream { call: Some(call), draft, timer: None, waiting: false, items: PhantomData }
    }

    /// The next item, or `None` after the end. Can be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Option<Result<T, DirtyError>> {
        std::future::poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, DirtyError>>> {
        let Some(call) = &self.call else { return Poll::Ready(None) };
        let event = match call.poll_event(cx) {
            Poll::Ready(event) => event,
            Poll::Pending => {
                ready!(self.poll_limit(cx));
                let error = self.draft.timed_out("item from");
                return Poll::Ready(self.end(Some(Err(error))));
            }
        };
        self.waiting = false;
        Poll::Ready(match event.into_step() {
            Step::Item(item) => Some(Ok(item)),
            Step::End(last) => self.end(last),
        })
    }

    /// Ready when the limit passes. The wait begins with the first poll that finds no item.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.draft.limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !std::mem::replace(&mut self.waiting, true) {
            match Instant::now().checked_add(limit) {
                Some(deadline) => timer.as_mut().reset(deadline),
                None => return Poll::Pending,
            }
        }
        timer.as_mut().poll(cx)
    }

    fn end<E>(&mut self, last: E) -> E {
        self.call = None;
        self.timer = None;
        last
    }
}

impl<T: DeserializeOwned> futures_core::Stream for Stream<T> {
    type Item = Result<T, DirtyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}
