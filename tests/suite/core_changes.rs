//! Changes that meet, by example: reloads, scaling, drains and failing boots at the same time.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, AppState, Event, Failure, Phase, ReplyKind, WorkerExit, WorkerId, WorkerSignal, WorkerStage::*,
};

use crate::core_story::*;

const GONE: WorkerExit = WorkerExit::Code(0);
const NOT_BOOTED: WorkerExit = WorkerExit::Code(3);

/// A pool of one worker, which loads all apps; with a second one, b:B and c:C are on one worker each.
fn pool_of_one() -> Story {
    Story::begin(1, 1, |config| config.apps = vec![app("a:A"), limited("b:B", 1), limited("c:C", 1)])
}

#[test]
fn a_pool_that_is_scaled_during_a_reload_keeps_its_new_size() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|config| config.workers = 3);
    assert_eq!(started(&story.on(Event::Scale(2))), [3]);
    story.worker_ready(3);
    let adopted = story.worker_ready(2);
    assert_eq!((started(&adopted), story.core.config().workers), (nobody(), 2));
}

#[test]
fn a_seat_that_is_to_load_other_apps_waits_for_the_first_worker_of_a_reload() {
    let mut story = pool_of_one();
    story.reload(|_| ());
    // Seat 0 is to load less from now on, but one worker more than the pool's size is enough.
    assert_eq!(started(&story.on(Event::Scale(2))), [3], "seat 1 alone");
    assert_eq!(started(&story.worker_ready(3)), nobody());
    assert_eq!(ended(&story.worker_ready(2)), [(1, TERM)]);
    // Worker 2 was started with all three apps, and so is replaced as well.
    assert_eq!(started(&story.exits(1, GONE)), [4]);
    story.worker_ready(4);
    assert_eq!(started(&story.exits(2, GONE)), [5]);
    assert_eq!(reloaded(&story.worker_ready(5)), Some((1, None)));
}

#[test]
fn the_first_worker_of_a_reload_makes_one_that_boots_in_its_seat_superfluous() {
    let mut story = pool_of_one();
    assert_eq!(started(&story.on(Event::Scale(2))), [2, 3], "seat 1, and beside worker 1");
    story.worker_ready(2);
    story.reload(|_| ());
    assert_eq!(ended(&story.worker_ready(4)), [(3, TERM), (1, TERM)]);
}

#[test]
fn a_failed_seat_that_is_to_load_other_apps_is_given_a_new_chance() {
    let mut story =
        Story::boot(1, 1, |config| config.apps = vec![app("a:A"), limited("b:B", 1), limited("c:C", 1)]);
    for worker in 1..=5 {
        story.exits(worker, NOT_BOOTED);
        story.after(seconds(3));
    }
    story.exits(6, NOT_BOOTED);
    assert_eq!(story.app("a:A").state, AppState::Failed);
    assert_eq!(started(&story.on(Event::Scale(2))), [7, 8]);
    assert_eq!(story.app("a:A").state, AppState::Starting);
    assert_eq!(failure(&story.request("1", "b:B"), "1"), None);
}

#[test]
fn a_shorter_limit_holds_for_a_stream_from_its_next_chunk() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("1", "a:A");
    story.reload(|config| config.timeout = seconds(2));
    story.worker_ready(2);
    story.reply(slot(1, 0), ReplyKind::Chunk, "1");
    assert_eq!(timeout_of(&story.after(seconds(2)), "1"), (Phase::Stream, seconds(2)));
}

#[test]
fn a_configuration_without_apps_is_refused() {
    let mut story = Story::begin(1, 1, |_| ());
    let refused = story.reload(|config| config.apps.clear());
    assert!(reloaded(&refused).unwrap().1.unwrap().contains("no apps"));
    assert_eq!(story.workers(), [(1, Ready, 0)]);
}

#[test]
fn there_are_no_workers_without_apps() {
    let story = Story::boot(3, 1, |config| config.apps = vec![limited("a:A", 1)]);
    assert_eq!(story.workers(), [(1, Booting, 0)]);
}

#[test]
fn a_drain_ends_what_boots_for_a_reload_even_if_requests_wait() {
    let mut story = Story::begin(2, 1, |_| ());
    story.reload(|_| ());
    story.worker_ready(3);
    assert_eq!(started(&story.exits(1, GONE)), [4]);
    for id in ["1", "2", "waits"] {
        story.request(id, "a:A");
    }
    assert_eq!(ended(&story.on(Event::Drain)), [(4, TERM)]);
}

#[test]
fn a_drain_finishes_what_waits_for_an_app_that_a_reload_took_away() {
    let mut story = Story::begin(1, 1, |_| ());
    story.request("runs", "a:A");
    story.request("waits", "a:A");
    story.reload(|config| config.apps = vec![app("b:B")]);
    story.worker_ready(2);
    assert_eq!(ended(&story.on(Event::Drain)), [(2, TERM)]);
    let next = story.reply(slot(1, 0), ReplyKind::Response, "runs");
    assert_eq!((dispatched(&next).unwrap().1, ended(&next)), ("waits", untold()));
    assert_eq!(ended(&story.reply(slot(1, 0), ReplyKind::Response, "waits")), [(1, TERM)]);
}

#[test]
fn a_drain_waits_for_a_worker_that_boots_if_requests_wait_for_it() {
    let mut story = Story::boot(1, 1, |_| ());
    story.request("waits", "a:A");
    assert_eq!(ended(&story.on(Event::Drain)), untold());
    assert_eq!(dispatched(&story.worker_ready(1)).unwrap().1, "waits");
    assert_eq!(ended(&story.reply(slot(1, 0), ReplyKind::Response, "waits")), [(1, TERM)]);
    assert_eq!(story.exits(1, GONE).last(), Some(&Action::Finished));
}

#[test]
fn an_arbiter_that_ends_changes_its_pool_no_more() {
    let mut story = Story::begin(1, 1, |config| config.timeout = Duration::ZERO);
    story.request("runs", "a:A");
    story.on(Event::Drain);
    assert_eq!(story.on(Event::Scale(3)), []);
    assert!(reloaded(&story.reload(|_| ())).unwrap().1.unwrap().contains("shutting down"));
    assert_eq!(signals(&story.on(Event::Quit)), [WorkerSignal::Kill]);
    assert_eq!(story.after(seconds(30)), [], "the end of the drain is nothing new");
    assert!(matches!(
        failure(&story.exits(1, WorkerExit::Signal(9)), "runs"),
        Some(Failure::WorkerDied { .. })
    ));
    assert_eq!(story.on(Event::Quit), [], "it has ended once");
}

#[test]
fn a_quit_ends_a_reload_and_kills_everybody() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|_| ());
    let quit = story.on(Event::Quit);
    assert!(reloaded(&quit).unwrap().1.unwrap().contains("shutting down"));
    let told: Vec<(u64, WorkerSignal)> = ended(&quit);
    assert_eq!(told.iter().filter(|(_, signal)| *signal == WorkerSignal::Kill).count(), 2, "{told:?}");
    story.exits(1, WorkerExit::Signal(9));
    assert_eq!(story.core.counters().crashes, 0, "they were told to end");
}

#[test]
fn an_old_worker_stays_until_a_request_can_reach_the_new_one() {
    let mut story = Story::begin(1, 1, |_| ());
    story.reload(|_| ());
    story.on(Event::Spawned(WorkerId(2)));
    assert_eq!(ended(&story.on(Event::Ready(WorkerId(2)))), untold(), "it has no connection yet");
    assert_eq!(ended(&story.on(Event::SlotOpened(slot(2, 0)))), [(1, TERM)]);
}

#[test]
fn a_worker_that_takes_nothing_new_spares_no_other() {
    let mut story = Story::begin(2, 2, |_| ());
    story.after(seconds(2));
    story.on(Event::SlotBroken { slot: slot(1, 0), violation: None });
    assert_eq!(ended(&story.on(Event::Scale(1))), untold(), "worker 1 is most likely dead");
    story.exits(1, WorkerExit::Signal(11));
    assert_eq!(ended(&story.worker_ready(3)), [(2, TERM)]);
}

#[test]
fn an_old_worker_that_boots_still_is_replaced_at_once() {
    let mut story = Story::boot(2, 1, |_| ());
    story.worker_ready(1);
    story.reload(|_| ());
    story.worker_ready(3);
    let next = story.exits(1, GONE);
    assert_eq!((started(&next), ended(&next)), (vec![4], vec![(2, TERM)]), "nobody misses worker 2");
}
