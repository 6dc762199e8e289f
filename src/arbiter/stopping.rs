//! What makes an arbiter stop: signals, and the end of its parent.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

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
