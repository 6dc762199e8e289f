//! The signals that are orders to an arbiter that goes on.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ArbiterError;

/// The signals, taken over from the system: none of them ends or stops this process any more, and none that comes from now
/// on is lost.
#[derive(Debug)]
pub(super) struct Signals {
    pub hup: Signal,
    pub ttin: Signal,
    pub ttou: Signal,
    pub usr1: Signal,
    pub usr2: Signal,
}

impl Signals {
    pub fn watch() -> Result<Signals, ArbiterError> {
        let take = |signal_kind, action| {
            signal(signal_kind).map_err(|source| ArbiterError::System { action, source })
        };
        let number = |signal: nix::sys::signal::Signal| SignalKind::from_raw(signal as i32);
        Ok(Signals {
            hup: take(SignalKind::hangup(), "handle SIGHUP")?,
            ttin: take(number(nix::sys::signal::Signal::SIGTTIN), "handle SIGTTIN")?,
            ttou: take(number(nix::sys::signal::Signal::SIGTTOU), "handle SIGTTOU")?,
            usr1: take(SignalKind::user_defined1(), "handle SIGUSR1")?,
            usr2: take(SignalKind::user_defined2(), "handle SIGUSR2")?,
        })
    }
}
