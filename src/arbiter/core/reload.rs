//! Replacing workers without losing a request: one at a time, the new one first (POOL-9, POOL-10).
//!
//! A reload begins with a worker of the new configuration that holds no seat. Only when it is ready is the configuration
//! taken over; if it fails to boot, nothing has changed. From then on every worker of the old generation is out of date,
//! as is one whose seat is to load other apps after the pool was made larger or smaller.

use std::time::Instant;

use super::config::CoreConfig;
use super::deadlines::Timer;
use super::state::{Doom, Worker, WorkerState};
use super::types::{Action, Note, WorkerExit, WorkerId};
use super::{Core, Mode};

/// A reload under way.
#[derive(Debug, Clone)]
pub(super) struct Reload {
    /// What it brings.
    pub config: CoreConfig,
    /// The generation that it brings.
    pub generation: u64,
    /// The first worker of that generation, until it is ready and the configuration taken over.
    pub trial: Option<WorkerId>,
}

/// The one replacement that may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replacing {
    /// None is.
    Nobody,
    /// The new worker of a seat boots beside the old one.
    Booting(WorkerId),
    /// The old worker has lost its seat to the new one, and is still there.
    Ending { old: WorkerId, new: WorkerId },
}

impl Replacing {
    /// The next replacement need not wait for this old worker's end.
    pub fn without(self, ended: WorkerId) -> Self {
        match self {
            Replacing::Ending { old, .. } if old == ended => Replacing::Nobody,
            other => other,
        }
    }
}

impl<F> Core<F> {
    /// Begins a reload with a worker of the new configuration.
    pub(super) fn begin_reload(&mut self, config: CoreConfig, now: Instant, actions: &mut Vec<Action<F>>) {
        let generation = self.generation + 1;
        let refusal = match (self.mode, &self.reload) {
            (Mode::Serving, None) => None,
            (Mode::Serving, Some(_)) => Some("another reload is under way"),
            _ => Some(super::types::SHUTTING_DOWN),
        };
        if let Some(reason) = refusal {
            let failure = Some(reason.to_owned());
            return actions.push(Action::ReloadEnded { generation, failure });
        }
        let Some(first) = self.plan(&config).into_iter().next() else {
            let failure = Some("the new configuration has no apps".to_owned());
            return actions.push(Action::ReloadEnded { generation, failure });
        };
        self.reload = Some(Reload { config, generation, trial: None });
        let trial = self.start_worker(None, first, now, actions);
        if let Some(reload) = &mut self.reload {
            reload.trial = Some(trial);
        }
    }

    /// The first worker of the new configuration is ready: the configuration is taken over.
    pub(super) fn adopt(&mut self, trial: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(reload) = &mut self.reload else { return };
        reload.trial = None;
        self.generation = reload.generation;
        self.config = reload.config.clone();
        actions.push(Action::Adopt { generation: self.generation });
        self.configure_apps();
        // What boots to take a seat under the old configuration has come too late.
        let late: Vec<WorkerId> = self.seats.iter_mut().filter_map(|seat| seat.replacement.take()).collect();
        late.into_iter().for_each(|worker| self.retire(worker));
        self.arrange_seats();
        self.take_seat(trial, 0, now);
        // What kept failing may do better with the new configuration.
        for index in 0..self.seats.len() {
            self.seats[index].begin_anew();
            self.spawn(index, now, actions);
        }
    }

    /// Gives a seat to a worker that is ready. The worker that held it is to go.
    pub(super) fn take_seat(&mut self, id: WorkerId, index: usize, now: Instant) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        let before = seat.worker.replace(id);
        let beside = seat.replacement.take().filter(|replacement| *replacement != id);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.seat = Some(index);
        }
        self.replacing = Replacing::Nobody;
        // The one that held the seat last: the other has served nobody.
        for old in [beside, before].into_iter().flatten() {
            self.retire(old);
            self.replacing = Replacing::Ending { old, new: id };
            self.arm_graceful(now, Timer::NextReplacement(old));
        }
    }

    /// Takes a worker's seat away. It goes as soon as it can be spared (POOL-10).
    pub(super) fn retire(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.seat = None;
            worker.retiring = true;
        }
    }

    /// A new worker failed to boot: the old ones stay (POOL-9).
    pub(super) fn replacement_failed(
        &mut self,
        (id, worker): (WorkerId, &Worker),
        exit: WorkerExit,
        actions: &mut Vec<Action<F>>,
    ) {
        let app = self.blamed(worker).map(str::to_owned);
        actions.push(Action::Log(Note::ReplacementFailed { worker: id, exit, app }));
        if self.replacing == Replacing::Booting(id) {
            self.replacing = Replacing::Nobody;
            self.keep_outdated();
        }
        self.fail_reload((id, worker), exit, actions);
    }

    /// A worker failed to boot: that ends a reload, unless the reload has not come to that worker's configuration yet.
    pub(super) fn fail_reload(
        &mut self,
        (id, worker): (WorkerId, &Worker),
        exit: WorkerExit,
        actions: &mut Vec<Action<F>>,
    ) {
        let trial = self.reload.as_ref().map(|reload| reload.trial);
        if trial.is_some_and(|trial| trial.is_none_or(|trial| trial == id)) {
            self.keep_outdated();
            let at = self.blamed(worker).map(|app| format!(" at app \"{app}\"")).unwrap_or_default();
            let reason = format!("worker {id} failed to boot{at}: {exit}; the workers from before stay");
            self.end_reload(Some(reason), actions);
        }
    }

    /// No worker is replaced until the plan changes again.
    fn keep_outdated(&mut self) {
        for index in 0..self.seats.len() {
            self.seats[index].kept |= self.is_outdated(index);
        }
    }

    /// Ends a reload before its time; what boots for it is to go.
    pub(super) fn give_up_reload(&mut self, reason: &str, actions: &mut Vec<Action<F>>) {
        let trial = self.reload.as_mut().and_then(|reload| reload.trial.take());
        let booting: Vec<WorkerId> =
            self.seats.iter_mut().filter_map(|seat| seat.replacement.take()).collect();
        trial.into_iter().chain(booting).for_each(|worker| self.retire(worker));
        self.end_reload(Some(reason.to_owned()), actions);
    }

    fn end_reload(&mut self, failure: Option<String>, actions: &mut Vec<Action<F>>) {
        if let Some(reload) = self.reload.take() {
            actions.push(Action::ReloadEnded { generation: reload.generation, failure });
        }
    }

    /// After every event: lets go who can be spared, replaces who is out of date, and ends a reload that is complete.
    pub(super) fn advance_pool(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        let ids: Vec<WorkerId> = self.workers.iter().filter(|w| w.1.retiring).map(|w| *w.0).collect();
        for id in ids {
            if self.can_be_spared(id) {
                self.doom(id, Doom::TerminateWhenAlone, now, actions);
            }
        }
        if matches!(self.mode, Mode::Serving | Mode::Draining) {
            self.refuse_hopeless(actions);
        }
        if self.mode != Mode::Serving {
            return;
        }
        let goes_on = match self.replacing {
            Replacing::Nobody => true,
            // Its seat may be gone by now.
            Replacing::Booting(new) => self.seats.iter().any(|seat| seat.replacement == Some(new)),
            // An old worker that must stay until one of its apps is served elsewhere may be waiting for the next replacement.
            Replacing::Ending { old, new } => self.workers.get(&old).is_some_and(|old| {
                let boots = |new: &Worker| new.seat.is_some() && !new.is_available();
                old.doomed.is_some() || self.workers.get(&new).is_some_and(boots)
            }),
        };
        if !goes_on {
            self.replacing = Replacing::Nobody;
        }
        let trying = self.reload.as_ref().is_some_and(|reload| reload.trial.is_some());
        if self.replacing == Replacing::Nobody && !trying {
            self.replace_next(now, actions);
        }
        if self.reload.is_some() && !trying && !matches!(self.replacing, Replacing::Booting(_)) {
            self.end_reload_if_complete(actions);
        }
    }

    /// Whether a worker without a seat may go: it serves nothing yet, or each of its apps is served by another.
    fn can_be_spared(&self, id: WorkerId) -> bool {
        let Some(worker) = self.workers.get(&id).filter(|worker| worker.doomed.is_none()) else {
            return false;
        };
        if worker.state != WorkerState::Ready || self.mode != Mode::Serving {
            return worker.state == WorkerState::Booting;
        }
        let needed = |app: &&usize| self.apps[**app].configured || !self.apps[**app].queue.is_empty();
        let elsewhere = |app: &usize| {
            self.workers
                .iter()
                .any(|(other, worker)| *other != id && worker.is_available() && worker.serves(*app))
        };
        worker.apps.iter().filter(needed).all(elsewhere)
    }

    /// Whether a seat's worker was started with another configuration, or to load other apps, than it should be.
    fn is_outdated(&self, index: usize) -> bool {
        let seat = &self.seats[index];
        let worker = self.seated(seat);
        worker.is_some_and(|worker| {
            worker.generation != self.generation || !worker.loads.are_those_of(&seat.loads())
        })
    }

    fn replace_next(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        let due =
            |index: &usize| self.is_outdated(*index) && !self.seats[*index].kept && !self.retry_waits(*index);
        let Some(index) = (0..self.seats.len()).find(due) else { return };
        let Some(old) = self.seats[index].worker else { return };
        let apps = self.seats[index].loads();
        let serves = self.workers.get(&old).is_some_and(|worker| worker.state != WorkerState::Booting);
        let new = self.start_worker(Some(index), apps, now, actions);
        if serves {
            if let Some(beside) = self.seats[index].replacement.replace(new) {
                self.retire(beside);
            }
            self.replacing = Replacing::Booting(new);
        } else {
            // Nobody misses one that boots: the new one takes its place at once.
            self.seats[index].worker = Some(new);
            self.retire(old);
            self.doom(old, Doom::TerminateWhenAlone, now, actions);
        }
    }

    fn end_reload_if_complete(&mut self, actions: &mut Vec<Action<F>>) {
        let complete = self.seats.iter().all(|seat| {
            let worker = self.seated(seat);
            let current = |worker: &Worker| worker.generation == self.generation && worker.is_available();
            seat.vacant || worker.is_some_and(current)
        });
        if complete {
            self.end_reload(None, actions);
        }
    }
}
