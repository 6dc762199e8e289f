//! What has arrived for one call and has not been taken yet.

use std::collections::VecDeque;
use std::task::Waker;

use serde::de::DeserializeOwned;

use super::failure;
use super::mux::Payload;
use crate::error::DirtyError;

/// What a waiting caller gets.
#[derive(Debug)]
pub(super) enum Event {
    /// An item of a stream.
    Item(Payload),
    /// The last: a result, the end of a stream (`None`), or an error.
    Last(Result<Option<Payload>, DirtyError>),
}

/// An event as the reader of a stream sees it.
pub(super) enum Step<T> {
    /// An item; there may be more.
    Item(T),
    /// The last item, the error that ends the stream, or nothing more.
    End(Option<Result<T, DirtyError>>),
}

impl Event {
    /// What `execute` returns.
    pub fn into_result<T: DeserializeOwned>(self) -> Result<T, DirtyError> {
        match self {
            Event::Last(Ok(Some(result))) => result.decode(),
            Event::Last(Err(error)) => Err(error),
            // The multiplexer gives neither to a caller of `execute`.
            Event::Item(_) | Event::Last(Ok(None)) => Err(failure::not_a_plain_result()),
        }
    }

    /// What `stream` yields.
    pub fn into_step<T: DeserializeOwned>(self) -> Step<T> {
        match self {
            Event::Item(item) => match item.decode() {
                Ok(item) => Step::Item(item),
                Err(error) => Step::End(Some(Err(error))),
            },
            Event::Last(Ok(last)) => Step::End(last.map(|result| result.decode())),
            Event::Last(Err(error)) => Step::End(Some(Err(error))),
        }
    }
}

/// What an item costs beside its text, in bytes: many small items are bounded as well as few large ones.
const ITEM_OVERHEAD: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    events: VecDeque<Event>,
    /// The cost of the items in `events`, in bytes.
    held: usize,
    /// Who waits for the next event.
    waker: Option<Waker>,
    /// Whether the last event has arrived: the arbiter owes nothing more.
    pub complete: bool,
}

impl Inbox {
    /// Takes in an item.
    pub fn push(&mut self, item: Payload) {
        self.held += cost(&item);
        self.events.push_back(Event::Item(item));
    }

    /// Takes in the last event.
    pub fn complete(&mut self, outcome: Result<Option<Payload>, DirtyError>) {
        self.complete = true;
        self.events.push_back(Event::Last(outcome));
    }

    /// The next event.
    pub fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Item(item) = &event {
            self.held -= cost(item);
        }
        Some(event)
    }

    /// What the unread items cost, in bytes.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether the unread items cost more than `limit`, and more may come.
    pub fn is_full(&self, limit: usize) -> bool {
        !self.complete && self.held > limit
    }

    /// Whether somebody waits here and has nothing to read.
    pub fn is_hungry(&self) -> bool {
        self.events.is_empty() && self.waker.is_some()
    }

    /// Notes who waits for the next event.
    pub fn wait(&mut self, waker: &Waker) {
        remember(&mut self.waker, waker);
    }

    /// Who is to be woken now that something has arrived.
    pub fn wake(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}

/// Keeps `waker`, cloning it only if another one is there.
pub(super) fn remember(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(known) if known.will_wake(waker) => {}
        _ => *slot = Some(waker.clone()),
    }
}

/// What an item costs while it is held, in bytes.
pub(super) fn cost(item: &Payload) -> usize {
    item.value.get().len() + ITEM_OVERHEAD
}
