//! What makes an arbiter stop: signals, and the end of its parent.

use std::cell::Cell;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::{ArbiterError, parent};

/// How an arbiter is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// What was accepted is finished first; a second time hurries (LIFE-1).
    Gracefully,
    /// At once (LIFE-2).
    AtOnce,
}

/// Watches for reasons to stop.
pub(super) struct Stops {
    term: Signal,
    int: Signal,
    quit: Signal,
    parent_gone: Option<oneshot::Receiver<()>>,
}

impl Stops {
    /// Takes over the signals, and watches the parent if the arbiter is to die with it (LIFE-17).
    pub fn watch(die_with_parent: bool) -> Result<Stops, ArbiterError> {
        let system = |action| move |source| ArbiterError::System { action, source };
        let parent_gone = die_with_parent.then(parent::watch).transpose();
        Ok(Stops {
            parent_gone: parent_gone.map_err(system("start the thread that watches the parent"))?,
            term: signal(SignalKind::terminate()).map_err(system("handle SIGTERM"))?,
            int: signal(SignalKind::interrupt()).map_err(system("handle SIGINT"))?,
            quit: signal(SignalKind::quit()).map_err(system("handle SIGQUIT"))?,
        })
    }

    /// Waits for the next reason.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.term.recv() => Stop::Gracefully,
            _ = self.int.recv() => Stop::Gracefully,
            _ = self.quit.recv() => Stop::AtOnce,
            () = told(&mut self.parent_gone) => {
                tracing::warn!("the process that started the arbiter is gone: stopping (LIFE-17)");
                Stop::Gracefully
            }
        }
    }
}

/// Waits for news that come once, if at all.
async fn told(news: &mut Option<oneshot::Receiver<()>>) {
    let Some(receiver) = news else { return std::future::pending().await };
    let come = receiver.await;
    *news = None;
    if come.is_err() {
        std::future::pending().await
    }
}

/// How long clients have at least, at the end, to read their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long the end may take: what is left of the graceful time-out (LIFE-1).
#[derive(Debug, Default)]
pub(super) struct Patience {
    stopped: Cell<bool>,
    /// `None` is no limit.
    until: Cell<Option<Instant>>,
}

impl Patience {
    /// Counts from now on; a second time there is none left.
    pub fn stop(&self, how: Stop, graceful: Duration) {
        let hurried = self.stopped.replace(true) || how == Stop::AtOnce;
        let now = Instant::now();
        self.until.set(match (hurried, graceful) {
            (true, _) => Some(now),
            (false, Duration::ZERO) => None,
            (false, graceful) => now.checked_add(graceful),
        });
    }

    /// Waits until it has ended: at another reason to stop, too.
    pub async fn end(&self, another: impl Future<Output = Stop>) {
        let at_least = Instant::now() + LAST_ANSWERS;
        let over = async {
            match self.until.get() {
                Some(until) => sleep_until(until.max(at_least)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => (),
            _ = another => sleep(LAST_ANSWERS).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds until the patience ends, which begins with these stops.
    async fn lasts(stops: &[Stop], graceful: u64) -> Option<u64> {
        let patience = Patience::default();
        for how in stops {
            patience.stop(*how, Duration::from_secs(graceful));
        }
        let (begun, day) = (Instant::now(), Duration::from_secs(86_400));
        tokio::time::timeout(day, patience.end(std::future::pending())).await.ok()?;
        Some(begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_takes_as_long_as_the_graceful_time_out_and_a_second_at_least() {
        use Stop::{AtOnce, Gracefully};
        assert_eq!(lasts(&[Gracefully], 30).await, Some(30));
        assert_eq!(lasts(&[Gracefully], 0).await, None, "0 is no limit");
        assert_eq!(lasts(&[Gracefully, Gracefully], 30).await, Some(1));
        assert_eq!(lasts(&[AtOnce], 30).await, Some(1));
        assert_eq!(lasts(&[AtOnce], 0).await, Some(1));
    }
}
