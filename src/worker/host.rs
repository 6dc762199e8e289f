//! The host: which apps a worker program has, and how they come to life.

use std::panic::{AssertUnwindSafe, catch_unwind};

use indexmap::IndexMap;

use super::actions::Actions;
use super::exchange::Exchange;
use super::failure::{Failure, panic_text};
use super::service::{Control, Worker};
use super::setup::{Setup, SetupError};
use super::{AppResult, DirtyApp};

/// A worker program: the apps that it can serve, by their app paths.
///
/// ```no_run
/// use dirty_arbiter::apps::{Fixture, Llm};
/// use dirty_arbiter::worker::Host;
///
/// fn main() -> std::process::ExitCode {
///     Host::new().app("fixture:App", Fixture::default).app("demo:LLM", Llm::default).run()
/// }
/// ```
#[derive(Default)]
pub struct Host {
    factories: IndexMap<String, Factory>,
}

/// How an app is made, and how many workers its class is content with.
struct Factory {
    workers: Option<usize>,
    make: Make,
}

type Make = Box<dyn FnOnce() -> Result<Box<dyn Served>, Vec<String>> + Send>;

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The environment does not say what to do.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The program has no such app.
    #[error("unknown app {app_path:?}: expected one of {known}")]
    UnknownApp {
        /// The app that was asked for.
        app_path: String,
        /// The apps that there are.
        known: String,
    },
    /// An app declares actions that cannot be.
    #[error("app {app_path:?}: {faults}")]
    Actions {
        /// The app.
        app_path: String,
        /// What is wrong with them.
        faults: String,
    },
    /// An app could not be made or initialised.
    #[error("app {app_path:?}: {phase} failed: {reason}")]
    App {
        /// The app.
        app_path: String,
        /// `init()`, or where else it failed.
        phase: &'static str,
        /// What it said.
        reason: String,
    },
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Host {
    /// A program without apps.
    pub fn new() -> Self {
        Host::default()
    }

    /// Adds an app, and how it is made. Nothing is made unless the arbiter asks for the app.
    ///
    /// A later app takes the place of an earlier one with the same path.
    pub fn app<A: DirtyApp>(
        mut self,
        app_path: impl Into<String>,
        make: impl FnOnce() -> A + Send + 'static,
    ) -> Self {
        let make: Make = Box::new(move || {
            let actions = Actions::of_app()?;
            Ok(Box::new(Loaded { app: make(), actions }))
        });
        self.factories.insert(app_path.into(), Factory { workers: A::WORKERS, make });
        self
    }

    /// Starts a worker inside this process: loads the apps, listens, and serves in threads of its own. Signals,
    /// standard input and notifications are left alone; for a program of its own use [`run`](Self::run).
    ///
    /// # Errors
    /// A [`BootError`] when an app cannot be loaded, or the socket cannot be listened on.
    pub fn start(self, setup: &Setup) -> Result<Worker, BootError> {
        let control = Control::new(setup.threads);
        let apps = self.boot(setup, |_| ())?;
        Worker::start(apps, setup, control)
    }

    /// Makes the apps, all that this worker is to load, then initialises each.
    /// Makes and initialises the apps. `turns_to` is told of each app before something of it runs (WORK-17), and of the end.
    pub(super) fn boot(mut self, setup: &Setup, turns_to: impl Fn(Option<&str>)) -> Result<Apps, BootError> {
        let known = self.factories.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let mut apps = Apps::default();
        for app_path in &setup.apps {
            if apps.0.contains_key(app_path) {
                continue;
            }
            turns_to(Some(app_path));
            let Some(factory) = self.factories.swap_remove(app_path) else {
                return Err(BootError::UnknownApp { app_path: app_path.clone(), known });
            };
            let enough = factory.workers.is_some_and(|workers| setup.seat >= workers);
            if enough && !setup.fixed_apps.contains(app_path) {
                continue;
            }
            let made = guarded(app_path, "making it", || Ok((factory.make)()))?;
            let app = made.map_err(|faults| BootError::Actions {
                app_path: app_path.clone(),
                faults: faults.join("; "),
            })?;
            apps.0.insert(app_path.clone(), app);
        }
        for index in 0..apps.0.len() {
            let Some((app_path, app)) = apps.0.get_index_mut(index) else { break };
            turns_to(Some(app_path));
            if let Err(error) = guarded(app_path, "init()", || app.init()) {
                apps.close_first(index);
                return Err(error);
            }
            tracing::debug!(app = %apps.0.keys()[index], "initialised");
        }
        turns_to(None);
        Ok(apps)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

/// Runs a part of an app's life; its errors and panics become the reason why the worker cannot start.
fn guarded<T>(
    app_path: &str,
    phase: &'static str,
    run: impl FnOnce() -> AppResult<T>,
) -> Result<T, BootError> {
    let failed = |reason| BootError::App { app_path: app_path.to_owned(), phase, reason };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error.as_error().message().to_owned())),
        Err(panic) => Err(failed(panic_text(panic))),
    }
}

/// The apps of a worker, in the order of `DIRTY_APPS`.
#[derive(Default)]
pub(super) struct Apps(IndexMap<String, Box<dyn Served>>);

impl Apps {
    pub(super) fn get(&self, app_path: &str) -> Option<&dyn Served> {
        self.0.get(app_path).map(|app| &**app)
    }

    /// Their paths.
    pub(super) fn paths(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Ends every app's life, in order.
    pub(super) fn close(&mut self) {
        self.close_first(self.0.len());
    }

    fn close_first(&mut self, count: usize) {
        for (app_path, app) in self.0.iter_mut().take(count) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| app.close())) {
                tracing::error!(app = %app_path, "close() panicked: {}", panic_text(panic));
            }
        }
    }
}

impl std::fmt::Debug for Apps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// An app of any type.
pub(super) trait Served: Send + Sync {
    fn init(&mut self) -> AppResult<()>;
    /// Runs the action that the call names.
    fn run(&self, exchange: Exchange<'_>) -> Result<(), Failure>;
    fn close(&mut self);
}

struct Loaded<A> {
    app: A,
    actions: Actions<A>,
}

impl<A: DirtyApp> Served for Loaded<A> {
    fn init(&mut self) -> AppResult<()> {
        self.app.init()
    }

    fn run(&self, exchange: Exchange<'_>) -> Result<(), Failure> {
        match self.actions.get(exchange.call().action()) {
            Some(handler) => handler(&self.app, exchange),
            None => Err(Failure::UnknownAction { known: self.actions.names() }),
        }
    }

    fn close(&mut self) {
        self.app.close();
    }
}
