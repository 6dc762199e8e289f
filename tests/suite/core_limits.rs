//! Limits by example: a request's own, what follows when one has passed, and what is left of them afterwards.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, AppAllocation, Event, Failure, OnDisconnect, Phase, ReplyKind, Violation, WorkerExit, WorkerId,
    WorkerSignal,
};

use crate::core_story::*;

#[test]
fn the_requests_own_limit_bounds_its_wait_in_the_queue_too() {
    let mut story = Story::begin(1, 1, |config| config.queue_timeout = seconds(4));
    story.request("runs", "a:A");
    story.request_within("short", "a:A", Some(seconds(3)));
    story.request_within("long", "a:A", Some(seconds(99)));
    assert_eq!(timeout_of(&story.after(seconds(3)), "short"), (Phase::Queue, seconds(3)));
    assert_eq!(timeout_of(&story.after(seconds(1)), "long"), (Phase::Queue, seconds(4)));
}

#[test]
fn the_requests_own_limit_bounds_every_gap_of_a_stream() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request_within("1", "a:A", Some(seconds(3)));
    for _ in 0..3 {
        story.after(seconds(2));
        story.reply(slot(1, 0), ReplyKind::Chunk, "1");
    }
    assert_eq!(story.after(Duration::from_millis(2_999)), []);
    assert_eq!(timeout_of(&story.after(Duration::from_millis(1)), "1"), (Phase::Stream, seconds(3)));
}

#[test]
fn an_idle_arbiter_wakes_for_nothing() {
    let mut story = Story::begin(1, 1, |config| config.boot_timeout = Duration::ZERO);
    for id in ["1", "2", "3"] {
        story.request(id, "a:A");
    }
    story.on(Event::Cancel { conn: CLIENT, id: "3" });
    story.reply(slot(1, 0), ReplyKind::Response, "1");
    assert_eq!(story.core.next_wakeup(), Some(story.now + seconds(10)));
    story.reply(slot(1, 0), ReplyKind::Response, "2");
    assert_eq!(story.core.next_wakeup(), None);
}

#[test]
fn the_grace_of_a_request_that_ended_in_time_costs_its_successor_nothing() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("late", "a:A");
    story.after(seconds(10));
    story.after(seconds(1));
    story.reply(slot(1, 0), ReplyKind::Response, "late");
    assert!(dispatched(&story.request("next", "a:A")).is_some());
    assert_eq!(story.after(seconds(4)), [], "the end of the grace");
    assert_eq!(story.reply(slot(1, 0), ReplyKind::Response, "next").len(), 1);
}

#[test]
fn a_neighbour_whose_own_limit_passes_holds_the_abort_up_no_longer() {
    let mut story = Story::begin(1, 2, |_| ());
    story.request("stuck", "a:A");
    story.after(seconds(8));
    story.request("neighbour", "a:A");
    story.after(seconds(2));
    assert_eq!(ended(&story.after(seconds(5))), untold());
    let passed = story.after(seconds(3));
    assert_eq!(timeout_of(&passed, "neighbour"), (Phase::Run, seconds(10)));
    assert_eq!(ended(&passed), [(1, WorkerSignal::Abort)]);
}

#[test]
fn a_timeout_names_the_worker_that_ran_the_request() {
    let mut story = Story::begin(1, 1, |config| config.queue_timeout = seconds(4));
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    let worker = |actions: &Actions, id| match failure(actions, id) {
        Some(Failure::Timeout { worker, .. }) => worker,
        other => panic!("{other:?}"),
    };
    assert_eq!(worker(&story.after(seconds(4)), "waits"), None);
    assert_eq!(worker(&story.after(seconds(6)), "runs"), Some(WorkerId(1)));
}

#[test]
fn a_hung_worker_is_aborted_and_counted_once() {
    let mut story = Story::begin(1, 1, |config| config.watchdog = Duration::from_millis(14_500));
    story.request("1", "a:A");
    story.after(seconds(10));
    assert_eq!(ended(&story.after(Duration::from_millis(4_500))), [(1, WorkerSignal::Abort)]);
    assert_eq!(ended(&story.after(Duration::from_millis(500))), untold(), "the end of the cancel grace");
    assert_eq!(ended(&story.after(Duration::from_millis(500))), [(1, WorkerSignal::Kill)]);
    let gone = story.exits(1, WorkerExit::Signal(9));
    assert_eq!((expected(&gone), story.core.counters().crashes), (Some(true), 1));
}

#[test]
fn a_worker_that_was_told_to_end_is_not_watched() {
    let mut story = Story::begin(2, 1, |config| config.watchdog = seconds(4));
    assert_eq!(ended(&story.on(Event::Scale(1))), [(2, TERM)]);
    story.after(seconds(3));
    story.on(Event::Alive(WorkerId(1)));
    assert_eq!(ended(&story.after(seconds(1))), untold(), "it may be closing its apps");
}

#[test]
fn a_cancelled_stream_that_goes_on_prolongs_nothing() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.reply(slot(1, 0), ReplyKind::Chunk, "1");
    story.on(Event::Cancel { conn: CLIENT, id: "1" });
    story.after(seconds(9));
    assert_eq!(story.reply(slot(1, 0), ReplyKind::Chunk, "1"), []);
    story.after(seconds(1));
    assert_eq!(ended(&story.after(seconds(5))), [(1, WorkerSignal::Abort)]);
}

#[test]
fn a_half_closed_connection_is_closed_after_a_timeout_too() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.on(Event::HalfClosed(CLIENT));
    assert!(story.after(seconds(10)).contains(&Action::CloseConn(CLIENT)));
}

#[test]
fn a_stream_that_was_cancelled_because_its_client_left_prolongs_nothing() {
    let cancel = AppAllocation { on_disconnect: OnDisconnect::Cancel, ..app("a:A") };
    let mut story = Story::begin(1, 1, |config| config.apps = vec![cancel]);
    story.request("1", "a:A");
    story.reply(slot(1, 0), ReplyKind::Chunk, "1");
    story.on(Event::Disconnected(CLIENT));
    story.after(seconds(9));
    assert_eq!(story.reply(slot(1, 0), ReplyKind::Chunk, "1"), []);
    story.after(seconds(1));
    assert_eq!(ended(&story.after(seconds(5))), [(1, WorkerSignal::Abort)]);
}

#[test]
fn a_worker_that_is_told_to_end_and_does_not_is_killed() {
    let mut story = Story::begin(2, 1, |config| config.graceful_timeout = seconds(20));
    assert_eq!(ended(&story.on(Event::Scale(1))), [(2, TERM)]);
    assert_eq!(ended(&story.after(Duration::from_millis(19_999))), untold());
    assert_eq!(ended(&story.after(Duration::from_millis(1))), [(2, WorkerSignal::Kill)]);
}

/// A worker of three slots: one request is stuck beyond its limit, one runs on, and the third breaks the protocol.
fn stuck_and_broken(violation_first: bool) -> Story {
    let mut story = Story::begin(1, 3, |_| ());
    story.request("stuck", "a:A");
    story.after(seconds(8));
    story.request("runs", "a:A");
    let violation = || Violation { requirement: "FRAME-10", what: "garbage".to_owned() };
    let broken = || Event::SlotBroken { slot: slot(1, 2), violation: Some(violation()) };
    if violation_first {
        assert_eq!(ended(&story.on(broken())), untold());
    }
    story.after(seconds(2));
    assert_eq!(ended(&story.after(seconds(5))), untold(), "`runs` may go on");
    if !violation_first {
        assert_eq!(ended(&story.on(broken())), untold());
    }
    story
}

#[test]
fn a_worker_with_a_stuck_request_is_aborted_whatever_else_was_decided() {
    for violation_first in [true, false] {
        let mut story = stuck_and_broken(violation_first);
        let alone = story.reply(slot(1, 1), ReplyKind::Response, "runs");
        assert_eq!(ended(&alone), [(1, WorkerSignal::Abort)], "violation first: {violation_first}");
    }
}
