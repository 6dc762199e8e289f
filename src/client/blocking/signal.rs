//! What a thread waits for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Wake;
use std::time::Instant;

/// Wakes a thread. Unlike `std::thread::park`, it shares no token with other code on that thread.
#[derive(Debug, Default)]
pub(super) struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

thread_local! {
    static SIGNAL: Arc<Signal> = Arc::default();
}

impl Signal {
    /// The signal of the calling thread.
    pub fn of_this_thread() -> Arc<Signal> {
        // While the thread's locals are being destroyed, one of its own.
        SIGNAL.try_with(Arc::clone).unwrap_or_default()
    }

    /// Waits until the signal is raised, and lowers it. Returns false when the deadline passes first.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if std::mem::take(&mut *raised) {
                return true;
            }
            raised = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(raised).unwrap_or_else(PoisonError::into_inner),
                Some(rest) if rest.is_zero() => return false,
                Some(rest) => {
                    self.changed.wait_timeout(raised, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // One signal, one thread.
        self.changed.notify_one();
    }
}
