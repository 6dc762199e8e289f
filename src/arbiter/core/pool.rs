//! The life of worker processes: boot, serve, end, and be replaced.

use std::time::{Duration, Instant};

use super::deadlines::Timer;
use super::state::{Doom, Slot, Worker, WorkerState};
use super::timeouts::KILL_GRACE;
use super::types::{Action, Failure, Note, SlotId, WorkerExit, WorkerId, WorkerSignal};
use super::{Core, Mode, limit};

/// How long after the end of a slot's connection its worker's death is awaited.
const REAP_GRACE: Duration = Duration::from_millis(500);
/// The first and the longest pause before a failed boot is tried again (POOL-5).
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// So many boot failures within this time make a seat `failed` (POOL-5).
const FAILED_AFTER: (usize, Duration) = (5, Duration::from_secs(60));

impl<F> Core<F> {
    pub(super) fn fill_seats(&mut self, actions: &mut Vec<Action<F>>) {
        for seat in 0..self.seats.len() {
            self.spawn(seat, actions);
        }
    }

    /// Starts a worker on an empty seat, with the seat's apps (POOL-7).
    pub(super) fn spawn(&mut self, seat: usize, actions: &mut Vec<Action<F>>) {
        if self.seats[seat].worker.is_some() || !self.wants_worker(seat) {
            return;
        }
        let worker = WorkerId(self.next_worker);
        self.next_worker += 1;
        self.seats[seat].worker = Some(worker);
        self.workers
            .insert(worker, Worker { seat, state: WorkerState::Booting, slots: Vec::new(), doomed: None });
        let apps = self.seats[seat].apps.iter().map(|app| self.apps[*app].app_path.clone()).collect();
        let fixed = Vec::new();
        actions.push(Action::Spawn { worker, apps, fixed, seat });
    }

    /// While draining, a seat is filled only for requests that still wait.
    fn wants_worker(&self, seat: usize) -> bool {
        match self.mode {
            Mode::Serving => true,
            Mode::Draining => self.has_queued(seat),
            Mode::Quitting | Mode::Finished => false,
        }
    }

    fn has_queued(&self, seat: usize) -> bool {
        self.seats[seat].apps.iter().any(|app| !self.apps[*app].queue.is_empty())
    }

    pub(super) fn spawned(&mut self, worker: WorkerId, now: Instant) {
        if let Some(boot) = limit(self.config.boot_timeout) {
            self.deadlines.set(now + boot, Timer::Boot(worker));
        }
    }

    pub(super) fn ready(&mut self, id: WorkerId, actions: &mut Vec<Action<F>>) {
        // One that took too long has been told to end: its READY comes too late.
        let boots = |worker: &&mut Worker| worker.state == WorkerState::Booting && worker.doomed.is_none();
        let Some(worker) = self.workers.get_mut(&id).filter(boots) else { return };
        worker.state = WorkerState::Ready;
        worker.slots = vec![Slot::Opening; self.config.threads as usize];
        let seat = &mut self.seats[worker.seat];
        seat.failures.clear();
        seat.failed = false;
        actions.push(Action::Log(Note::WorkerReady(id)));
        actions.push(Action::OpenSlots(id));
    }

    pub(super) fn slot_opened(&mut self, slot: SlotId, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.slot(slot) == Some(Slot::Opening) {
            self.free_slot(slot, now, actions);
        }
    }

    /// A slot's connection ended. Its worker has most likely died, and its exit will say how.
    pub(super) fn slot_lost(&mut self, slot: SlotId, now: Instant, actions: &mut Vec<Action<F>>) {
        let lost = match self.slot(slot) {
            Some(Slot::Busy(key)) => Some(key),
            Some(Slot::Idle { .. } | Slot::Opening) => None,
            Some(Slot::Lost(_)) | None => return,
        };
        actions.push(Action::CloseSlot(slot));
        self.set_slot(slot, Slot::Lost(lost));
        if let Some(worker) = self.workers.get_mut(&slot.worker) {
            worker.state = WorkerState::Draining;
            self.deadlines.set(now + REAP_GRACE, Timer::Reap(slot.worker));
        }
    }

    /// A worker process ended: what ran there fails, its seat is filled again (POOL-6, POOL-7).
    pub(super) fn exited(
        &mut self,
        id: WorkerId,
        exit: WorkerExit,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let Some(worker) = self.workers.remove(&id) else { return };
        for (index, slot) in (0..).zip(&worker.slots) {
            if let Slot::Busy(key) | Slot::Lost(Some(key)) = *slot {
                self.fail_with_worker(SlotId { worker: id, index }, key, exit, actions);
            }
        }
        self.seats[worker.seat].worker = None;
        if worker.state == WorkerState::Booting && self.mode == Mode::Serving {
            return self.boot_failed(worker.seat, id, exit, now, actions);
        }
        let expected = worker.doomed == Some(Doom::Signalled);
        self.counters.crashes += u64::from(!expected);
        actions.push(Action::Log(Note::WorkerExited { worker: id, exit, expected }));
        self.spawn(worker.seat, actions);
    }

    fn boot_failed(
        &mut self,
        seat_index: usize,
        worker: WorkerId,
        exit: WorkerExit,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let seat = &mut self.seats[seat_index];
        seat.failures.push_back(now);
        if seat.failures.len() > 2 * FAILED_AFTER.0 {
            seat.failures.pop_front();
        }
        let count = seat.failures.len();
        let window = count.checked_sub(FAILED_AFTER.0).and_then(|first| seat.failures.get(first));
        seat.failed |= window.is_some_and(|first| now.saturating_duration_since(*first) <= FAILED_AFTER.1);
        let doubled = BACKOFF.0.saturating_mul(1 << count.saturating_sub(1).min(16)).min(BACKOFF.1);
        let retry_in = doubled.mul_f64(jitter(worker));
        let failed = seat.failed;
        self.deadlines.set(now + retry_in, Timer::Respawn(seat_index));
        actions.push(Action::Log(Note::BootFailed { worker, exit, retry_in, failed }));
        let failed_apps: Vec<usize> =
            self.seats[seat_index].apps.iter().copied().filter(|app| self.has_failed(*app)).collect();
        for app in failed_apps {
            self.refuse_queue(app, "its workers fail to boot", actions);
        }
    }

    /// Answers everything that waits for an app.
    fn refuse_queue(&mut self, app: usize, reason: &'static str, actions: &mut Vec<Action<F>>) {
        for key in std::mem::take(&mut self.apps[app].queue) {
            if let Some(request) = self.requests.get(&key) {
                let target = super::state::target(&self.apps, request);
                self.answer(key, Failure::NoWorkers { target, reason }, actions);
            }
            self.forget(key);
        }
    }

    /// No worker of the app runs, and each of its seats has failed to boot too often (POOL-5).
    pub(super) fn has_failed(&self, app: usize) -> bool {
        let mut seats = self.seats.iter().filter(|seat| seat.apps.contains(&app)).peekable();
        seats.peek().is_none() || (seats.all(|seat| seat.failed) && !self.has_ready_worker(app))
    }

    pub(super) fn has_ready_worker(&self, app: usize) -> bool {
        let mut ready = self.workers.values().filter(|worker| worker.state == WorkerState::Ready);
        ready.any(|worker| self.seats[worker.seat].apps.contains(&app))
    }

    /// Decides a worker's end. It takes no more requests; what else runs on it may finish first.
    pub(super) fn doom(&mut self, id: WorkerId, doom: Doom, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.state = WorkerState::Draining;
        worker.doomed = match worker.doomed {
            // An abort is never softened, and one signal is enough.
            Some(decided @ (Doom::Signalled | Doom::AbortWhenAlone)) => Some(decided),
            _ => Some(doom),
        };
        self.end_if_alone(id, now, actions);
    }

    /// Signals a doomed worker as soon as nothing runs on it but requests whose limit has passed (TIME-5).
    pub(super) fn end_if_alone(&mut self, id: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (signal, grace) = match worker.doomed {
            Some(Doom::AbortWhenAlone) => (WorkerSignal::Abort, KILL_GRACE),
            Some(Doom::TerminateWhenAlone) => (WorkerSignal::Terminate, self.config.graceful_timeout),
            Some(Doom::Signalled) | None => return,
        };
        let requests = &self.requests;
        let holds =
            |slot: &Slot| matches!(slot, Slot::Busy(key) if requests.get(key).is_some_and(|r| !r.expired));
        if worker.slots.iter().any(holds) {
            return;
        }
        worker.doomed = Some(Doom::Signalled);
        actions.push(Action::Signal { worker: id, signal });
        if signal == WorkerSignal::Abort {
            actions.push(Action::Log(Note::Aborting { worker: id }));
        }
        self.deadlines.set(now + grace, Timer::Kill(id));
    }

    /// Finish what was accepted, then exit; told twice, it hurries (LIFE-1).
    pub(super) fn drain(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.mode != Mode::Serving {
            return self.quit(actions);
        }
        self.mode = Mode::Draining;
        self.deadlines.set(now + self.config.graceful_timeout, Timer::DrainEnd);
    }

    /// Exit at once: what runs dies with its worker, what waits is refused (LIFE-2).
    pub(super) fn quit(&mut self, actions: &mut Vec<Action<F>>) {
        if self.mode == Mode::Finished {
            return;
        }
        self.mode = Mode::Quitting;
        for app in 0..self.apps.len() {
            self.refuse_queue(app, "the arbiter is shutting down", actions);
        }
        for (&id, worker) in &mut self.workers {
            worker.doomed = Some(Doom::Signalled);
            actions.push(Action::Signal { worker: id, signal: WorkerSignal::Kill });
        }
    }

    pub(super) fn drain_end(&mut self, actions: &mut Vec<Action<F>>) {
        if self.mode == Mode::Draining {
            self.quit(actions);
        }
    }

    /// While draining: ends the workers that nothing needs any more, and says when all is done.
    pub(super) fn advance_drain(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.mode == Mode::Draining {
            let idle = |worker: &Worker| {
                worker.doomed.is_none() && worker.busy() == 0 && !self.has_queued(worker.seat)
            };
            let mut done: Vec<WorkerId> =
                self.workers.iter().filter(|(_, worker)| idle(worker)).map(|(id, _)| *id).collect();
            done.sort_unstable();
            for id in done {
                self.doom(id, Doom::TerminateWhenAlone, now, actions);
            }
        }
        let over = matches!(self.mode, Mode::Draining | Mode::Quitting);
        if over && self.workers.is_empty() && self.requests.is_empty() {
            self.mode = Mode::Finished;
            actions.push(Action::Finished);
        }
    }
}

/// A factor between 0.8 and 1.2, different from worker to worker, so that seats do not retry in step.
fn jitter(worker: WorkerId) -> f64 {
    let mixed = worker.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    0.8 + 0.4 * (mixed as f64 / f64::from(u32::MAX))
}
