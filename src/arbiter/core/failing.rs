//! Apps that keep their worker from booting: left out, so that the others are served, and tried again (POOL-15).

use std::time::{Duration, Instant};

use super::deadlines::Timer;
use super::state::{Seat, SeatApps, Worker, WorkerState};
use super::types::{Action, Note, WorkerExit, WorkerId};
use super::{Core, Mode};

/// The first and the longest pause before a failed boot is tried again (POOL-5).
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// So many boot failures in a row make a seat, or an app on it, `failed` (POOL-5).
pub(super) const FAILED_AFTER: u32 = 5;

/// An app with which a seat's worker has failed to boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Failing {
    /// How often in a row.
    pub failures: u32,
    /// The seat's worker does without it, until it is tried again.
    pub left_out: bool,
}

impl Seat {
    /// What its next worker is to load. An app that is tried again comes first: if it fails again, no other was loaded in
    /// vain.
    pub fn loads(&self) -> SeatApps {
        let with = |app: &&usize| !self.failing.get(*app).is_some_and(|failing| failing.left_out);
        let chosen = |apps: &[usize]| -> Vec<usize> { apps.iter().filter(with).copied().collect() };
        let (mut all, fixed) = (chosen(&self.apps.all), chosen(&self.apps.fixed));
        all.sort_by_key(|app| !self.failing.contains_key(app));
        SeatApps { all, fixed }
    }
}

impl SeatApps {
    /// Whether the same apps are loaded, in whatever order.
    pub fn are_those_of(&self, other: &SeatApps) -> bool {
        let sorted = |apps: &[usize]| {
            let mut apps = apps.to_vec();
            apps.sort_unstable();
            apps
        };
        sorted(&self.all) == sorted(&other.all) && sorted(&self.fixed) == sorted(&other.fixed)
    }
}

impl<F> Core<F> {
    /// A worker that boots says which app it turns to, or that it is done with them all (WORK-17).
    pub(super) fn loading(&mut self, id: WorkerId, app_path: Option<&str>) {
        let app = app_path.and_then(|app_path| self.app_index.get(app_path).copied());
        if let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.state == WorkerState::Booting)
        {
            worker.loading = app.filter(|app| worker.loads.all.contains(app));
        }
    }

    /// The app at which a worker that did not boot has failed, as far as it said so.
    pub(super) fn blamed(&self, worker: &Worker) -> Option<&str> {
        worker.loading.map(|app| self.apps[app].app_path.as_str())
    }

    /// The worker that was to take a seat has failed to boot. If it was to bring an app that the seat's worker lacks, that
    /// app is what failed: the seat's worker stays as it is, and the app is left out again.
    pub(super) fn retry_failed(
        &mut self,
        index: usize,
        (id, worker): (WorkerId, &Worker),
        exit: WorkerExit,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) -> bool {
        let Some(seat) = self.seats.get(index) else { return false };
        let present = self.seated(seat);
        let Some(present) = present.filter(|present| present.generation == worker.generation) else {
            return false;
        };
        let lacks = |app: &usize| !present.loads.all.contains(app);
        let blamed: Vec<usize> = match worker.loading.filter(lacks) {
            Some(app) => vec![app],
            None => worker
                .loads
                .all
                .iter()
                .copied()
                .filter(|app| seat.failing.contains_key(app) && lacks(app))
                .collect(),
        };
        for app in &blamed {
            self.leave_out(index, *app, id, exit, now, actions);
        }
        !blamed.is_empty()
    }

    /// A worker has failed to boot because of one app: the seat does without it for a while.
    pub(super) fn leave_out(
        &mut self,
        index: usize,
        app: usize,
        worker: WorkerId,
        exit: WorkerExit,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        let failing = seat.failing.entry(app).or_default();
        failing.left_out = true;
        failing.failures = failing.failures.saturating_add(1);
        let failed = failing.failures >= FAILED_AFTER;
        let retry_in = backoff(failing.failures, worker);
        self.deadlines.set(now + retry_in, Timer::Retry(index, app));
        let app = Some(self.apps[app].app_path.clone());
        actions.push(Action::Log(Note::BootFailed { worker, exit, app, retry_in, failed }));
    }

    /// An app that was left out is tried again: where no worker is, at once, and else by a replacement.
    pub(super) fn retry(&mut self, index: usize, app: usize, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        let Some(failing) = seat.failing.get_mut(&app) else { return };
        failing.left_out = false;
        seat.kept = false;
        self.spawn(index, now, actions);
    }

    /// Whether a seat's worker boots without an app that is to be tried again. It would never come to its end if every try
    /// made it begin anew.
    pub(super) fn retry_waits(&self, index: usize) -> bool {
        let seat = &self.seats[index];
        let worker = self.seated(seat);
        let boots = worker.is_some_and(|worker| {
            worker.state == WorkerState::Booting && worker.generation == self.generation
        });
        boots && !seat.failing.is_empty()
    }

    /// Whether a seat gives a request no reason to wait for an app that has failed there.
    pub(super) fn gives_up(&self, seat: &Seat, app: usize) -> Option<bool> {
        let failing = seat.failing.get(&app)?;
        // Whoever drains replaces nobody.
        Some(failing.failures >= FAILED_AFTER || (failing.left_out && self.mode != Mode::Serving))
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn backoff(failures: u32, worker: WorkerId) -> Duration {
    let doubled = BACKOFF.0.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF.1);
    doubled.mul_f64(jitter(worker))
}

/// A factor between 0.8 and 1.2, different from worker to worker, so that seats do not retry in step.
fn jitter(worker: WorkerId) -> f64 {
    let mixed = worker.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    0.8 + 0.4 * (mixed as f64 / f64::from(u32::MAX))
}
