//! The pool by example, where several things happen at once: changes of size during reloads, workers that fail in odd
//! moments, time that jumps.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, AppAllocation, Event, Failure, Note, ReplyKind, Violation, WorkerExit, WorkerId, WorkerSignal,
};

use crate::core_story::*;

/// Each app on a seat of its own: a change of size moves apps between workers.
fn one_each(names: &[&str]) -> Vec<AppAllocation> {
    names.iter().map(|name| limited(name, 1)).collect()
}

#[test]
fn a_reload_ends_the_replacement_that_a_change_of_size_has_begun() {
    let mut story = Story::begin(3, 1, |config| config.apps = one_each(&["a:A", "b:B", "c:C", "d:D"]));
    assert_eq!(started(&story.on(Event::Scale(2))), [4]);
    assert_eq!(started(&story.worker_ready(4)), [5], "seat 1's replacement boots");
    story.reload(|_| ());
    // Worker 5 is of the old generation: nobody needs it any more.
    let adopted = story.worker_ready(6);
    assert!(ended(&adopted).contains(&(5, WorkerSignal::Terminate)), "{adopted:?}");
    story.on(Event::Scale(1));
    assert_eq!(story.worker_ready(5), [], "its READY comes too late");
}

#[test]
fn a_change_of_size_that_fails_does_not_end_a_reload_that_has_just_begun() {
    let mut story = Story::begin(2, 1, |config| config.apps = one_each(&["a:A", "b:B"]));
    assert_eq!(started(&story.on(Event::Scale(1))), [3]);
    assert_eq!(started(&story.reload(|_| ())), [4]);
    assert_eq!(reloaded(&story.exits(3, WorkerExit::Code(3))), None);
    assert!(story.worker_ready(4).contains(&Action::Adopt { generation: 1 }));
}

#[test]
fn a_worker_whose_slots_fail_right_after_ready_is_backed_off() {
    for requirement in ["WORK-2", "FRAME-10"] {
        let mut story = Story::boot(1, 1, |_| ());
        story.on(Event::Spawned(WorkerId(1)));
        story.on(Event::Ready(WorkerId(1)));
        if requirement == "FRAME-10" {
            story.on(Event::SlotOpened(slot(1, 0)));
        }
        let violation = Some(Violation { requirement, what: String::new() });
        let broken = story.on(Event::SlotBroken { slot: slot(1, 0), violation });
        assert_eq!((started(&broken), ended(&broken)), (nobody(), vec![(1, WorkerSignal::Terminate)]));
        let gone = story.exits(1, WorkerExit::Signal(15));
        assert_eq!(started(&gone), nobody());
        assert!(matches!(gone[0], Action::Log(Note::BootFailed { .. })), "{gone:?}");
        assert_eq!(started(&story.after(seconds(1))), [2]);
    }
}

#[test]
fn requests_for_an_app_that_nobody_can_serve_any_more_are_answered() {
    let mut story = Story::begin(1, 1, |config| config.queue_timeout = Duration::ZERO);
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    story.reload(|config| config.apps = vec![app("b:B")]);
    story.worker_ready(2);
    let gone = story.exits(1, WorkerExit::Signal(9));
    assert!(matches!(failure(&gone, "runs"), Some(Failure::WorkerDied { .. })));
    assert!(matches!(failure(&gone, "waits"), Some(Failure::NoWorkers { .. })));
}

#[test]
fn requests_for_an_app_that_every_worker_declines_are_answered() {
    let mut story = Story::boot(1, 1, |config| config.queue_timeout = Duration::ZERO);
    story.request("waits", "b:B");
    let apps = ["a:A".to_owned()];
    story.on(Event::Serves { worker: WorkerId(1), apps: &apps });
    let ready = story.worker_ready(1);
    assert!(matches!(failure(&ready, "waits"), Some(Failure::NoWorkers { .. })), "{ready:?}");
}

#[test]
fn an_arbiter_that_was_stopped_itself_does_not_take_its_workers_for_hung() {
    let mut story = Story::begin(1, 1, |config| config.watchdog = seconds(4));
    story.now += seconds(10);
    // What the workers have sent meanwhile is still to be read.
    assert_eq!(ended(&story.request("1", "a:A")), untold());
    story.on(Event::Alive(WorkerId(1)));
    assert_eq!(ended(&story.after(seconds(3))), untold());
    // One that stays silent is found all the same.
    story.now += seconds(10);
    assert_eq!(ended(&story.on(Event::Tick)), untold());
    assert_eq!(ended(&story.after(seconds(4))), [(1, WorkerSignal::Abort)]);
}

#[test]
fn a_reload_that_moves_apps_between_seats_goes_on_when_the_new_worker_serves() {
    let mut story = Story::begin(2, 1, |config| {
        config.apps = one_each(&["a:A", "b:B"]);
        config.graceful_timeout = Duration::ZERO;
    });
    story.reload(|config| config.apps = one_each(&["b:B", "a:A"]));
    // Worker 1 is still the only one with a:A, and cannot be spared before its new place is filled.
    assert_eq!(started(&story.worker_ready(3)), [4]);
    let moved = story.worker_ready(4);
    assert_eq!(reloaded(&moved), Some((1, None)));
    assert_eq!(ended(&moved), [(2, WorkerSignal::Terminate), (1, WorkerSignal::Terminate)]);
}

#[test]
fn a_drain_backs_off_from_workers_that_cannot_boot() {
    let mut story = Story::boot(1, 1, |_| ());
    story.request("1", "a:A");
    story.on(Event::Drain);
    assert_eq!(started(&story.exits(1, WorkerExit::Code(3))), nobody());
    assert_eq!(started(&story.after(seconds(1))), [2]);
    // In the end the request is refused, and the drain is over.
    let mut last = story.exits(2, WorkerExit::Code(3));
    for worker in 3..=5 {
        story.after(seconds(4));
        last = story.exits(worker, WorkerExit::Code(3));
    }
    assert!(matches!(failure(&last, "1"), Some(Failure::NoWorkers { .. })));
    assert_eq!(last.last(), Some(&Action::Finished));
}

#[test]
fn a_worker_has_the_slots_that_it_was_told() {
    let mut story = Story::boot(2, 1, |_| ());
    story.worker_ready(1);
    // Worker 1 has a request, so that the next replacement has to wait, and worker 2 boots still.
    story.request("long", "a:A");
    story.reload(|config| config.threads = 4);
    story.on(Event::Ready(WorkerId(3)));
    (0..4).for_each(|index| drop(story.on(Event::SlotOpened(slot(3, index)))));
    let late = story.on(Event::Ready(WorkerId(2)));
    assert!(late.contains(&Action::OpenSlots { worker: WorkerId(2), slots: 1 }), "{late:?}");
}

#[test]
fn every_old_worker_has_its_own_time_to_end() {
    let mut story = Story::begin(3, 1, |config| config.timeout = Duration::ZERO);
    story.request("long", "a:A");
    story.request("long 2", "a:A");
    story.reload(|_| ());
    story.worker_ready(4);
    assert_eq!(started(&story.exits(1, WorkerExit::Signal(9))), [5]);
    story.after(seconds(29));
    story.worker_ready(5);
    // Worker 2 drains from here on: the end of worker 1's time means nothing.
    assert_eq!(started(&story.after(seconds(1))), nobody());
    assert_eq!(started(&story.after(seconds(29))), [6]);
}

#[test]
fn a_reload_ends_when_a_worker_of_a_new_seat_fails_to_boot() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|config| config.workers = 2);
    story.worker_ready(2);
    let failed = story.exits(3, WorkerExit::Code(9));
    assert!(reloaded(&failed).is_some_and(|(_, why)| why.is_some()), "{failed:?}");
    // The seat is tried on.
    assert_eq!(started(&story.after(seconds(1))), [4]);
}

#[test]
fn boots_that_take_long_to_fail_fail_their_app_too() {
    let mut story = Story::boot(1, 1, |_| ());
    for worker in 1..=5 {
        story.after(seconds(40));
        story.exits(worker, WorkerExit::Code(3));
        story.after(seconds(2));
    }
    assert!(matches!(failure(&story.request("1", "a:A"), "1"), Some(Failure::NoWorkers { .. })));
}

#[test]
fn a_stream_of_bad_chunks_is_cancelled_and_noted_once() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    let mut bad = || {
        let violation = Violation { requirement: "VAL-2", what: "NaN".to_owned() };
        story.on(Event::BadReply { slot: slot(1, 0), kind: Some(ReplyKind::Chunk), id: Some("1"), violation })
    };
    assert_eq!(bad().len(), 3, "a note, a cancel, an answer");
    assert_eq!(bad().len(), 1, "the note that frames are dropped");
    assert_eq!(bad(), []);
}

#[test]
fn the_first_worker_of_a_reload_boots_within_the_new_limit() {
    let mut story = Story::begin(1, 1, |config| config.boot_timeout = seconds(10));
    story.reload(|config| config.boot_timeout = seconds(100));
    story.on(Event::Spawned(WorkerId(2)));
    assert_eq!(ended(&story.after(seconds(11))), untold());
    assert_eq!(ended(&story.after(seconds(89))), [(2, WorkerSignal::Kill)]);
}
