//! The actions of an app, by name.

use std::future::Future;

use futures_core::Stream;
use indexmap::IndexMap;

use super::DirtyApp;
use super::exchange::Exchange;
use super::failure::Failure;
use super::function::{Function, Outcome, Parameters};
use crate::message::ActionName;

/// Runs one action: takes its parameters from the call, and answers.
pub(super) type Handler<A> = Box<dyn Fn(&A, Exchange<'_>) -> Result<(), Failure> + Send + Sync>;

/// Collects the actions of an app: for each its name, the names of its parameters, and the function.
///
/// Parameters are given as in Python, by position or by name. Each is any type that serde can deserialise;
/// `Option<T>` makes it optional. A wrong, missing or surplus argument never reaches the function: the caller
/// receives a `DirtyAppError` that names the parameter, what was expected and what came. For arguments that differ
/// from call to call, register with [`WholeCall`](super::WholeCall) instead of names and take the [`Call`](super::Call).
///
/// Functions return any type that serde can serialise, or a `Result` of one (see [`Outcome`]). Results may borrow
/// from the app.
pub struct Actions<A> {
    handlers: IndexMap<&'static str, Handler<A>>,
    faults: Vec<String>,
}

impl<A: DirtyApp> Actions<A> {
    /// The actions that `A` declares.
    ///
    /// # Errors
    /// Names that cannot be used.
    pub(super) fn of_app() -> Result<Self, Vec<String>> {
        let mut actions = Actions { handlers: IndexMap::new(), faults: Vec::new() };
        A::actions(&mut actions);
        if actions.faults.is_empty() { Ok(actions) } else { Err(actions.faults) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Handler<A>> {
        self.handlers.get(name)
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.handlers.keys().copied().collect()
    }

    /// An action that answers with one result.
    pub fn call<S, P, M, F>(&mut self, name: &'static str, parameters: S, function: F) -> &mut Self
    where
        S: Send + Sync + 'static,
        P: Parameters<S>,
        F: for<'a> Function<'a, A, P, S>,
        for<'a> <F as Function<'a, A, P, S>>::Output: Outcome<M>,
    {
        self.add(name, parameters, move |app, exchange, parameters| {
            exchange.respond(function.invoke(app, parameters))
        })
    }

    /// An action that answers with a stream: every item of the iterator is sent when it is there. When the call is
    /// cancelled, the iterator is dropped after its current item.
    pub fn iter<S, P, M, F>(&mut self, name: &'static str, parameters: S, function: F) -> &mut Self
    where
        S: Send + Sync + 'static,
        P: Parameters<S>,
        F: for<'a> Function<'a, A, P, S>,
        for<'a> <F as Function<'a, A, P, S>>::Output: Iterator,
        for<'a> <<F as Function<'a, A, P, S>>::Output as Iterator>::Item: Outcome<M>,
    {
        self.add(name, parameters, move |app, exchange, parameters| {
            exchange.respond_each(function.invoke(app, parameters))
        })
    }

    /// An asynchronous action that answers with one result. It runs on a tokio runtime of its slot; when the call
    /// is cancelled, its future is dropped at the point where it waits.
    ///
    /// The runtime runs while the slot has an asynchronous action: tasks that an action spawns stand still
    /// afterwards.
    pub fn call_async<S, P, M, F>(&mut self, name: &'static str, parameters: S, function: F) -> &mut Self
    where
        S: Send + Sync + 'static,
        P: Parameters<S>,
        F: for<'a> Function<'a, A, P, S>,
        for<'a> <F as Function<'a, A, P, S>>::Output: Future,
        for<'a> <<F as Function<'a, A, P, S>>::Output as Future>::Output: Outcome<M>,
    {
        self.add(name, parameters, move |app, exchange, parameters| {
            exchange.respond_when(function.invoke(app, parameters))
        })
    }

    /// An action that answers with an asynchronous stream, on the same terms as [`call_async`](Self::call_async).
    pub fn stream<S, P, M, F>(&mut self, name: &'static str, parameters: S, function: F) -> &mut Self
    where
        S: Send + Sync + 'static,
        P: Parameters<S>,
        F: for<'a> Function<'a, A, P, S>,
        for<'a> <F as Function<'a, A, P, S>>::Output: Stream,
        for<'a> <<F as Function<'a, A, P, S>>::Output as Stream>::Item: Outcome<M>,
    {
        self.add(name, parameters, move |app, exchange, parameters| {
            exchange.respond_as(function.invoke(app, parameters))
        })
    }

    fn add<S, P, R>(&mut self, name: &'static str, signature: S, run: R) -> &mut Self
    where
        S: Send + Sync + 'static,
        P: Parameters<S>,
        R: Fn(&A, Exchange<'_>, P) -> Result<(), Failure> + Send + Sync + 'static,
    {
        self.check(name, P::names(&signature));
        let handler = move |app: &A, exchange: Exchange<'_>| {
            let parameters = P::bind(&signature, exchange.call().clone()).map_err(Failure::Arguments)?;
            run(app, exchange, parameters)
        };
        if self.handlers.insert(name, Box::new(handler)).is_some() {
            self.faults.push(format!("action {name:?} is declared twice"));
        }
        self
    }

    fn check(&mut self, name: &str, parameters: &[&str]) {
        if name.starts_with('_') || name == "init" || name == "close" {
            self.faults.push(format!("action {name:?} can never be called (CALL-6)"));
        }
        if let Err(error) = ActionName::new(name) {
            self.faults.push(format!("action {name:?} can never be called: {error}"));
        }
        for (index, parameter) in parameters.iter().enumerate() {
            if parameters[..index].contains(parameter) {
                self.faults.push(format!("action {name:?} has two parameters {parameter:?}"));
            }
        }
    }
}

impl<A> std::fmt::Debug for Actions<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}
