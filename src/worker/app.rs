//! What an app is, and how it fails.

use std::any::Any;
use std::fmt::Display;

use super::Actions;
use crate::DirtyError;

/// An app: state that lives as long as its worker, and the actions that may be called on it.
///
/// One object serves all slots of a worker at once, so actions take `&self`; what they change is behind a `Mutex`,
/// an atomic, or whatever suits. See the [module documentation](super) for an example.
///
/// Life cycle, in every worker: all apps are made; [`init`](Self::init) runs on each, in order; only then does the
/// arbiter learn that the worker is ready; actions run; when the worker is told to end, the running ones are
/// finished and [`close`](Self::close) runs on each app.
pub trait DirtyApp: Sized + Send + Sync + 'static {
    /// How many workers of the pool load the app; `None` for all of them. The configuration may say otherwise (POOL-8).
    const WORKERS: Option<usize> = None;

    /// Loads what is expensive: models, connections, large files. By default there is nothing to load.
    ///
    /// # Errors
    /// Any error; it ends the worker with exit code 3, and its text is the reason in the log (WORK-6).
    fn init(&mut self) -> AppResult<()> {
        Ok(())
    }

    /// Says which actions there are. Only what is named here can be called.
    fn actions(actions: &mut Actions<Self>);

    /// Puts things in order when the worker ends. It does not run when the worker crashes or is killed.
    fn close(&mut self) {}
}

/// What an action that can fail returns.
pub type AppResult<T> = Result<T, AppError>;

/// Why an action failed. It is made from anything that has a text: `?` works on every error, and
/// `Err("no such model".into())` or `Err(format!(…).into())` on plain words.
///
/// The caller receives a `DirtyAppError` with that text, the app and the action (CALL-7). The details of a
/// [`DirtyError`] that an action passes on are kept.
#[derive(Debug)]
pub struct AppError(DirtyError);

impl AppError {
    /// The error as the caller will receive it, but for the app and the action.
    pub fn as_error(&self) -> &DirtyError {
        &self.0
    }

    pub(super) fn into_error(self) -> DirtyError {
        self.0
    }
}

// `AppError` itself has no `Display`, or this would contradict `impl From<T> for T`.
impl<E: Display + Any> From<E> for AppError {
    fn from(error: E) -> Self {
        match (&error as &dyn Any).downcast_ref::<DirtyError>() {
            Some(error) => AppError(error.clone()),
            // The alternate form of some errors adds their causes; of all others it is the plain one.
            None => AppError(DirtyError::app(format!("{error:#}"))),
        }
    }
}
