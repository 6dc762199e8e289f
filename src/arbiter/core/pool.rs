//! The life of worker processes: boot, serve, end, and be replaced.

use std::time::{Duration, Instant};

use super::deadlines::Timer;
use super::failing::{FAILED_AFTER, backoff};
use super::reload::Replacing;
use super::state::{Doom, Seat, SeatApps, Slot, Worker, WorkerState};
use super::timeouts::KILL_GRACE;
use super::types::{
    Action, FAILING_TO_BOOT, Failure, Note, SERVED_NO_MORE, SlotId, WorkerExit, WorkerId, WorkerSignal,
};
use super::{Core, Mode, limit};

/// How long after the end of a slot's connection its worker's death is awaited.
const REAP_GRACE: Duration = Duration::from_millis(500);

impl<F> Core<F> {
    /// Starts a worker on an empty seat, with the seat's apps (POOL-7).
    pub(super) fn spawn(&mut self, index: usize, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(seat) = self.seats.get(index).filter(|seat| seat.worker.is_none() && !seat.vacant) else {
            return;
        };
        let loads = seat.loads();
        if !loads.all.is_empty() && self.wants_worker(&loads) {
            let worker = self.start_worker(Some(index), loads, now, actions);
            self.seats[index].worker = Some(worker);
        }
    }

    /// Starts a worker; without a seat it is the first of a reload's configuration.
    pub(super) fn start_worker(
        &mut self,
        seat: Option<usize>,
        loads: SeatApps,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) -> WorkerId {
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let (config, generation) = match (&self.reload, seat) {
            (Some(reload), None) => (&reload.config, reload.generation),
            _ => (&self.config, self.generation),
        };
        let paths = |apps: &[usize]| apps.iter().map(|app| self.apps[*app].app_path.clone()).collect();
        let (apps, fixed) = (paths(&loads.all), paths(&loads.fixed));
        actions.push(Action::Spawn { worker: id, apps, fixed, seat: seat.unwrap_or(0), generation });
        let worker = Worker {
            seat,
            apps: loads.all.clone(),
            loads,
            loading: None,
            generation,
            threads: config.threads,
            boot_timeout: limit(config.boot_timeout),
            started: now,
            dispatched: 0,
            served: 0,
            stale_noted: false,
            watchdog: limit(config.watchdog),
            ready: now,
            alive: now,
            retiring: false,
            state: WorkerState::Booting,
            slots: Vec::new(),
            doomed: None,
            aborted: false,
            stillborn: false,
        };
        self.workers.insert(id, worker);
        id
    }

    /// While draining, a seat is filled only for requests that still wait.
    fn wants_worker(&self, loads: &SeatApps) -> bool {
        match self.mode {
            Mode::Serving => true,
            Mode::Draining => self.has_queued(&loads.all),
            Mode::Quitting | Mode::Finished => false,
        }
    }

    pub(super) fn has_queued(&self, apps: &[usize]) -> bool {
        apps.iter().any(|app| !self.apps[*app].queue.is_empty())
    }

    pub(super) fn spawned(&mut self, worker: WorkerId, now: Instant) {
        if let Some(boot) = self.workers.get(&worker).and_then(|worker| worker.boot_timeout) {
            self.deadlines.set(now + boot, Timer::Boot(worker));
        }
    }

    /// A worker that boots says which of its apps it serves (WORK-14).
    pub(super) fn serves(&mut self, id: WorkerId, app_paths: &[String]) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| boots(worker)) else { return };
        // What the configuration gives to this worker is not its to refuse.
        let loads = &worker.loads;
        worker.apps.retain(|app| loads.fixed.contains(app) || app_paths.contains(&self.apps[*app].app_path));
    }

    pub(super) fn ready(&mut self, id: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        // One that took too long has been told to end: its READY comes too late.
        if !self.workers.get(&id).is_some_and(boots) {
            return;
        }
        if self.reload.as_ref().is_some_and(|reload| reload.trial == Some(id)) {
            self.adopt(id, now, actions);
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let slots = worker.threads;
        worker.state = WorkerState::Ready;
        worker.loading = None;
        worker.slots = vec![Slot::Opening; slots as usize];
        (worker.ready, worker.alive) = (now, now);
        if let Some(silence) = worker.watchdog {
            self.deadlines.set(now + silence, Timer::Watchdog(id));
        }
        actions.push(Action::Log(Note::WorkerReady(id)));
        actions.push(Action::OpenSlots { worker: id, slots });
        let nothing_to_serve = worker.apps.is_empty();
        let loaded = worker.loads.all.clone();
        let Some(index) = worker.seat else { return };
        if self.seats.get(index).is_some_and(|seat| seat.replacement == Some(id)) {
            self.take_seat(id, index, now);
        }
        let Some(seat) = self.seats.get_mut(index) else { return };
        seat.failed = false;
        seat.failing.retain(|app, _| !loaded.contains(app));
        if nothing_to_serve {
            seat.vacant = true;
            seat.worker = None;
            self.retire(id);
        }
    }

    pub(super) fn alive(&mut self, id: WorkerId, now: Instant) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.alive = now;
        }
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
        let seat = worker.seat.filter(|index| {
            self.seats.get(*index).is_some_and(|seat| [seat.worker, seat.replacement].contains(&Some(id)))
        });
        let expected = worker.doomed == Some(Doom::Signalled);
        // One that dies of itself right after its READY has not really booted.
        let stillborn = worker.stillborn || (!expected && worker.is_newborn(now));
        let boot_failed = matches!(self.mode, Mode::Serving | Mode::Draining)
            && (worker.state == WorkerState::Booting || stillborn);
        let is_trial = self.reload.as_ref().is_some_and(|reload| reload.trial == Some(id));
        if is_trial {
            return self.replacement_failed((id, &worker), exit, actions);
        }
        if let Some(index) = seat {
            let seat = &mut self.seats[index];
            seat.last_exit = Some((id, exit, now));
            if seat.replacement == Some(id) {
                seat.replacement = None;
                if self.retry_failed(index, (id, &worker), exit, now, actions) {
                    self.replacing = Replacing::Nobody;
                    return;
                }
                return self.replacement_failed((id, &worker), exit, actions);
            }
            if self.hand_over(index) {
                // Somebody boots there already.
            } else if boot_failed {
                return self.boot_failed(index, (id, &worker), exit, now, actions);
            } else if worker.state != WorkerState::Booting {
                self.seats[index].failures = 0;
            }
        }
        self.counters.crashes += u64::from(!expected);
        actions.push(Action::Log(Note::WorkerExited { worker: id, exit, expected }));
        if let Some(index) = seat {
            self.spawn(index, now, actions);
        }
    }

    fn boot_failed(
        &mut self,
        index: usize,
        (id, worker): (WorkerId, &Worker),
        exit: WorkerExit,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        if let Some(app) = worker.loading {
            self.leave_out(index, app, id, exit, now, actions);
            self.spawn(index, now, actions);
        } else if let Some(seat) = self.seats.get_mut(index) {
            seat.failures = seat.failures.saturating_add(1);
            seat.failed |= seat.failures >= FAILED_AFTER;
            let (retry_in, failed) = (backoff(seat.failures, id), seat.failed);
            self.deadlines.set(now + retry_in, Timer::Respawn(index));
            actions.push(Action::Log(Note::BootFailed { worker: id, exit, app: None, retry_in, failed }));
        }
        // A reload ends with the first worker of its configuration that fails (POOL-9).
        if worker.generation == self.generation {
            self.fail_reload((id, worker), exit, actions);
        }
    }

    /// A worker that is of no use: did it fail right after its READY, with nothing done?
    pub(super) fn judge_birth(&mut self, id: WorkerId, now: Instant) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.stillborn |= worker.is_newborn(now);
        }
    }

    /// Answers the requests that nobody will ever serve (POOL-5).
    pub(super) fn refuse_hopeless(&mut self, actions: &mut Vec<Action<F>>) {
        for app in 0..self.apps.len() {
            if !self.apps[app].queue.is_empty() && self.has_failed(app) {
                let loaded = self.seats.iter().any(|seat| seat.apps.all.contains(&app));
                self.refuse_queue(app, if loaded { FAILING_TO_BOOT } else { SERVED_NO_MORE }, actions);
            }
        }
    }

    /// Answers everything that waits for an app.
    pub(super) fn refuse_queue(&mut self, app: usize, reason: &'static str, actions: &mut Vec<Action<F>>) {
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
        let hopeless = |seat: &Seat| {
            let worker = self.seated(seat);
            // Its worker knows by now whether it serves the app (WORK-14).
            let declined =
                worker.is_some_and(|worker| worker.state != WorkerState::Booting && !worker.serves(app));
            self.gives_up(seat, app).unwrap_or(seat.failed || seat.vacant || declined)
        };
        let mut seats = self.seats.iter().filter(|seat| seat.apps.all.contains(&app));
        seats.all(hopeless) && !self.has_ready_worker(app)
    }

    /// The worker that holds a seat.
    pub(super) fn seated(&self, seat: &Seat) -> Option<&Worker> {
        seat.worker.and_then(|id| self.workers.get(&id))
    }

    pub(super) fn has_ready_worker(&self, app: usize) -> bool {
        self.workers.values().any(|worker| worker.state == WorkerState::Ready && worker.serves(app))
    }

    /// Decides a worker's end. It takes no more requests; what else runs on it may finish first.
    pub(super) fn doom(&mut self, id: WorkerId, doom: Doom, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.state = WorkerState::Draining;
        worker.doomed = match worker.doomed {
            // SIGTERM is no remedy for a request that does not end: it is waited for (TIME-5).
            Some(Doom::Signalled) if doom == Doom::AbortWhenAlone && !worker.aborted => Some(doom),
            // Otherwise one signal is enough, and an abort is never softened.
            Some(decided @ (Doom::Signalled | Doom::AbortWhenAlone)) => Some(decided),
            _ => Some(doom),
        };
        self.end_if_alone(id, now, actions);
        self.free_seat_of(id, now, actions);
    }

    /// A worker that may take its time to end is replaced at once, so that nothing waits for that. One that was aborted is
    /// gone in a moment: what it holds (the memory of a model, a device) is freed before its replacement needs it.
    fn free_seat_of(&mut self, id: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.mode != Mode::Serving {
            return;
        }
        let stays = |worker: &&mut Worker| worker.aborted || worker.stillborn;
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| !stays(worker)) else { return };
        let Some(index) = worker.seat.take() else { return };
        if self.seats.get(index).is_some_and(|seat| seat.worker == Some(id)) {
            self.hand_over(index);
            self.spawn(index, now, actions);
        }
    }

    /// The worker of a seat has left it: the one that boots beside it, if there is one, has the seat to itself.
    fn hand_over(&mut self, index: usize) -> bool {
        let Some(seat) = self.seats.get_mut(index) else { return false };
        seat.worker = seat.replacement.take();
        if seat.worker.is_some() {
            self.replacing = Replacing::Nobody;
        }
        seat.worker.is_some()
    }

    /// Signals a doomed worker as soon as nothing runs on it but requests whose limit has passed (TIME-5).
    pub(super) fn end_if_alone(&mut self, id: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let signal = match worker.doomed {
            Some(Doom::AbortWhenAlone) => WorkerSignal::Abort,
            Some(Doom::TerminateWhenAlone) => WorkerSignal::Terminate,
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
            worker.aborted = true;
            actions.push(Action::Log(Note::Aborting { worker: id }));
        }
        match signal {
            WorkerSignal::Abort => drop(self.deadlines.set(now + KILL_GRACE, Timer::Kill(id))),
            _ => self.arm_graceful(now, Timer::Kill(id)),
        }
    }
}

/// Whether READY is still to come, and will be heeded.
fn boots(worker: &Worker) -> bool {
    worker.state == WorkerState::Booting && worker.doomed.is_none()
}
