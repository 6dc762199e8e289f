//! The timer queue: everything that happens because time passed.

use std::collections::BTreeSet;
use std::time::Instant;

use super::state::RequestKey;
use super::types::{SlotId, WorkerId};

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A request's limit, in the queue or on a slot.
    Request(RequestKey),
    /// A request was told to end and still holds its slot (TIME-5).
    CancelGrace(SlotId, RequestKey),
    /// A worker has not said READY (TIME-8).
    Boot(WorkerId),
    /// A slot's connection ended and its worker's death was not seen yet.
    Reap(WorkerId),
    /// A worker was told to end and has not (TIME-5, LIFE-1).
    Kill(WorkerId),
    /// An empty seat is to be filled.
    Respawn(usize),
    /// An app that its seat does without is to be tried again (POOL-15).
    Retry(usize, usize),
    /// The drain has taken long enough (LIFE-1).
    DrainEnd,
    /// A worker may have been silent for too long (WORK-10).
    Watchdog(WorkerId),
    /// The next worker is replaced, even if this one, which was, still runs (POOL-9).
    NextReplacement(WorkerId),
}

/// Timers in the order in which they are due.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadlines(BTreeSet<(Instant, Timer)>);

impl Deadlines {
    pub fn set(&mut self, at: Instant, timer: Timer) -> (Instant, Timer) {
        self.0.insert((at, timer));
        (at, timer)
    }

    pub fn clear(&mut self, entry: (Instant, Timer)) {
        self.0.remove(&entry);
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes out the first timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
