//! The status by example: what the core tells of itself, what it counts, and when it advises to come back.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, AppState, AppStatus, Event, Failure, Note, PoolState, ReplyKind, WorkerExit, WorkerId,
    WorkerStage::*,
};

use crate::core_story::*;

impl Story {
    fn error(&mut self, worker: u64, id: &str, error_type: &str) -> Actions {
        let (slot, kind, error_type) = (slot(worker, 0), ReplyKind::Error, Some(error_type));
        self.on(Event::Reply { slot, kind, id: Some(id), error_type, frames: 1, frame: "" })
    }
}

fn errors(app: &AppStatus) -> Vec<(&str, u64)> {
    app.counters.errors.iter().map(|(name, count)| (name.as_str(), *count)).collect()
}

#[test]
fn the_status_of_a_pool_that_serves() {
    let mut story = Story::boot(2, 2, |config| config.apps = vec![app("a:A"), limited("b:B", 1)]);
    assert_eq!(story.workers(), [(1, Booting, 0), (2, Booting, 0)]);
    assert_eq!((story.app("a:A").state, story.app("a:A").ready_workers), (AppState::Starting, 0));
    story.worker_ready(1);
    for (id, path) in [("1", "a:A"), ("2", "b:B"), ("3", "b:B"), ("4", "a:A")] {
        story.request(id, path);
    }
    let status = story.core.status(story.now);
    assert_eq!((status.state, status.generation, status.reloading), (PoolState::Serving, 0, false));
    assert_eq!((status.target_workers, status.open_requests), (2, 4));
    let counts: Vec<_> = status.apps.iter().map(|app| (app.running, app.queued, app.ready_workers)).collect();
    assert_eq!(counts, [(1, 1, 1), (1, 1, 1)]);
    let configured: Vec<_> = status.apps.iter().map(|app| app.configured_workers).collect();
    assert_eq!(configured, [None, Some(1)]);
    let loaded: Vec<_> = status.workers.iter().map(|worker| worker.apps.join(" ")).collect();
    assert_eq!(loaded, ["a:A b:B", "a:A"]);
}

#[test]
fn the_status_of_a_pool_that_changes_and_ends() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("runs", "a:A");
    let next = story.core.next_generation();
    story.reload(|config| config.workers = 3);
    let status = story.core.status(story.now);
    assert_eq!((status.reloading, status.generation, status.target_workers), (true, 0, 1));
    story.worker_ready(2);
    let status = story.core.status(story.now);
    assert_eq!((status.reloading, status.generation, status.target_workers), (true, next, 3));
    story.on(Event::Drain);
    assert_eq!(story.core.status(story.now).state, PoolState::Draining);
    story.on(Event::Quit);
    assert_eq!(story.core.status(story.now).state, PoolState::Quitting);
}

#[test]
fn the_status_tells_what_a_worker_serves_and_not_what_it_might() {
    let mut story = Story::boot(1, 1, |_| ());
    let apps = ["b:B".to_owned()];
    story.on(Event::Serves { worker: WorkerId(1), apps: &apps });
    story.worker_ready(1);
    assert_eq!(story.core.status(story.now).workers[0].apps, apps);
    // And an app that a reload took away is no app of this pool any more.
    story.reload(|config| config.apps = vec![app("b:B")]);
    story.worker_ready(2);
    let paths: Vec<String> = story.core.status(story.now).apps.into_iter().map(|app| app.app_path).collect();
    assert_eq!(paths, apps);
}

#[test]
fn every_end_is_counted_once_and_as_what_it_was() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("stream", "a:A");
    story.reply(slot(1, 0), ReplyKind::Chunk, "stream");
    story.reply(slot(1, 0), ReplyKind::End, "stream");
    story.request("odd", "a:A");
    story.error(1, "odd", "NoSuchError");
    story.request("cancelled", "a:A");
    story.on(Event::Cancel { conn: CLIENT, id: "cancelled" });
    story.reply(slot(1, 0), ReplyKind::Response, "cancelled");
    story.request("lost", "a:A");
    story.exits(1, WorkerExit::Signal(9));
    let app = story.app("a:A");
    assert_eq!((app.counters.requests, app.counters.responses, app.counters.streams), (4, 0, 1));
    // A name that is not registered is read as the most general one.
    assert_eq!(errors(&app), [("DirtyCancelledError", 1), ("DirtyError", 1), ("DirtyWorkerError", 1)]);
    assert_eq!((app.counters.timeouts, app.counters.crashes), (0, 1));
    assert_eq!(app.run_time.counts().iter().sum::<u64>(), 3, "those whose worker ended them");
}

#[test]
fn a_time_on_a_bound_is_within_it() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.now += seconds(1);
    story.reply(slot(1, 0), ReplyKind::Response, "1");
    assert_eq!(story.app("a:A").run_time.counts()[9], 1, "up to 1 s");
}

#[test]
fn frames_of_nobody_are_noted_once_a_request() {
    let mut story = Story::begin(1, 1, |_| ());
    let stray = |story: &mut Story| story.reply(slot(1, 0), ReplyKind::Chunk, "nobody's");
    assert!(matches!(stray(&mut story)[..], [Action::Log(Note::StaleFrame { .. })]));
    assert_eq!(stray(&mut story), []);
    story.request("1", "a:A");
    assert!(matches!(stray(&mut story)[..], [Action::Log(Note::StaleFrame { .. })]));
    assert_eq!(stray(&mut story), []);
    assert_eq!(story.core.counters().stale_frames, 4);
}

#[test]
fn who_is_refused_learns_when_the_queue_will_have_moved_on() {
    let mut story = Story::begin(2, 1, |config| {
        config.apps = vec![limited("a:A", 1), limited("b:B", 1)];
        config.queue = 2;
        config.timeout = Duration::ZERO;
    });
    let mut refused = |took: Duration| {
        story.request("1", "a:A");
        story.now += took;
        story.reply(slot(1, 0), ReplyKind::Response, "1");
        for id in ["2", "3", "4"] {
            story.request(id, "a:A");
        }
        let advice = match failure(&story.request("5", "a:A"), "5") {
            Some(Failure::Overloaded { retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        };
        for id in ["2", "3", "4"] {
            story.reply(slot(1, 0), ReplyKind::Response, id);
        }
        advice
    };
    // Each call counts for an eighth of the average, and the queue of two and the next one are three waves.
    assert_eq!(refused(seconds(8)), seconds(3));
    assert_eq!(refused(seconds(8_000)), seconds(60), "never longer than a minute");
}
