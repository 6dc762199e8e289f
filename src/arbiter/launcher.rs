//! The thread that starts worker processes.
//!
//! PR_SET_PDEATHSIG, which our hosts arm, is tied to the *thread* that created the child: a worker started from a
//! short-lived thread would be killed with it. So one thread, which never ends before the process does, starts them all.

use std::io;

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use super::tasks;

struct Order {
    command: Command,
    started: oneshot::Sender<io::Result<Child>>,
}

/// A handle to the thread.
#[derive(Debug, Clone)]
pub(super) struct Launcher(mpsc::UnboundedSender<Order>);

impl Launcher {
    /// Starts the thread. Must be called within a tokio runtime, which will reap the children.
    pub fn start() -> io::Result<Launcher> {
        let (orders, mut inbox) = mpsc::unbounded_channel::<Order>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("launcher".to_owned()).spawn(move || {
            let _context = runtime.enter();
            tasks::or_abort(|| {
                while let Some(Order { mut command, started }) = inbox.blocking_recv() {
                    // The receiver may have given up; then the child's lifeline closes and it exits.
                    let _ = started.send(command.spawn());
                }
            });
            // The arbiter is exiting; the children go by their lifelines.
        })?;
        Ok(Launcher(orders))
    }

    /// Starts a process.
    pub async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (started, answer) = oneshot::channel();
        let gone = || io::Error::other("the launcher thread has ended");
        self.0.send(Order { command, started }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
