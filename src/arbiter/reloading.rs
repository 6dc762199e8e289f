//! Re-reading the configuration while the arbiter runs (LIFE-3): what the core decides about workers, this does about the
//! configuration itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::oneshot;

use super::config::ArbiterConfig;

/// How a reload ended: the generation that now serves, or why the old one goes on.
pub(super) type Outcome = Result<u64, String>;

/// Reads the configuration again.
pub(super) type Loader = Box<dyn Fn() -> Result<ArbiterConfig, String>>;

/// The state of reloads.
#[derive(Default)]
pub(super) struct Reloading {
    loader: Option<Loader>,
    /// The configuration that a reload brings, until the core takes it over.
    upcoming: RefCell<Option<(u64, Rc<ArbiterConfig>)>>,
    running: Cell<bool>,
    begun: Cell<u64>,
    /// Asked for while one was running: the configuration may have changed after that one read it.
    again: Cell<bool>,
    waiting: RefCell<Vec<oneshot::Sender<Outcome>>>,
    waiting_for_next: RefCell<Vec<oneshot::Sender<Outcome>>>,
}

impl Reloading {
    pub fn new(loader: Option<Loader>) -> Self {
        Reloading { loader, ..Reloading::default() }
    }

    /// Whether a reload may begin now; if one is running, another follows it.
    pub fn may_begin(&self, waiter: Option<oneshot::Sender<Outcome>>) -> bool {
        if self.running.get() {
            self.again.set(true);
            self.waiting_for_next.borrow_mut().extend(waiter);
            return false;
        }
        self.waiting.borrow_mut().extend(waiter);
        self.begun.set(self.begun.get() + 1);
        true
    }

    /// How many reloads have begun, those that could not read the configuration among them, and whether one is under way.
    pub fn count(&self) -> (u64, bool) {
        (self.begun.get(), self.running.get())
    }

    /// Reads the configuration; `current` if there is nowhere to read it from, so that at least the workers are new.
    pub fn load(&self, current: Rc<ArbiterConfig>) -> Result<Rc<ArbiterConfig>, String> {
        match &self.loader {
            Some(load) => load().map(Rc::new),
            None => Ok(current),
        }
    }

    pub fn begin(&self, generation: u64, config: Rc<ArbiterConfig>) {
        self.running.set(true);
        self.upcoming.replace(Some((generation, config)));
    }

    /// The configuration that is to come with this generation.
    pub fn upcoming(&self, generation: u64) -> Option<Rc<ArbiterConfig>> {
        let upcoming = self.upcoming.borrow();
        upcoming.as_ref().filter(|(of, _)| *of == generation).map(|(_, config)| Rc::clone(config))
    }

    /// Tells whoever waits; returns whether another reload was asked for meanwhile.
    pub fn end(&self, outcome: &Outcome) -> bool {
        self.running.set(false);
        self.upcoming.replace(None);
        for waiter in self.waiting.take() {
            // Who has stopped waiting needs no answer.
            let _ = waiter.send(outcome.clone());
        }
        self.waiting.replace(self.waiting_for_next.take());
        self.again.take()
    }
}

impl std::fmt::Debug for Reloading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloading").field("running", &self.running).finish_non_exhaustive()
    }
}
