//! A `PoolStatus` for people.

use super::PoolStatus;
use crate::cli::control::pool_size;
use crate::control::{AppState, AppStatus, PoolState, WorkerExit, WorkerState, WorkerStatus};

/// The whole report: a few lines on the arbiter, a table of apps, a table of workers.
pub(super) fn report(status: &PoolStatus) -> String {
    let apps = table(
        &["APP", "STATE", ">WORKERS", ">QUEUED", ">RUNNING", ">REQUESTS", ">ERRORS", ">WAIT", ">RUN"],
        status.apps.iter().map(app).collect(),
    );
    let table_of_workers = table(
        &[">WORKER", ">PID", "STATE", ">GEN", ">BUSY", ">SERVED", ">AGE", "PREDECESSOR", "APPS"],
        status.workers.iter().map(|row| worker(row, status)).collect(),
    );
    format!("{}\n{apps}\n{table_of_workers}", arbiter(status))
}

fn arbiter(status: &PoolStatus) -> String {
    let arbiter = &status.arbiter;
    let state = match arbiter.state {
        PoolState::Serving => "serving",
        PoolState::Draining => "draining",
        PoolState::Quitting => "quitting",
    };
    let on = arbiter.socket.as_ref().map(|socket| format!(" on {socket}")).unwrap_or_default();
    let reloading = if arbiter.reloading { ", reloading" } else { "" };
    let connections = match arbiter.connections {
        1 => "1 connection".to_owned(),
        count => format!("{count} connections"),
    };
    format!(
        "arbiter   pid {}, {state}{on}, up {}, version {}\n\
         pool      {}, generation {}{reloading}, {connections}\n\
         features  {}\n",
        arbiter.pid,
        duration(arbiter.uptime),
        arbiter.version,
        pool_size(arbiter.target_workers, status.workers.len() as u64),
        arbiter.generation,
        arbiter.features.join(" ")
    )
}

fn app(app: &AppStatus) -> Vec<String> {
    let state = match app.state {
        AppState::Ready => "ready",
        AppState::Starting => "starting",
        AppState::Failed => "failed",
    };
    let configured = app.workers.map_or_else(|| "all".to_owned(), |count| count.to_string());
    let mean =
        |histogram: &crate::control::Histogram| histogram.mean().map_or_else(|| "-".to_owned(), duration);
    vec![
        app.app_path.clone(),
        state.to_owned(),
        format!("{} of {configured}", app.ready_workers),
        app.queued.to_string(),
        app.running.to_string(),
        app.counters.requests.to_string(),
        app.counters.errors.values().sum::<u64>().to_string(),
        mean(&app.wait_time),
        mean(&app.run_time),
    ]
}

fn worker(worker: &WorkerStatus, status: &PoolStatus) -> Vec<String> {
    let state = match worker.state {
        WorkerState::Booting => "booting",
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
    };
    let serves_all = status.apps.iter().all(|app| worker.apps.contains(&app.app_path));
    vec![
        worker.id.to_string(),
        worker.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        state.to_owned(),
        worker.generation.to_string(),
        format!("{}/{}", worker.busy, worker.slots),
        worker.served.to_string(),
        duration(worker.age),
        worker.last_exit.as_ref().map_or_else(|| "-".to_owned(), exit),
        if serves_all { "all".to_owned() } else { worker.apps.join(" ") },
    ]
}

fn exit(exit: &WorkerExit) -> String {
    let how = match (exit.exit_code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match nix::sys::signal::Signal::try_from(i32::from(signal)) {
            Ok(name) => name.to_string(),
            Err(_) => format!("signal {signal}"),
        },
        (None, None) => "unknown end".to_owned(),
    };
    format!("{}: {how}, {} ago", exit.worker_id, duration(exit.ago))
}

/// A time in at most two units, the more precise the shorter it is.
fn duration(seconds: f64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    match seconds {
        s if s < 0.000_999_5 => format!("{:.0} µs", s * 1e6),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 59.5 => format!("{s:.0} s"),
        s => {
            // Rounded to whole seconds first, so that no unit overflows into the next.
            let whole = s.round() as u64;
            let mut units = UNITS.iter().zip(UNITS.iter().skip(1).chain([&(1, "s")]));
            let (unit, next) = units.find(|(unit, _)| whole >= unit.0).unwrap_or((&(60, "min"), &(1, "s")));
            match whole % unit.0 / next.0 {
                0 => format!("{} {}", whole / unit.0, unit.1),
                rest => format!("{} {} {rest} {}", whole / unit.0, unit.1, next.1),
            }
        }
    }
}

/// Aligned columns, two spaces apart; a heading that begins with `>` is of a column of numbers.
fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines = vec![headings.iter().map(|it| it.trim_start_matches('>').to_owned()).collect()];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|line: &Vec<String>| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..headings.len()).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).zip(headings).map(|((cell, &width), heading)| {
            if heading.starts_with('>') { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{AppCounters, ArbiterStatus, Histogram};

    #[test]
    fn times_are_short_and_never_round_into_the_next_unit() {
        for (seconds, shown) in [
            (0.0, "0 µs"),
            (0.000_123, "123 µs"),
            (0.000_999_6, "1.0 ms"),
            (0.001_24, "1.2 ms"),
            (0.009_96, "10 ms"),
            (0.123_4, "123 ms"),
            (0.999_6, "1.0 s"),
            (3.21, "3.2 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.6, "1 min"),
            (61.0, "1 min 1 s"),
            (3_599.7, "1 h"),
            (3_720.0, "1 h 2 min"),
            (86_399.9, "1 d"),
            (266_400.0, "3 d 2 h"),
        ] {
            assert_eq!(duration(seconds), shown, "{seconds}");
        }
    }

    fn app(app_path: &str, state: AppState, workers: Option<u64>, counts: [u64; 3]) -> AppStatus {
        AppStatus {
            app_path: app_path.to_owned(),
            state,
            workers,
            ready_workers: counts[0],
            queued: counts[1],
            running: counts[2],
            counters: AppCounters::default(),
            wait_time: Histogram::default(),
            run_time: Histogram::default(),
        }
    }

    fn worker(id: u64, state: WorkerState, apps: &[&str]) -> WorkerStatus {
        WorkerStatus {
            id,
            pid: None,
            state,
            generation: 0,
            apps: apps.iter().map(|it| it.to_string()).collect(),
            slots: 1,
            busy: 0,
            served: 0,
            age: 0.2,
            last_exit: None,
        }
    }

    fn status() -> PoolStatus {
        let busy = AppStatus {
            counters: AppCounters {
                requests: 1_234_567,
                errors: [("DirtyAppError".to_owned(), 3), ("DirtyTimeoutError".to_owned(), 40)].into(),
                ..AppCounters::default()
            },
            wait_time: Histogram { bounds: vec![1.0], counts: vec![2, 2], sum: 0.01 },
            run_time: Histogram { bounds: vec![1.0], counts: vec![1, 0], sum: 83.0 },
            ..app("shop:Images", AppState::Ready, None, [2, 1000, 4])
        };
        let apps = ["shop:Images", "models:Large"];
        PoolStatus {
            arbiter: ArbiterStatus {
                pid: 4711,
                version: "0.1.0".to_owned(),
                socket: Some("/run/dirty/arbiter.sock".to_owned()),
                uptime: 93_784.0,
                state: PoolState::Serving,
                generation: 2,
                reloading: true,
                target_workers: 3,
                connections: 1,
                features: vec!["timeout".to_owned(), "meta".to_owned()],
            },
            apps: vec![busy, app("models:Large", AppState::Failed, Some(1), [0, 0, 0])],
            workers: vec![
                WorkerStatus {
                    pid: Some(4_194_304),
                    slots: 2,
                    busy: 2,
                    served: 1_234_521,
                    age: 86_400.0,
                    ..worker(1, WorkerState::Ready, &apps[..1])
                },
                WorkerStatus {
                    pid: Some(4713),
                    last_exit: Some(WorkerExit { worker_id: 2, exit_code: None, signal: Some(9), ago: 72.0 }),
                    ..worker(12, WorkerState::Draining, &apps)
                },
                WorkerStatus {
                    last_exit: Some(WorkerExit { worker_id: 9, exit_code: Some(3), signal: None, ago: 0.3 }),
                    ..worker(13, WorkerState::Booting, &apps[1..])
                },
            ],
        }
    }

    #[test]
    fn the_report_is_aligned_and_fits_a_hundred_columns() {
        let report = report(&status());
        assert!(report.lines().all(|line| line.chars().count() <= 100), "{report}");
        assert_eq!(
            report,
            "\
arbiter   pid 4711, serving on /run/dirty/arbiter.sock, up 1 d 2 h, version 0.1.0
pool      3 workers wanted, 3 processes, generation 2, reloading, 1 connection
features  timeout meta

APP           STATE    WORKERS  QUEUED  RUNNING  REQUESTS  ERRORS    WAIT         RUN
shop:Images   ready   2 of all    1000        4   1234567      43  2.5 ms  1 min 23 s
models:Large  failed    0 of 1       0        0         0       0       -           -

WORKER      PID  STATE     GEN  BUSY   SERVED     AGE  PREDECESSOR                 APPS
     1  4194304  ready       0   2/2  1234521     1 d  -                           shop:Images
    12     4713  draining    0   0/1        0  200 ms  2: SIGKILL, 1 min 12 s ago  all
    13        -  booting     0   0/1        0  200 ms  9: exit code 3, 300 ms ago  models:Large
"
        );
    }
}
