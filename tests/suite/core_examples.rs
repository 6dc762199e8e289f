//! The arbiter's core by example: each test is a short story with made-up time.

use std::time::{Duration, Instant};

use dirty_arbiter::arbiter::core::{
    Action, AppAllocation, ConnId, Core, CoreConfig, Event, Failure, Note, Phase, ReplyKind, Violation,
    WorkerExit, WorkerId, WorkerSignal,
};

use crate::core_story::*;

#[test]
fn a_late_reply_is_never_delivered_to_anybody() {
    let mut story = Story::begin(1, 1, |_| ());
    assert_eq!(dispatched(&story.request("1", "a:A")), Some((slot(1, 0), "1")));
    let at_deadline = story.after(seconds(10));
    assert_eq!(timeout_of(&at_deadline, "1"), (Phase::Run, seconds(10)));
    assert!(at_deadline.contains(&Action::SendCancel { slot: slot(1, 0), id: "1".to_owned() }));
    // The slot is the late request's until its worker says so, even for a request with the very same id.
    assert_eq!(dispatched(&story.request("1", "a:A")), None);
    let late = story.reply(slot(1, 0), ReplyKind::Response, "1");
    assert_eq!(late, [Action::Dispatch { slot: slot(1, 0), frame: "1" }], "dropped, and the slot is free");
    let answer = story.reply(slot(1, 0), ReplyKind::Response, "1");
    assert_eq!(answer, [Action::Forward { conn: CLIENT, slot: slot(1, 0), more: false, frame: "reply" }]);
}

#[test]
fn a_request_that_ignores_cancel_costs_its_worker_its_life() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.after(seconds(10));
    assert_eq!(signals(&story.after(Duration::from_millis(4_999))), []);
    assert_eq!(signals(&story.after(Duration::from_millis(1))), [WorkerSignal::Abort]);
    assert_eq!(signals(&story.after(seconds(1))), [WorkerSignal::Kill]);
    let exited = story.on(Event::Exited { worker: WorkerId(1), exit: WorkerExit::Signal(9) });
    assert!(exited.contains(&spawn(2, &["a:A", "b:B"], &[], 0)));
}

#[test]
fn the_neighbours_of_a_stuck_request_finish_first() {
    let mut story = Story::begin(1, 2, |_| ());
    story.request("stuck", "a:A");
    story.after(seconds(8));
    story.request("good", "a:A");
    story.after(seconds(2));
    assert_eq!(signals(&story.after(seconds(5))), [], "`good` still runs, within its own limit");
    assert_eq!(dispatched(&story.request("next", "a:A")), None, "the worker takes nothing new");
    let done = story.reply(slot(1, 1), ReplyKind::Response, "good");
    assert_eq!(signals(&done), [WorkerSignal::Abort]);
    assert_eq!(dispatched(&done), None);
}

#[test]
fn the_requests_own_limit_only_shortens() {
    let mut story = Story::begin(2, 1, |_| ());
    story.request_within("short", "a:A", Some(seconds(3)));
    story.request_within("long", "a:A", Some(seconds(99)));
    assert_eq!(timeout_of(&story.after(seconds(3)), "short"), (Phase::Run, seconds(3)));
    assert_eq!(timeout_of(&story.after(seconds(7)), "long"), (Phase::Run, seconds(10)));
}

#[test]
fn the_requests_own_limit_counts_from_its_acceptance() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("first", "a:A");
    story.request_within("second", "a:A", Some(seconds(5)));
    story.after(seconds(4));
    let freed = story.reply(slot(1, 0), ReplyKind::Response, "first");
    assert_eq!(dispatched(&freed), Some((slot(1, 0), "second")));
    assert_eq!(timeout_of(&story.after(seconds(1)), "second"), (Phase::Run, seconds(5)));
}

#[test]
fn a_stream_may_last_as_long_as_its_gaps_are_short() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    let more = || Action::Forward { conn: CLIENT, slot: slot(1, 0), more: true, frame: "reply" };
    for _ in 0..5 {
        assert_eq!(story.after(seconds(9)), []);
        assert_eq!(story.reply(slot(1, 0), ReplyKind::Chunk, "1"), [more()]);
    }
    assert_eq!(story.after(Duration::from_millis(9_999)), []);
    assert_eq!(timeout_of(&story.after(Duration::from_millis(1)), "1"), (Phase::Stream, seconds(10)));
}

#[test]
fn a_limit_of_zero_is_no_limit() {
    let mut story = Story::begin(1, 1, |config| {
        config.timeout = Duration::ZERO;
        config.queue_timeout = Duration::ZERO;
    });
    story.request("1", "a:A");
    story.request("2", "a:A");
    assert_eq!(story.after(seconds(1_000_000)), []);
}

#[test]
fn the_wait_in_the_queue_has_a_limit_and_a_phase_of_its_own() {
    let mut story = Story::begin(1, 1, |config| config.queue_timeout = seconds(4));
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    let late = story.after(seconds(4));
    assert_eq!(timeout_of(&late, "waits"), (Phase::Queue, seconds(4)));
    assert_eq!(story.core.queued(), 0);
    let mut booting = Story::boot(1, 1, |config| config.queue_timeout = seconds(4));
    booting.request("waits", "a:A");
    assert_eq!(timeout_of(&booting.after(seconds(4)), "waits"), (Phase::Boot, seconds(4)));
}

#[test]
fn a_cancelled_request_in_the_queue_never_reaches_a_worker() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    let cancelled = story.on(Event::Cancel { conn: CLIENT, id: "waits" });
    assert!(matches!(failure(&cancelled, "waits"), Some(Failure::Cancelled(_))));
    assert_eq!(story.reply(slot(1, 0), ReplyKind::Response, "runs").len(), 1, "answered, nothing dispatched");
}

#[test]
fn a_cancelled_stream_is_answered_at_once_and_frees_its_slot_when_its_worker_ends_it() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.reply(slot(1, 0), ReplyKind::Chunk, "1");
    let cancelled = story.on(Event::Cancel { conn: CLIENT, id: "1" });
    assert!(cancelled.contains(&Action::SendCancel { slot: slot(1, 0), id: "1".to_owned() }));
    assert!(matches!(failure(&cancelled, "1"), Some(Failure::Cancelled(_))));
    assert_eq!(story.on(Event::Cancel { conn: CLIENT, id: "1" }), [], "a finished id (CANCEL-2)");
    assert_eq!(story.reply(slot(1, 0), ReplyKind::Chunk, "1"), [], "discarded");
    assert_eq!(dispatched(&story.request("2", "a:A")), None);
    assert_eq!(dispatched(&story.reply(slot(1, 0), ReplyKind::Error, "1")), Some((slot(1, 0), "2")));
}

#[test]
fn a_full_queue_refuses_with_the_time_to_come_back() {
    let mut story = Story::begin(1, 1, |config| config.queue = 2);
    for id in ["runs", "waits 1", "waits 2"] {
        assert_eq!(failure(&story.request(id, "a:A"), id), None);
    }
    let refused = failure(&story.request("too many", "a:A"), "too many");
    let Some(Failure::Overloaded { bound: 2, retry_after, .. }) = refused else { panic!("{refused:?}") };
    assert!(retry_after >= Duration::from_millis(100));
    assert_eq!(failure(&story.request("another app", "b:B"), "another app"), None, "queues are per app");
    // Where nothing may wait, a free slot is all that is needed.
    let mut story = Story::begin(1, 1, |config| config.queue = 0);
    assert!(dispatched(&story.request("runs", "a:A")).is_some());
    let refused = failure(&story.request("too many", "a:A"), "too many");
    assert!(matches!(refused, Some(Failure::Overloaded { bound: 0, .. })), "{refused:?}");
}

#[test]
fn the_least_loaded_then_the_least_recently_used_slot_is_chosen() {
    let mut story = Story::begin(2, 2, |_| ());
    let first = dispatched(&story.request("1", "a:A")).unwrap().0;
    let second = dispatched(&story.request("2", "a:A")).unwrap().0;
    assert_ne!(first.worker, second.worker, "the other worker is less loaded");
    story.reply(first, ReplyKind::Response, "1");
    story.reply(second, ReplyKind::Response, "2");
    let third = dispatched(&story.request("3", "a:A")).unwrap().0;
    assert!(third != first && third != second, "never used before");
}

#[test]
fn apps_that_share_workers_take_turns() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("a1", "a:A");
    for id in ["a2", "a3", "a4"] {
        story.request(id, "a:A");
    }
    story.request("b1", "b:B");
    let served = |story: &mut Story, done: &str| {
        let actions = story.reply(slot(1, 0), ReplyKind::Response, done);
        dispatched(&actions).unwrap().1
    };
    assert_eq!(served(&mut story, "a1"), "b1", "the flood of a:A does not starve b:B");
    assert_eq!(served(&mut story, "b1"), "a2");
}

#[test]
fn a_crash_fails_what_runs_there_and_nothing_else() {
    let mut story = Story::begin(2, 1, |_| ());
    let (victim, _) = dispatched(&story.request("1", "a:A")).unwrap();
    let (other, _) = dispatched(&story.request("2", "a:A")).unwrap();
    story.request("waits", "a:A");
    assert_eq!(story.on(Event::SlotBroken { slot: victim, violation: None }), [Action::CloseSlot(victim)]);
    let died = story.on(Event::Exited { worker: victim.worker, exit: WorkerExit::Signal(11) });
    let expected = Some(Failure::WorkerDied {
        target: dirty_arbiter::arbiter::core::Target { app_path: "a:A".to_owned(), action: "act".to_owned() },
        worker: victim.worker,
        exit: WorkerExit::Signal(11),
    });
    assert_eq!(failure(&died, "1"), expected);
    assert_eq!(failure(&died, "waits"), None);
    let elsewhere = story.reply(other, ReplyKind::Response, "2");
    assert_eq!(dispatched(&elsewhere), Some((other, "waits")));
}

#[test]
fn failing_boots_are_tried_ever_more_slowly_and_fail_their_app() {
    let mut story = Story::boot(1, 1, |_| ());
    story.request("waits", "a:A");
    let mut pauses = Vec::new();
    for worker in 1.. {
        story.on(Event::Spawned(WorkerId(worker)));
        let actions = story.on(Event::Exited { worker: WorkerId(worker), exit: WorkerExit::Code(3) });
        let pause = actions.iter().find_map(|action| match action {
            Action::Log(Note::BootFailed { retry_in, .. }) => Some(*retry_in),
            _ => None,
        });
        pauses.push(pause.unwrap());
        if let Some(failure) = failure(&actions, "waits") {
            assert!(matches!(failure, Failure::NoWorkers { .. }), "{failure:?}");
            break;
        }
        let pause = pauses[pauses.len() - 1];
        assert_eq!(story.after(pause - Duration::from_millis(1)), [], "no sooner than it says");
        let retried = story.after(Duration::from_millis(1));
        assert!(matches!(retried[..], [Action::Spawn { .. }]), "{retried:?}");
    }
    assert_eq!(pauses.len(), 5);
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
    let refused = failure(&story.request("too late", "a:A"), "too late");
    assert!(matches!(refused, Some(Failure::NoWorkers { .. })));
    // It is tried on, and a boot that succeeds ends the failure.
    story.after(pauses[4]);
    story.worker_ready(6);
    assert!(dispatched(&story.request("again", "a:A")).is_some());
}

#[test]
fn a_boot_that_takes_too_long_is_ended() {
    let mut story = Story::boot(1, 1, |config| config.boot_timeout = seconds(7));
    story.on(Event::Spawned(WorkerId(1)));
    assert_eq!(signals(&story.after(seconds(7))), [WorkerSignal::Kill]);
}

#[test]
fn a_drain_finishes_what_was_accepted_and_refuses_the_rest() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    assert_eq!(story.on(Event::Drain), []);
    assert!(matches!(failure(&story.request("new", "a:A"), "new"), Some(Failure::NoWorkers { .. })));
    assert_eq!(
        dispatched(&story.reply(slot(1, 0), ReplyKind::Response, "runs")),
        Some((slot(1, 0), "waits"))
    );
    assert_eq!(signals(&story.reply(slot(1, 0), ReplyKind::Response, "waits")), [WorkerSignal::Terminate]);
    let exited = story.on(Event::Exited { worker: WorkerId(1), exit: WorkerExit::Code(0) });
    assert_eq!(exited.last(), Some(&Action::Finished));
}

#[test]
fn a_drain_ends_in_time_or_when_told_twice() {
    for hurry in [false, true] {
        let mut story = Story::begin(1, 1, |config| config.graceful_timeout = seconds(6));
        story.request("runs", "a:A");
        story.on(Event::Drain);
        let actions = if hurry { story.on(Event::Drain) } else { story.after(seconds(6)) };
        assert_eq!(signals(&actions), [WorkerSignal::Kill]);
        let exited = story.on(Event::Exited { worker: WorkerId(1), exit: WorkerExit::Signal(9) });
        assert!(matches!(failure(&exited, "runs"), Some(Failure::WorkerDied { .. })));
        assert_eq!(exited.last(), Some(&Action::Finished));
    }
}

#[test]
fn a_half_closed_connection_is_closed_after_its_last_answer() {
    let mut story = Story::begin(2, 1, |_| ());
    story.request("1", "a:A");
    story.request("2", "a:A");
    assert_eq!(story.on(Event::HalfClosed(CLIENT)), []);
    assert_eq!(story.reply(slot(1, 0), ReplyKind::Response, "1").len(), 1);
    let last = story.reply(slot(2, 0), ReplyKind::Response, "2");
    assert_eq!(last.last(), Some(&Action::CloseConn(CLIENT)));
    // One that waits for nothing is closed at once.
    let mut story = Story::begin(1, 1, |_| ());
    assert_eq!(story.on(Event::HalfClosed(CLIENT)), [Action::CloseConn(CLIENT)]);
}

#[test]
fn limited_apps_are_dealt_out_and_a_replacement_loads_the_same() {
    let mut core: Core<&str> = Core::new(CoreConfig {
        apps: vec![app("all:A"), AppAllocation { workers: Some(1), ..app("one:B") }],
        workers: 2,
        ..Default::default()
    });
    let mut actions = Vec::new();
    core.on(Event::Start, Instant::now(), &mut actions);
    assert_eq!(actions, [spawn(1, &["all:A", "one:B"], &["one:B"], 0), spawn(2, &["all:A"], &[], 1)]);
    actions.clear();
    core.on(Event::Ready(WorkerId(1)), Instant::now(), &mut Vec::new());
    let later = Instant::now() + seconds(2);
    core.on(Event::Exited { worker: WorkerId(1), exit: WorkerExit::Code(1) }, later, &mut actions);
    assert_eq!(actions.last(), Some(&spawn(3, &["all:A", "one:B"], &["one:B"], 0)));
}

#[test]
fn requests_of_a_client_that_does_not_read_wait_until_it_does() {
    let mut story = Story::begin(1, 1, |_| ());
    let other = ConnId(2);
    story.on(Event::Connected(other));
    story.on(Event::Congested(CLIENT, true));
    assert_eq!(dispatched(&story.request("unread", "a:A")), None, "although a slot is free");
    let request = Event::Request {
        conn: other,
        id: "1",
        app_path: "a:A",
        action: "act",
        timeout: None,
        frame: "other",
    };
    assert_eq!(dispatched(&story.on(request)), Some((slot(1, 0), "other")), "nobody waits behind it");
    assert_eq!(dispatched(&story.reply(slot(1, 0), ReplyKind::Response, "1")), None);
    assert_eq!(dispatched(&story.on(Event::Congested(CLIENT, false))), Some((slot(1, 0), "unread")));
}

#[test]
fn a_bad_message_fails_its_request_and_no_more() {
    let mut story = Story::begin(1, 1, |_| ());
    let violation = || Violation { requirement: "VAL-2", what: "NaN".to_owned() };
    story.request("1", "a:A");
    story.request("2", "a:A");
    let bad = Event::BadReply {
        slot: slot(1, 0),
        kind: Some(ReplyKind::Response),
        id: Some("1"),
        violation: violation(),
    };
    let actions = story.on(bad);
    assert!(matches!(failure(&actions, "1"), Some(Failure::WorkerBroke { .. })));
    assert_eq!(dispatched(&actions), Some((slot(1, 0), "2")));
    // In a stream the worker goes on: the slot is taken until its terminal message.
    story.reply(slot(1, 0), ReplyKind::Chunk, "2");
    let bad = Event::BadReply {
        slot: slot(1, 0),
        kind: Some(ReplyKind::Chunk),
        id: Some("2"),
        violation: violation(),
    };
    let actions = story.on(bad);
    assert!(actions.contains(&Action::SendCancel { slot: slot(1, 0), id: "2".to_owned() }));
    assert!(matches!(failure(&actions, "2"), Some(Failure::WorkerBroke { .. })));
    assert_eq!(dispatched(&story.request("3", "a:A")), None);
    assert_eq!(dispatched(&story.reply(slot(1, 0), ReplyKind::Error, "2")), Some((slot(1, 0), "3")));
    // About nothing in flight: the worker is not to be trusted, and what runs there fails with it.
    let kind = Some(ReplyKind::Response);
    let bad = Event::BadReply { slot: slot(1, 0), kind, id: Some("2"), violation: violation() };
    let actions = story.on(bad);
    assert!(matches!(failure(&actions, "3"), Some(Failure::WorkerBroke { .. })));
    assert_eq!(signals(&actions), [WorkerSignal::Terminate]);
}
