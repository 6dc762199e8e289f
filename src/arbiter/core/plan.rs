//! Who loads what: seats, and how apps are dealt out to them.

use std::time::Instant;

use super::config::CoreConfig;
use super::state::{App, Seat, SeatApps};
use super::types::{Action, Note};
use super::{Core, Mode};

impl<F> Core<F> {
    /// The app that requests name so, if it is configured.
    pub(super) fn configured_app(&self, app_path: &str) -> Option<usize> {
        self.app_index.get(app_path).copied().filter(|app| self.apps[*app].configured)
    }

    /// The place of an app, known before or not.
    pub(super) fn intern(&mut self, app_path: &str) -> usize {
        let apps = &mut self.apps;
        *self.app_index.entry(app_path.to_owned()).or_insert_with(|| {
            apps.push(App::new(app_path));
            apps.len() - 1
        })
    }

    /// What each seat loads under a configuration, the apps by their places.
    pub(super) fn plan(&mut self, config: &CoreConfig) -> Vec<SeatApps> {
        let apps: Vec<(usize, Option<usize>)> =
            config.apps.iter().map(|app| (self.intern(&app.app_path), app.workers)).collect();
        allocate(&apps, config.workers)
    }

    /// Makes the configured apps those of the configuration.
    pub(super) fn configure_apps(&mut self) {
        self.apps.iter_mut().for_each(|app| app.configured = false);
        for index in 0..self.config.apps.len() {
            let place = self.intern(&self.config.apps[index].app_path.clone());
            let (app, rule) = (&mut self.apps[place], &self.config.apps[index]);
            app.configured = true;
            app.workers = rule.workers;
            app.on_disconnect = rule.on_disconnect;
        }
    }

    /// Arranges the seats and starts workers where something has changed and none is.
    pub(super) fn arrange(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        for seat in self.arrange_seats() {
            self.spawn(seat, now, actions);
        }
    }

    /// Makes the seats those of the plan, and returns which of them load something else than before. Workers whose seat
    /// is gone are to go; those that load something else than their seat are replaced, one at a time.
    pub(super) fn arrange_seats(&mut self) -> Vec<usize> {
        let config = self.config.clone();
        let plan = self.plan(&config);
        for seat in self.seats.drain(plan.len().min(self.seats.len())..).collect::<Vec<_>>() {
            for worker in [seat.worker, seat.replacement].into_iter().flatten() {
                self.retire(worker);
            }
        }
        self.seats.resize_with(plan.len(), Seat::default);
        let mut changed = Vec::new();
        for (index, (seat, apps)) in self.seats.iter_mut().zip(plan).enumerate() {
            if seat.apps != apps {
                seat.apps = apps;
                seat.begin_anew();
                changed.push(index);
            }
        }
        changed
    }

    /// Changes the number of workers (LIFE-5).
    pub(super) fn scale(&mut self, workers: usize, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.mode != Mode::Serving || workers == 0 {
            return;
        }
        if let Some(reload) = &mut self.reload {
            reload.config.workers = workers;
        }
        let from = std::mem::replace(&mut self.config.workers, workers);
        if from != workers {
            actions.push(Action::Log(Note::Scaled { from, to: workers }));
            self.arrange(now, actions);
        }
    }
}

/// Deals the apps out to `workers` seats: an unlimited app to every seat, a limited one to its number of seats, each time
/// to those that hold the fewest apps (POOL-8).
fn allocate(apps: &[(usize, Option<usize>)], workers: usize) -> Vec<SeatApps> {
    let mut seats = vec![SeatApps::default(); workers];
    for (app, _) in apps.iter().filter(|(_, limit)| limit.is_none()) {
        seats.iter_mut().for_each(|seat| seat.all.push(*app));
    }
    for (app, limit) in apps {
        let Some(count) = *limit else { continue };
        let mut order: Vec<usize> = (0..seats.len()).collect();
        order.sort_by_key(|&seat| (seats[seat].all.len(), seat));
        for &seat in order.iter().take(count) {
            seats[seat].all.push(*app);
            seats[seat].fixed.push(*app);
        }
    }
    // A worker without apps serves nothing; it is not started.
    seats.retain(|seat| !seat.all.is_empty());
    seats
}
