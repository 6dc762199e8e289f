//! The arbiter at work: what it is told, by whom, until everything is drained.

use std::rc::Rc;

use tokio::net::UnixListener;
use tokio::sync::mpsc::UnboundedReceiver;

use super::control::Control;
use super::core::Event;
use super::hub::{Hub, Order};
use super::signals::Signals;
use super::stopping::{Patience, Stop, Stops};
use super::systemd::Manager;
use super::{control_link, listener, slot_link, tasks, worker_process};

/// What opens the log files again (LIFE-4).
pub(super) type ReopenLogs = Box<dyn Fn()>;

/// Everything that the event loop listens to.
pub(super) struct Serving {
    pub hub: Rc<Hub>,
    pub listener: UnixListener,
    pub control: Rc<Control>,
    pub control_listener: UnixListener,
    pub ordered: UnboundedReceiver<Order>,
    pub manager: Option<Rc<Manager>>,
    pub stops: Stops,
    pub signals: Signals,
    pub reopen_logs: Option<ReopenLogs>,
}

impl Serving {
    /// Serves until every worker is gone and every answer is read, or nobody wants to wait for that.
    pub async fn run(self) -> Stops {
        let Serving { hub, control, mut ordered, manager, mut stops, mut signals, .. } = self;
        hub.feed(Event::Start);
        let timers = tasks::spawn({
            let hub = hub.clone();
            async move { hub.run_timers().await }
        });
        let accepting = tasks::spawn(listener::accept(hub.clone(), self.listener));
        tasks::spawn(control_link::accept(hub.clone(), control.clone(), self.control_listener));
        if let Some(manager) = manager.clone() {
            let hub = hub.clone();
            tasks::spawn(async move { manager.keep_informed(&hub).await });
        }
        let patience = Patience::default();
        let stop = |stop| {
            accepting.abort();
            patience.stop(stop, hub.config().pool.graceful_timeout);
            manager.iter().for_each(|manager| manager.stop(&hub));
            hub.feed(match stop {
                Stop::Gracefully => Event::Drain,
                Stop::AtOnce => Event::Quit,
            });
        };
        loop {
            tokio::select! {
                Some(order) = ordered.recv() => start(&hub, order),
                how = stops.next() => stop(how),
                () = control.drain.notified() => stop(Stop::Gracefully),
                _ = signals.hup.recv() => hub.reload(None),
                _ = signals.ttin.recv() => hub.scale_by(1),
                _ = signals.ttou.recv() => hub.scale_by(-1),
                _ = signals.usr1.recv() => reopen(self.reopen_logs.as_deref()),
                _ = signals.usr2.recv() => tracing::info!("SIGUSR2 has no meaning here, ignored"),
                () = hub.finished.notified() => break,
            }
        }
        timers.abort();
        tokio::select! {
            () = hub.write_out() => (),
            () = patience.end(stops.next()) => (),
        }
        stops
    }
}

fn reopen(logs: Option<&dyn Fn()>) {
    match logs {
        Some(reopen) => reopen(),
        None => tracing::info!("SIGUSR1, and there is no log file to reopen"),
    }
}

fn start(hub: &Rc<Hub>, order: Order) {
    let hub = Rc::clone(hub);
    match order {
        Order::StartWorker(start) => drop(tasks::spawn(worker_process::run(hub, start))),
        Order::OpenSlot(slot) => drop(tasks::spawn(slot_link::run(hub, slot))),
        Order::Reload => hub.reload(None),
    }
}
