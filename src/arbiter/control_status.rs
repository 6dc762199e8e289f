//! The core's snapshot and what the shell knows besides, as the control socket tells it (EXT-8).

use std::collections::HashMap;
use std::time::Duration;

use super::core::{self, WorkerId, WorkerStage};
use crate::control::{
    AppCounters, AppState, AppStatus, ArbiterStatus, Histogram, PoolState, PoolStatus, WorkerExit,
    WorkerState, WorkerStatus,
};

/// The extensions that this arbiter supports, by the names of the specification (EXT-4).
const FEATURES: [&str; 6] = ["timeout", "meta", "hints", "cancel", "status", "manage"];

/// What the core does not know.
pub(super) struct Facts<'a> {
    /// The path of the call socket.
    pub socket: Option<String>,
    /// Since the start.
    pub uptime: Duration,
    /// Clients on the call socket.
    pub connections: usize,
    /// The processes of the workers that run.
    pub pids: &'a HashMap<WorkerId, u32>,
}

pub(super) fn pool_status(snapshot: core::PoolStatus, facts: &Facts<'_>) -> PoolStatus {
    let mut workers = snapshot.workers;
    workers.sort_by_key(|worker| worker.id);
    PoolStatus {
        arbiter: ArbiterStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            socket: facts.socket.clone(),
            uptime: seconds(facts.uptime),
            state: match snapshot.state {
                core::PoolState::Serving => PoolState::Serving,
                core::PoolState::Draining => PoolState::Draining,
                core::PoolState::Quitting => PoolState::Quitting,
            },
            generation: snapshot.generation,
            reloading: snapshot.reloading,
            target_workers: snapshot.target_workers as u64,
            connections: facts.connections as u64,
            features: FEATURES.map(str::to_owned).into(),
        },
        apps: snapshot.apps.into_iter().map(app).collect(),
        workers: workers.into_iter().map(|it| worker(it, facts.pids)).collect(),
    }
}

fn app(app: core::AppStatus) -> AppStatus {
    AppStatus {
        app_path: app.app_path,
        state: match app.state {
            core::AppState::Ready => AppState::Ready,
            core::AppState::Starting => AppState::Starting,
            core::AppState::Failed => AppState::Failed,
        },
        workers: app.configured_workers.map(|count| count as u64),
        ready_workers: app.ready_workers as u64,
        queued: app.queued as u64,
        running: app.running as u64,
        counters: AppCounters {
            requests: app.counters.requests,
            responses: app.counters.responses,
            streams: app.counters.streams,
            errors: app.counters.errors,
            timeouts: app.counters.timeouts,
            crashes: app.counters.crashes,
            stale_frames: app.counters.stale_frames,
        },
        wait_time: histogram(&app.wait_time),
        run_time: histogram(&app.run_time),
    }
}

fn histogram(histogram: &core::Histogram) -> Histogram {
    Histogram {
        bounds: core::Histogram::BOUNDS.into(),
        counts: histogram.counts().into(),
        sum: seconds(histogram.sum()),
    }
}

fn worker(worker: core::WorkerStatus, pids: &HashMap<WorkerId, u32>) -> WorkerStatus {
    WorkerStatus {
        id: worker.id.0,
        pid: pids.get(&worker.id).copied(),
        state: match worker.state {
            WorkerStage::Booting => WorkerState::Booting,
            WorkerStage::Ready => WorkerState::Ready,
            WorkerStage::Draining => WorkerState::Draining,
        },
        generation: worker.generation,
        apps: worker.apps,
        slots: worker.slots as u64,
        busy: worker.busy as u64,
        served: worker.served,
        age: seconds(worker.age),
        last_exit: worker.last_exit.map(exit),
    }
}

fn exit(last: core::LastExit) -> WorkerExit {
    let (exit_code, signal) = match last.exit {
        core::WorkerExit::Code(code) => (u8::try_from(code).ok(), None),
        core::WorkerExit::Signal(signal) => (None, u8::try_from(signal).ok()),
        core::WorkerExit::Unknown => (None, None),
    };
    WorkerExit { worker_id: last.worker.0, exit_code, signal, ago: seconds(last.ago) }
}

/// In seconds, to the microsecond.
fn seconds(duration: Duration) -> f64 {
    // Exact up to 285 years.
    duration.as_micros() as f64 / 1e6
}
