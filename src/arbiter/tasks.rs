//! The parts of an arbiter that run side by side, and their end by a defect.
//!
//! tokio and std keep a panic to the task or thread it is in. An arbiter that goes on without one of its parts is worse than
//! none: its socket is there, and nobody answers. Its workers and clients notice the end of the process (LIFE-6), and whoever
//! started it can start it again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::task::JoinHandle;

/// Starts a task of the event loop; the process ends with it if it panics (LIFE-18).
pub(super) fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    tokio::task::spawn_local(async move {
        let mut task = std::pin::pin!(task);
        std::future::poll_fn(|context| or_abort(|| task.as_mut().poll(context))).await
    })
}

/// Runs what an arbiter cannot do without; the process ends with it if it panics (LIFE-18).
pub(super) fn or_abort<T>(run: impl FnOnce() -> T) -> T {
    // Nothing that the panic left half done is used again.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        tracing::error!("the arbiter cannot go on: {} (LIFE-18)", message(&*panic));
        std::process::abort()
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "a panic without a message",
    }
}
