//! Workers by example: how they boot, what they say they serve, how they fail and end, and what is counted of it.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, Event, Failure, Note, ReplyKind, Violation, WorkerExit, WorkerId, WorkerSignal, WorkerStage::*,
};

use crate::core_story::*;

const SEGV: WorkerExit = WorkerExit::Signal(11);
const NOT_BOOTED: WorkerExit = WorkerExit::Code(3);

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl Story {
    /// A worker says which apps it serves.
    fn serves(&mut self, worker: u64, apps: &[&str]) {
        let apps: Vec<String> = apps.iter().map(|app| (*app).to_owned()).collect();
        self.on(Event::Serves { worker: WorkerId(worker), apps: &apps });
    }

    /// A worker fails to boot: how long until the next try, and whether its seat counts as failed.
    fn fails_to_boot(&mut self, worker: u64) -> (Duration, bool) {
        let actions = self.exits(worker, NOT_BOOTED);
        let failed = actions.iter().find_map(|action| match action {
            Action::Log(Note::BootFailed { retry_in, failed, .. }) => Some((*retry_in, *failed)),
            _ => None,
        });
        failed.unwrap_or_else(|| panic!("no failed boot of {worker} but {actions:?}"))
    }
}

fn bad_reply(worker: u64) -> Event<'static, &'static str> {
    let violation = Violation { requirement: "VAL-2", what: "NaN".to_owned() };
    Event::BadReply { slot: slot(worker, 0), kind: None, id: None, violation }
}

#[test]
fn a_worker_cannot_refuse_what_the_configuration_gives_it() {
    let mut story = Story::boot(1, 1, |config| config.apps = vec![app("a:A"), limited("b:B", 1)]);
    story.serves(1, &["a:A"]);
    story.worker_ready(1);
    assert_eq!(dispatched(&story.request("1", "b:B")), Some((slot(1, 0), "1")));
}

#[test]
fn what_a_worker_says_of_its_apps_after_its_ready_is_ignored() {
    let mut story = Story::begin(1, 1, |_| ());
    story.serves(1, &["b:B"]);
    assert_eq!(dispatched(&story.request("1", "a:A")), Some((slot(1, 0), "1")));
}

#[test]
fn a_worker_that_serves_nothing_ends_and_its_seat_stays_empty_until_the_next_reload() {
    let mut story = Story::boot(2, 1, |_| ());
    story.worker_ready(1);
    // A boot that fails first: its next try comes when the seat is filled again, and comes to nothing.
    let (pause, _) = story.fails_to_boot(2);
    story.reload(|_| ());
    assert_eq!(started(&story.worker_ready(3)), [4], "the reload does not wait for the pause");
    story.serves(4, &[]);
    assert_eq!(ended(&story.worker_ready(4)), [(4, TERM)]);
    story.exits(1, WorkerExit::Code(0));
    assert_eq!(started(&story.exits(4, WorkerExit::Code(0))), nobody());
    assert_eq!(started(&story.after(pause)), nobody());
    assert_eq!(story.workers(), [(3, Ready, 1)]);
    story.reload(|_| ());
    assert_eq!(started(&story.worker_ready(5)), [6], "it may have something to serve by now");
}

#[test]
fn an_app_that_only_a_failing_worker_would_serve_is_refused() {
    let mut story = Story::boot(2, 1, |config| config.apps = vec![app("a:A")]);
    story.serves(2, &[]);
    story.worker_ready(2);
    for worker in [1, 3, 4, 5, 6] {
        story.fails_to_boot(worker);
        story.after(seconds(3));
    }
    assert!(matches!(failure(&story.request("1", "a:A"), "1"), Some(Failure::NoWorkers { .. })));
}

#[test]
fn one_failing_seat_costs_no_request_that_another_can_serve() {
    let mut story = Story::boot(2, 1, |_| ());
    story.worker_ready(1);
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    for worker in 2..=6 {
        let actions = story.exits(worker, NOT_BOOTED);
        assert_eq!(failure(&actions, "waits"), None);
        story.after(seconds(3));
    }
    story.fails_to_boot(7);
    assert_eq!(dispatched(&story.reply(slot(1, 0), ReplyKind::Response, "runs")).unwrap().1, "waits");
}

#[test]
fn a_seat_that_has_recovered_is_a_failed_one_no_more() {
    let mut story = Story::boot(1, 1, |_| ());
    for worker in 1..=5 {
        story.fails_to_boot(worker);
        story.after(seconds(3));
    }
    story.worker_ready(6);
    story.request("1", "a:A");
    story.reply(slot(6, 0), ReplyKind::Response, "1");
    assert_eq!(started(&story.exits(6, SEGV)), [7]);
    assert_eq!(failure(&story.request("2", "a:A"), "2"), None, "it waits for the next worker");
    // And what failed before is forgotten.
    assert!(!story.fails_to_boot(7).1);
}

#[test]
fn the_pause_before_a_boot_is_tried_again_has_a_bound_and_a_jitter() {
    let mut story = Story::boot(2, 1, |_| ());
    let (first, second) = (story.fails_to_boot(1).0, story.fails_to_boot(2).0);
    assert_ne!(first, second, "seats do not retry in step");
    for pause in [first, second] {
        assert!((milliseconds(80)..=milliseconds(120)).contains(&pause), "{pause:?}");
    }
    let mut story = Story::boot(1, 1, |_| ());
    for worker in 1..=20 {
        let (pause, _) = story.fails_to_boot(worker);
        assert!(pause <= seconds(36), "{pause:?}");
        assert!(worker < 10 || pause >= seconds(24), "{pause:?} although it keeps failing");
        story.after(pause);
    }
}

#[test]
fn a_worker_that_boots_slowly_and_dies_right_after_ready_has_failed_to_boot() {
    let mut story = Story::boot(1, 1, |_| ());
    story.after(seconds(5));
    story.worker_ready(1);
    assert_eq!(started(&story.exits(1, SEGV)), nobody());
}

#[test]
fn nothing_new_goes_to_a_worker_that_lost_a_connection() {
    let mut story = Story::begin(2, 2, |_| ());
    story.request("1", "a:A");
    story.request("2", "a:A");
    story.on(Event::SlotBroken { slot: slot(1, 0), violation: None });
    assert_eq!(dispatched(&story.request("3", "a:A")), Some((slot(2, 1), "3")), "though slot w1.1 is idle");
    assert_eq!(dispatched(&story.request("4", "a:A")), None);
}

#[test]
fn a_worker_that_died_unasked_is_counted_and_one_that_was_told_to_end_is_not() {
    let mut story = Story::begin(1, 1, |_| ());
    story.after(seconds(2));
    let died = story.exits(1, SEGV);
    assert_eq!((expected(&died), story.core.counters().crashes), (Some(false), 1));
    story.worker_ready(2);
    story.after(seconds(2));
    assert_eq!(ended(&story.on(bad_reply(2))), [(2, TERM)]);
    let ended = story.exits(2, WorkerExit::Code(0));
    assert_eq!((expected(&ended), story.core.counters().crashes), (Some(true), 1));
}

#[test]
fn a_worker_that_dies_before_it_was_told_to_end_has_crashed_although_it_was_to_go() {
    let mut story = Story::boot(2, 1, |_| ());
    // Worker 1 boots still, so that worker 2, which is to go, cannot be spared yet.
    story.worker_ready(2);
    assert_eq!(ended(&story.on(Event::Scale(1))), untold());
    let died = story.exits(2, SEGV);
    assert_eq!((expected(&died), story.core.counters().crashes), (Some(false), 1));
}

#[test]
fn one_abort_is_enough() {
    let mut story = Story::begin(1, 2, |config| config.cancel_grace = milliseconds(500));
    story.request("1", "a:A");
    story.after(milliseconds(100));
    story.request("2", "a:A");
    story.after(milliseconds(9_900));
    story.after(milliseconds(100));
    assert_eq!(ended(&story.after(milliseconds(400))), [(1, WorkerSignal::Abort)]);
    assert_eq!(signals(&story.after(milliseconds(100))), [], "the grace of the second request");
    assert_eq!(ended(&story.after(milliseconds(900))), [(1, WorkerSignal::Kill)]);
}

#[test]
fn a_reloaded_configuration_watches_its_own_workers() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|config| config.watchdog = seconds(4));
    story.worker_ready(2);
    story.exits(1, WorkerExit::Code(0));
    assert_eq!(ended(&story.after(seconds(4))), [(2, WorkerSignal::Abort)]);
}

#[test]
fn a_crash_during_a_drain_costs_what_waits_nothing() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    story.on(Event::Drain);
    assert_eq!(started(&story.exits(1, SEGV)), [2]);
    assert_eq!(dispatched(&story.worker_ready(2)), Some((slot(2, 0), "waits")));
}
