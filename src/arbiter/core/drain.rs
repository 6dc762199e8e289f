//! The arbiter's own end: finish what was accepted, or kill what is left.

use std::time::Instant;

use super::deadlines::Timer;
use super::state::{Doom, Worker};
use super::types::{Action, SHUTTING_DOWN, WorkerId, WorkerSignal};
use super::{Core, Mode};

impl<F> Core<F> {
    /// Finish what was accepted, then exit; told twice, it hurries (LIFE-1).
    pub(super) fn drain(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.mode != Mode::Serving {
            return self.quit(actions);
        }
        self.mode = Mode::Draining;
        self.give_up_reload(SHUTTING_DOWN, actions);
        self.arm_graceful(now, Timer::DrainEnd);
    }

    /// Exit at once: what runs dies with its worker, what waits is refused (LIFE-2).
    pub(super) fn quit(&mut self, actions: &mut Vec<Action<F>>) {
        if self.mode == Mode::Finished {
            return;
        }
        self.mode = Mode::Quitting;
        self.give_up_reload(SHUTTING_DOWN, actions);
        for app in 0..self.apps.len() {
            self.refuse_queue(app, SHUTTING_DOWN, actions);
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
                worker.doomed.is_none() && worker.busy() == 0 && !self.has_queued(&worker.apps)
            };
            let done: Vec<WorkerId> =
                self.workers.iter().filter(|(_, worker)| idle(worker)).map(|(id, _)| *id).collect();
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
