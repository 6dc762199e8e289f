//! Work-conserving dispatch: a free slot and a request that may use it never wait for each other (POOL-1).

use std::time::{Duration, Instant};

use super::Core;
use super::state::{Place, RequestKey, Slot, WorkerState};
use super::types::{Action, ConnId, SlotId};

/// The bounds of what `retry_after` advises.
const RETRY_AFTER: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

impl<F> Core<F> {
    /// The slot that a request for `app` goes to: on the least loaded worker, the least recently used.
    pub(super) fn idle_slot(&self, app: usize) -> Option<SlotId> {
        let mut best: Option<((usize, u64, SlotId), SlotId)> = None;
        for (&id, worker) in &self.workers {
            if worker.state != WorkerState::Ready || !worker.serves(app) {
                continue;
            }
            let busy = worker.busy();
            for (index, slot) in (0..).zip(&worker.slots) {
                let Slot::Idle { since } = *slot else { continue };
                let slot = SlotId { worker: id, index };
                let rank = (busy, since, slot);
                if best.is_none_or(|(least, _)| rank < least) {
                    best = Some((rank, slot));
                }
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// Sends a request to an idle slot.
    pub(super) fn dispatch(
        &mut self,
        slot: SlotId,
        key: RequestKey,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        self.dispatches += 1;
        let Some(request) = self.requests.get_mut(&key) else { return };
        let running = Place::Running { slot, streaming: false, started: now };
        let Place::Queued(frame) = std::mem::replace(&mut request.place, running) else { return };
        let app = &mut self.apps[request.app];
        app.last_served = self.dispatches;
        app.statistics.wait_times.record(now.saturating_duration_since(request.accepted));
        if let Some(worker) = self.workers.get_mut(&slot.worker) {
            worker.dispatched += 1;
            worker.stale_noted = false;
        }
        self.set_slot(slot, Slot::Busy(key));
        actions.push(Action::Dispatch { slot, frame });
        self.arm_run_limit(key, now);
    }

    /// A slot became free: the longest unserved of its worker's apps goes first (POOL-2).
    pub(super) fn feed(&mut self, slot: SlotId, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get(&slot.worker) else { return };
        if worker.state != WorkerState::Ready {
            return;
        }
        let waiting = worker.apps.iter().filter_map(|app| Some((*app, self.first_ready(*app)?)));
        let Some((app, place)) = waiting.min_by_key(|(app, _)| self.apps[*app].last_served) else { return };
        if let Some(key) = self.apps[app].queue.remove(place) {
            self.dispatch(slot, key, now, actions);
        }
    }

    /// Gives every idle slot a request, where requests that had to wait may go on.
    pub(super) fn feed_idle_slots(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        for app in 0..self.apps.len() {
            while let Some(place) = self.first_ready(app)
                && let Some(slot) = self.idle_slot(app)
                && let Some(key) = self.apps[app].queue.remove(place)
            {
                self.dispatch(slot, key, now, actions);
            }
        }
    }

    /// The place in an app's queue of the first request whose client reads, or is gone.
    pub(super) fn first_ready(&self, app: usize) -> Option<usize> {
        let unread = |conn: &ConnId| self.conns.get(conn).is_some_and(|client| client.congested);
        let waiter = |key: &RequestKey| self.requests.get(key).and_then(|request| request.waiter);
        self.apps[app].queue.iter().position(|key| !waiter(key).as_ref().is_some_and(unread))
    }

    /// Marks a slot free and gives it its next request.
    pub(super) fn free_slot(&mut self, slot: SlotId, now: Instant, actions: &mut Vec<Action<F>>) {
        self.set_slot(slot, Slot::Idle { since: self.dispatches });
        self.feed(slot, now, actions);
        self.end_if_alone(slot.worker, now, actions);
    }

    pub(super) fn slot(&self, slot: SlotId) -> Option<Slot> {
        self.workers.get(&slot.worker)?.slots.get(slot.index as usize).copied()
    }

    pub(super) fn set_slot(&mut self, slot: SlotId, state: Slot) {
        if let Some(place) =
            self.workers.get_mut(&slot.worker).and_then(|worker| worker.slots.get_mut(slot.index as usize))
        {
            *place = state;
        }
    }

    /// When a refused client may try again: the time in which the queue empties at the present pace.
    pub(super) fn retry_after(&self, app: usize) -> Duration {
        let slots: usize =
            self.workers.values().filter(|worker| worker.serves(app)).map(|worker| worker.slots.len()).sum();
        let waves = self.apps[app].queue.len() / slots.max(1) + 1;
        let estimate =
            self.apps[app].statistics.run_time.saturating_mul(waves.try_into().unwrap_or(u32::MAX));
        estimate.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end())
    }
}
