//! The pool by example: allocation, scaling, reloads, hung workers, and clients that leave.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, AppAllocation, AppState, Event, Failure, OnDisconnect, Phase, ReplyKind, WorkerExit, WorkerId,
    WorkerSignal, WorkerStage::*,
};

use crate::core_story::*;

fn owned(app_paths: &[&str]) -> Vec<String> {
    app_paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_reload_boots_the_new_worker_before_it_drains_the_old_one() {
    let mut story = Story::begin(2, 1, |_| ());
    let begun = story.reload(|_| ());
    assert_eq!(
        (started(&begun), ended(&begun)),
        (vec![3], untold()),
        "one at a time, and nobody is told to go"
    );
    // Until it is ready the old ones serve.
    assert_eq!(dispatched(&story.request("1", "a:A")).unwrap().0, slot(1, 0));
    story.reply(slot(1, 0), ReplyKind::Response, "1");
    let first = story.worker_ready(3);
    assert!(first.contains(&Action::Adopt { generation: 1 }));
    assert_eq!((started(&first), ended(&first)), (nobody(), vec![(1, TERM)]));
    assert_eq!(story.workers(), [(1, Draining, 0), (2, Ready, 0), (3, Ready, 1)]);
    // The next one's turn comes when the old one is gone.
    let next = story.exits(1, WorkerExit::Code(0));
    assert_eq!((started(&next), reloaded(&next)), (vec![4], None));
    let second = story.worker_ready(4);
    assert_eq!(ended(&second), [(2, TERM)]);
    assert_eq!(reloaded(&second), Some((1, None)));
    story.exits(2, WorkerExit::Code(0));
    assert_eq!(story.workers(), [(3, Ready, 1), (4, Ready, 1)]);
}

#[test]
fn the_old_worker_finishes_what_runs_there() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("long", "a:A");
    story.reload(|_| ());
    let ready = story.worker_ready(2);
    assert_eq!(ended(&ready), untold(), "a request runs on the old worker");
    assert_eq!(dispatched(&story.request("next", "a:A")).unwrap().0, slot(2, 0));
    let over = story.reply(slot(1, 0), ReplyKind::Response, "long");
    assert!(matches!(over[0], Action::Forward { .. }));
    assert_eq!(ended(&over), [(1, TERM)]);
}

#[test]
fn an_old_worker_that_takes_its_time_does_not_hold_the_reload_up_for_ever() {
    let mut story = Story::begin(2, 1, |config| config.timeout = Duration::ZERO);
    story.request("endless", "a:A");
    story.reload(|_| ());
    story.worker_ready(3);
    assert_eq!(started(&story.after(Duration::from_millis(29_999))), nobody());
    assert_eq!(started(&story.after(Duration::from_millis(1))), [4]);
    assert_eq!(reloaded(&story.worker_ready(4)), Some((1, None)));
    assert_eq!(story.workers(), [(1, Draining, 0), (2, Draining, 0), (3, Ready, 1), (4, Ready, 1)]);
}

#[test]
fn a_reload_whose_first_worker_fails_changes_nothing() {
    let mut story = Story::begin(2, 1, |_| ());
    let begun = story.reload(|config| {
        config.apps = vec![app("new:App")];
        config.workers = 3;
    });
    assert!(begun.contains(&Action::Spawn {
        worker: WorkerId(3),
        apps: owned(&["new:App"]),
        fixed: vec![],
        seat: 0,
        generation: 1
    }));
    assert!(matches!(failure(&story.request("1", "new:App"), "1"), Some(Failure::AppNotFound(_))));
    let failed = story.exits(3, WorkerExit::Code(3));
    let (generation, reason) = reloaded(&failed).unwrap();
    assert_eq!((generation, started(&failed)), (1, nobody()));
    assert!(reason.unwrap().contains("worker 3 failed to boot: exit code 3"));
    assert_eq!(story.workers(), [(1, Ready, 0), (2, Ready, 0)]);
    assert_eq!(dispatched(&story.request("2", "a:A")).unwrap().0, slot(1, 0));
    assert_eq!(story.core.config().workers, 2);
}

#[test]
fn a_reload_that_fails_half_way_keeps_the_old_workers_that_are_left() {
    let mut story = Story::begin(3, 1, |_| ());
    story.reload(|_| ());
    story.worker_ready(4);
    story.exits(1, WorkerExit::Code(0));
    let failed = story.exits(5, WorkerExit::Code(3));
    assert!(reloaded(&failed).unwrap().1.is_some());
    assert_eq!(started(&failed), nobody(), "it is not tried over and over");
    assert_eq!(story.workers(), [(2, Ready, 0), (3, Ready, 0), (4, Ready, 1)]);
    // The next reload tries all of them again.
    story.reload(|_| ());
    story.worker_ready(6);
    assert_eq!(started(&story.exits(4, WorkerExit::Code(0))), [7]);
}

#[test]
fn a_reload_takes_over_apps_that_came_and_refuses_those_that_went() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    story.reload(|config| config.apps = vec![app("b:B"), app("c:C")]);
    story.worker_ready(2);
    assert!(matches!(failure(&story.request("1", "a:A"), "1"), Some(Failure::AppNotFound(_))));
    assert_eq!(dispatched(&story.request("2", "c:C")).unwrap().0, slot(2, 0));
    // What was accepted before still runs, on a worker that has the app.
    let next = story.reply(slot(1, 0), ReplyKind::Response, "runs");
    assert_eq!((dispatched(&next).unwrap().1, ended(&next)), ("waits", untold()));
    assert_eq!(ended(&story.reply(slot(1, 0), ReplyKind::Response, "waits")), [(1, TERM)]);
}

#[test]
fn a_worker_that_crashes_during_a_reload_is_not_started_twice() {
    let mut story = Story::begin(2, 1, |_| ());
    story.reload(|_| ());
    story.worker_ready(3);
    story.exits(1, WorkerExit::Code(0));
    // Worker 4 boots in the place of 2, which dies.
    assert_eq!(started(&story.exits(2, WorkerExit::Signal(9))), nobody());
    assert_eq!(reloaded(&story.worker_ready(4)), Some((1, None)));
    assert_eq!(story.workers(), [(3, Ready, 1), (4, Ready, 1)]);
}

#[test]
fn a_second_reload_during_one_is_refused_by_the_core() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|_| ());
    assert!(reloaded(&story.reload(|_| ())).unwrap().1.unwrap().contains("under way"));
}

#[test]
fn a_drain_ends_a_reload() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|_| ());
    let drained = story.on(Event::Drain);
    assert!(reloaded(&drained).unwrap().1.unwrap().contains("shutting down"));
    let told: Vec<u64> = ended(&drained).iter().map(|(worker, _)| *worker).collect();
    assert_eq!(told, [2, 1]);
    story.exits(1, WorkerExit::Code(0));
    assert_eq!(story.exits(2, WorkerExit::Code(0)).last(), Some(&Action::Finished));
}

#[test]
fn a_broken_pool_is_healed_by_a_reload() {
    let mut story = Story::boot(1, 1, |_| ());
    for worker in 1..=5 {
        story.exits(worker, WorkerExit::Code(3));
        story.after(seconds(2));
    }
    assert_eq!(story.app("a:A").state, AppState::Failed);
    let begun = story.reload(|_| ());
    let new = started(&begun)[0];
    let ready = story.worker_ready(new);
    assert_eq!(reloaded(&ready), Some((1, None)));
    assert_eq!(story.app("a:A").state, AppState::Ready);
}

#[test]
fn the_pool_grows_and_shrinks_by_one() {
    let mut story = Story::begin(2, 1, |_| ());
    assert_eq!(started(&story.on(Event::Scale(3))), [3]);
    story.worker_ready(3);
    assert_eq!(ended(&story.on(Event::Scale(2))), [(3, TERM)]);
    story.exits(3, WorkerExit::Code(0));
    assert_eq!(story.workers(), [(1, Ready, 0), (2, Ready, 0)]);
    assert_eq!(story.on(Event::Scale(2)), [], "it has two");
    // Never to nothing.
    assert_eq!(story.on(Event::Scale(0)), []);
}

#[test]
fn scaling_down_lets_what_runs_finish() {
    let mut story = Story::begin(2, 1, |_| ());
    story.request("1", "a:A");
    story.request("2", "a:A");
    assert_eq!(ended(&story.on(Event::Scale(1))), untold());
    assert_eq!(ended(&story.reply(slot(2, 0), ReplyKind::Response, "2")), [(2, TERM)]);
}

#[test]
fn scaling_down_never_takes_the_last_ready_worker_of_an_app() {
    // One app lives on seat 0 alone, another on seat 1 alone.
    let mut story = Story::begin(2, 1, |config| config.apps = vec![limited("a:A", 1), limited("b:B", 1)]);
    let scaled = story.on(Event::Scale(1));
    // The one worker that is to stay must first load both.
    assert_eq!((started(&scaled), ended(&scaled)), (vec![3], untold()));
    assert_eq!(dispatched(&story.request("1", "b:B")).unwrap().0, slot(2, 0));
    story.reply(slot(2, 0), ReplyKind::Response, "1");
    let ready = story.worker_ready(3);
    assert_eq!(ended(&ready), [(1, TERM), (2, TERM)]);
}

#[test]
fn scaling_down_waits_for_a_worker_that_boots() {
    let mut story = Story::boot(2, 1, |_| ());
    // Seat 0 boots still; seat 1 is the only one that serves.
    story.worker_ready(2);
    assert_eq!(ended(&story.on(Event::Scale(1))), untold());
    assert_eq!(ended(&story.worker_ready(1)), [(2, TERM)]);
}

#[test]
fn a_class_may_say_how_many_workers_load_it() {
    let mut story = Story::boot(2, 1, |_| ());
    story.on(Event::Spawned(WorkerId(2)));
    let apps = owned(&["a:A", "never:Asked"]);
    story.on(Event::Serves { worker: WorkerId(2), apps: &apps });
    story.on(Event::Ready(WorkerId(2)));
    story.on(Event::SlotOpened(slot(2, 0)));
    assert_eq!(dispatched(&story.request("1", "b:B")), None, "worker 2 does not serve it");
    assert_eq!(story.app("b:B").state, AppState::Starting);
    assert_eq!(dispatched(&story.worker_ready(1)).unwrap(), (slot(1, 0), "1"));
    // And if the only worker that would serve it keeps failing, nobody waits for it.
    story.exits(1, WorkerExit::Signal(11));
    for worker in 3..=7 {
        story.exits(worker, WorkerExit::Code(3));
        story.after(seconds(2));
    }
    assert!(matches!(failure(&story.request("2", "b:B"), "2"), Some(Failure::NoWorkers { .. })));
    assert_eq!(dispatched(&story.request("3", "a:A")).unwrap().0, slot(2, 0));
}

#[test]
fn a_worker_that_is_silent_for_its_watchdogs_time_is_aborted_and_replaced() {
    let mut story = Story::begin(1, 1, |config| config.watchdog = seconds(4));
    story.request("1", "a:A");
    story.after(seconds(3));
    story.on(Event::Alive(WorkerId(1)));
    assert_eq!(ended(&story.after(Duration::from_millis(3_999))), untold());
    let hung = story.after(Duration::from_millis(1));
    assert_eq!(ended(&hung), [(1, WorkerSignal::Abort)]);
    assert_eq!(ended(&story.after(seconds(1))), [(1, WorkerSignal::Kill)]);
    let gone = story.exits(1, WorkerExit::Signal(6));
    assert!(matches!(failure(&gone, "1"), Some(Failure::WorkerDied { exit: WorkerExit::Signal(6), .. })));
    assert_eq!(started(&gone), [2]);
}

#[test]
fn a_worker_that_boots_is_not_watched_and_zero_switches_the_watchdog_off() {
    let mut story = Story::boot(1, 1, |config| config.watchdog = seconds(4));
    assert_eq!(ended(&story.after(seconds(100))), untold());
    let mut story = Story::begin(1, 1, |config| config.watchdog = Duration::ZERO);
    assert_eq!(ended(&story.after(seconds(1_000))), untold());
}

#[test]
fn a_client_that_leaves_ends_its_requests_where_the_app_is_configured_so() {
    let cancel = AppAllocation { on_disconnect: OnDisconnect::Cancel, ..app("a:A") };
    let mut story = Story::begin(1, 1, |config| config.apps = vec![cancel, app("b:B")]);
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    story.request("goes on", "b:B");
    let left = story.on(Event::Disconnected(CLIENT));
    assert_eq!(left, [Action::SendCancel { slot: slot(1, 0), id: "runs".to_owned() }]);
    // The slot is taken until its worker says so; then only the other app's request is left.
    let freed = story.reply(slot(1, 0), ReplyKind::Error, "runs");
    assert_eq!(dispatched(&freed).unwrap().1, "goes on");
    assert_eq!(dispatched(&story.reply(slot(1, 0), ReplyKind::Response, "goes on")), None);
}

#[test]
fn a_stream_whose_client_is_gone_may_last_as_long_as_its_gaps_are_short() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.reply(slot(1, 0), ReplyKind::Chunk, "1");
    story.on(Event::Disconnected(CLIENT));
    for _ in 0..5 {
        assert_eq!(story.after(seconds(9)), []);
        assert_eq!(story.reply(slot(1, 0), ReplyKind::Chunk, "1"), []);
    }
    let late = story.after(seconds(10));
    assert_eq!(late, [Action::SendCancel { slot: slot(1, 0), id: "1".to_owned() }]);
}

#[test]
fn a_worker_that_dies_right_after_ready_is_backed_off_as_one_that_fails_to_boot() {
    let mut story = Story::begin(1, 1, |_| ());
    for worker in 1..=5 {
        assert_eq!(started(&story.exits(worker, WorkerExit::Signal(11))), nobody());
        let retried = story.after(seconds(4));
        assert_eq!(started(&retried), [worker + 1]);
        story.worker_ready(worker + 1);
    }
    // One that served is replaced at once.
    story.request("1", "a:A");
    assert_eq!(started(&story.exits(6, WorkerExit::Signal(11))), [7]);
}

#[test]
fn a_worker_that_drains_slowly_is_replaced_at_once() {
    let mut story = Story::begin(1, 2, |_| ());
    story.request("stuck", "a:A");
    story.after(seconds(6));
    story.request("neighbour", "a:A");
    story.after(seconds(4));
    let grace = story.after(seconds(5));
    assert_eq!((started(&grace), ended(&grace)), (vec![2], untold()), "the neighbour may finish");
    assert_eq!(ended(&story.reply(slot(1, 1), ReplyKind::Response, "neighbour")), [(1, WorkerSignal::Abort)]);
    assert_eq!(started(&story.exits(1, WorkerExit::Signal(6))), nobody());
}

#[test]
fn what_happened_is_counted_per_app_and_worker() {
    let mut story = Story::begin(1, 1, |config| config.queue = 1);
    story.request("1", "a:A");
    story.request("2", "a:A");
    story.request("3", "a:A");
    story.now += seconds(3);
    story.reply(slot(1, 0), ReplyKind::Response, "1");
    story.on(Event::Reply {
        slot: slot(1, 0),
        kind: ReplyKind::Error,
        id: Some("2"),
        error_type: Some("DirtyAppError"),
        frames: 1,
        frame: "",
    });
    story.request("4", "a:A");
    assert_eq!(timeout_of(&story.after(seconds(10)), "4").0, Phase::Run);
    story.reply(slot(1, 0), ReplyKind::Chunk, "other");
    let app = story.app("a:A");
    assert_eq!((app.counters.requests, app.counters.responses, app.counters.streams), (3, 1, 0));
    let errors: Vec<(&str, u64)> = app.counters.errors.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(errors, [("DirtyAppError", 1), ("DirtyOverloadedError", 1), ("DirtyTimeoutError", 1)]);
    assert_eq!((app.counters.timeouts, app.counters.crashes, app.counters.stale_frames), (1, 0, 1));
    let total = story.core.counters();
    assert_eq!((total.crashes, total.stale_frames), (0, 1));
    // Waits: 0, 3 and 0 seconds. Runs: 3 and 0 seconds.
    assert_eq!((app.wait_time.counts().iter().sum::<u64>(), app.wait_time.sum()), (3, seconds(3)));
    assert_eq!((app.run_time.counts()[11], app.run_time.sum()), (1, seconds(3)));
    assert_eq!((app.queued, app.running, app.ready_workers), (0, 1, 1));
    let worker = &story.core.status(story.now).workers[0];
    assert_eq!((worker.served, worker.busy, worker.slots, worker.age), (2, 1, 1, seconds(13)));
    story.exits(1, WorkerExit::Signal(9));
    story.after(seconds(2));
    let last_exit = story.core.status(story.now).workers[0].last_exit.unwrap();
    assert_eq!(
        (last_exit.worker, last_exit.exit, last_exit.ago),
        (WorkerId(1), WorkerExit::Signal(9), seconds(2))
    );
}

#[test]
fn a_stuck_request_on_a_worker_that_was_told_to_end_is_aborted_all_the_same() {
    let mut story = Story::begin(2, 1, |_| ());
    story.request("stuck", "a:A");
    story.after(seconds(10));
    // Nobody waits for it any more, so that the worker can be told to end; but it ignores `cancel`, and will ignore this.
    story.reload(|_| ());
    assert_eq!(ended(&story.worker_ready(3)), [(1, TERM)]);
    assert_eq!(ended(&story.after(seconds(5))), [(1, WorkerSignal::Abort)]);
    assert_eq!(ended(&story.after(seconds(1))), [(1, WorkerSignal::Kill)]);
}

#[test]
fn a_graceful_timeout_of_zero_is_no_limit() {
    let mut story = Story::begin(1, 1, |config| {
        config.graceful_timeout = Duration::ZERO;
        config.timeout = Duration::ZERO;
    });
    story.request("long", "a:A");
    story.on(Event::Drain);
    assert_eq!(story.after(seconds(100_000)), []);
    assert_eq!(ended(&story.reply(slot(1, 0), ReplyKind::Response, "long")), [(1, TERM)]);
    assert_eq!(story.after(seconds(100_000)), [], "its apps may take their time to close");
}
