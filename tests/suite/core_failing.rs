//! Apps that keep their worker from booting, by example (POOL-15).

use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    Action, AppState, Event, Failure, Note, ReplyKind, WorkerExit, WorkerId, WorkerSignal, WorkerStage::*,
};

use crate::core_story::*;

const NOT_BOOTED: WorkerExit = WorkerExit::Code(3);

impl Story {
    /// A worker says which app it turns to, and goes no further: how long until the next try of it.
    fn fails_at(&mut self, worker: u64, app_path: &str) -> (Actions, Duration) {
        self.loading(worker, Some(app_path));
        let actions = self.exits(worker, NOT_BOOTED);
        let pause = pauses(&actions).last().expect("an app is left out").1;
        (actions, pause)
    }

    fn loading(&mut self, worker: u64, app_path: Option<&str>) {
        self.on(Event::Spawned(WorkerId(worker)));
        assert_eq!(self.on(Event::Loading { worker: WorkerId(worker), app_path }), []);
    }
}

/// Which apps are left out, and for how long.
fn pauses(actions: &Actions) -> Vec<(String, Duration)> {
    let pause = |action: &Action<_>| match action {
        Action::Log(Note::BootFailed { app: Some(app), retry_in, .. }) => Some((app.clone(), *retry_in)),
        _ => None,
    };
    actions.iter().filter_map(pause).collect()
}

/// What the workers that are started are to load.
fn loads(actions: &Actions) -> Vec<(u64, Vec<String>)> {
    let load = |action: &Action<_>| match action {
        Action::Spawn { worker, apps, .. } => Some((worker.0, apps.clone())),
        _ => None,
    };
    actions.iter().filter_map(load).collect()
}

fn load(worker: u64, apps: &[&str]) -> Vec<(u64, Vec<String>)> {
    vec![(worker, apps.iter().map(|app| (*app).to_owned()).collect())]
}

/// A pool of one worker, number 2, that serves `a:A` while `b:B` is left out, and the pause until that is tried again.
fn without_b() -> (Story, Duration) {
    let mut story = Story::boot(1, 1, |_| ());
    let (actions, pause) = story.fails_at(1, "b:B");
    assert_eq!(loads(&actions), load(2, &["a:A"]));
    story.worker_ready(2);
    (story, pause)
}

#[test]
fn the_other_apps_of_the_worker_are_served_at_once() {
    let mut story = Story::boot(1, 1, |_| ());
    story.request("a", "a:A");
    story.request("b", "b:B");
    let (actions, _) = story.fails_at(1, "b:B");
    assert_eq!(actions.last(), Some(&spawn(2, &["a:A"], &[], 0)));
    assert_eq!(dispatched(&story.worker_ready(2)), Some((slot(2, 0), "a")));
    assert_eq!((story.app("a:A").state, story.app("b:B").state), (AppState::Ready, AppState::Starting));
    assert_eq!(story.app("b:B").queued, 1, "its requests wait for the next try");
}

#[test]
fn the_app_is_tried_again_beside_the_worker_that_serves_the_others() {
    let (mut story, pause) = without_b();
    story.request("b", "b:B");
    assert_eq!(story.after(pause - Duration::from_millis(1)), []);
    // Before the others: if it fails again, they were not loaded in vain.
    assert_eq!(loads(&story.after(Duration::from_millis(1))), load(3, &["b:B", "a:A"]));
    assert_eq!(dispatched(&story.request("a", "a:A")), Some((slot(2, 0), "a")));
    let taken = story.worker_ready(3);
    assert_eq!(dispatched(&taken), Some((slot(3, 0), "b")));
    story.reply(slot(2, 0), ReplyKind::Response, "a");
    assert_eq!(story.app("b:B").state, AppState::Ready);
    story.exits(2, WorkerExit::Code(0));
    assert_eq!(story.workers(), [(3, Ready, 0)]);
    // All is as if nothing had happened.
    assert_eq!(loads(&story.exits(3, WorkerExit::Signal(9))), load(4, &["a:A", "b:B"]));
}

#[test]
fn an_app_that_fails_again_and_again_is_failed_and_tried_on() {
    let (mut story, first) = without_b();
    story.request("b", "b:B");
    let mut pauses = vec![first];
    for worker in 3..7 {
        let pause = pauses[pauses.len() - 1];
        assert_eq!(started(&story.after(pause)), [worker]);
        assert_eq!(story.app("b:B").queued, 1);
        let (actions, pause) = story.fails_at(worker, "b:B");
        assert_eq!(started(&actions), nobody(), "the worker of the others stays");
        pauses.push(pause);
        if worker == 6 {
            let refused = failure(&actions, "b");
            assert!(matches!(refused, Some(Failure::NoWorkers { .. })), "{refused:?}");
        }
    }
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
    assert_eq!((story.app("a:A").state, story.app("b:B").state), (AppState::Ready, AppState::Failed));
    let refused = failure(&story.request("again", "b:B"), "again");
    assert!(matches!(refused, Some(Failure::NoWorkers { .. })), "{refused:?}");
    assert_eq!(started(&story.after(pauses[4])), [7]);
    story.worker_ready(7);
    assert_eq!(dispatched(&story.request("at last", "b:B")), Some((slot(7, 0), "at last")));
}

#[test]
fn a_worker_that_dies_meanwhile_is_replaced_by_one_that_does_without_the_app_too() {
    let (mut story, _) = without_b();
    story.request("runs", "a:A");
    assert_eq!(loads(&story.exits(2, WorkerExit::Signal(11))), load(3, &["a:A"]));
}

#[test]
fn apps_that_all_fail_are_each_tried_alone() {
    let mut story = Story::boot(1, 1, |_| ());
    story.fails_at(1, "a:A");
    let (actions, pause) = story.fails_at(2, "b:B");
    assert_eq!(started(&actions), nobody());
    // Worker 2's pause is the shorter one.
    assert_eq!(loads(&story.after(pause)), load(3, &["b:B"]));
    assert_eq!(started(&story.after(seconds(1))), nobody(), "what boots is left alone");
    assert_eq!(loads(&story.worker_ready(3)), load(4, &["a:A", "b:B"]));
}

#[test]
fn a_retry_that_fails_at_an_app_that_is_served_costs_that_app_nothing() {
    for at in [Some("a:A"), None] {
        let (mut story, pause) = without_b();
        story.after(pause);
        story.loading(3, Some("b:B"));
        story.loading(3, at);
        let actions = story.exits(3, NOT_BOOTED);
        let left_out: Vec<String> = pauses(&actions).into_iter().map(|(app, _)| app).collect();
        assert_eq!(
            (left_out, started(&actions), ended(&actions)),
            (vec!["b:B".to_owned()], nobody(), untold())
        );
        assert!(dispatched(&story.request("a", "a:A")).is_some());
        assert_eq!(started(&story.after(seconds(1))), [4], "it is tried again");
    }
}

#[test]
fn a_worker_that_is_done_with_its_apps_or_names_none_of_its_own_fails_as_a_whole() {
    for at in [None, Some("c:C"), Some("no such app")] {
        let mut story = Story::boot(1, 1, |_| ());
        story.loading(1, Some("b:B"));
        story.loading(1, at);
        let actions = story.exits(1, NOT_BOOTED);
        assert!(matches!(actions[..], [Action::Log(Note::BootFailed { app: None, .. })]), "{actions:?}");
        assert_eq!(loads(&story.after(seconds(1))), load(2, &["a:A", "b:B"]));
    }
}

#[test]
fn what_a_worker_says_it_loads_after_its_ready_is_ignored() {
    let mut story = Story::boot(1, 1, |_| ());
    story.loading(1, Some("a:A"));
    story.worker_ready(1);
    story.loading(1, Some("b:B"));
    // One that dies at once has not really booted, but no app is to blame (POOL-14).
    let actions = story.exits(1, WorkerExit::Signal(11));
    assert!(matches!(actions[0], Action::Log(Note::BootFailed { app: None, .. })), "{actions:?}");
}

#[test]
fn an_init_that_hangs_is_left_out_when_the_boot_limit_has_passed() {
    let mut story = Story::boot(1, 1, |config| config.boot_timeout = seconds(7));
    story.loading(1, Some("b:B"));
    assert_eq!(ended(&story.after(seconds(7))), [(1, WorkerSignal::Kill)]);
    assert_eq!(loads(&story.exits(1, WorkerExit::Signal(9))), load(2, &["a:A"]));
}

#[test]
fn an_app_of_the_configuration_stays_fixed_when_it_is_tried_again() {
    let mut story = Story::boot(1, 1, |config| config.apps = vec![app("a:A"), limited("b:B", 1)]);
    let (actions, pause) = story.fails_at(1, "b:B");
    assert_eq!(actions.last(), Some(&spawn(2, &["a:A"], &[], 0)));
    story.worker_ready(2);
    assert_eq!(story.after(pause).last(), Some(&spawn(3, &["b:B", "a:A"], &["b:B"], 0)));
}

#[test]
fn each_seat_tries_an_app_for_itself() {
    let mut story = Story::boot(2, 1, |_| ());
    story.worker_ready(1);
    let (actions, pause) = story.fails_at(2, "b:B");
    assert_eq!(loads(&actions), load(3, &["a:A"]));
    assert!(dispatched(&story.request("b", "b:B")).is_some());
    assert_eq!(started(&story.after(pause)), nobody(), "every try would make the others begin anew");
    assert_eq!(loads(&story.worker_ready(3)), load(4, &["b:B", "a:A"]));
}

#[test]
fn a_reload_begins_anew_with_every_app_and_says_at_which_it_failed() {
    let (mut story, _) = without_b();
    assert_eq!(loads(&story.reload(|_| ())), load(3, &["a:A", "b:B"]));
    story.loading(3, Some("b:B"));
    let (_, reason) = reloaded(&story.exits(3, NOT_BOOTED)).unwrap();
    assert!(reason.unwrap().contains(r#"failed to boot at app "b:B""#));
    story.reload(|_| ());
    let worker = story.workers().last().unwrap().0;
    assert!(story.worker_ready(worker).contains(&Action::Adopt { generation: 1 }));
    assert!(dispatched(&story.request("b", "b:B")).is_some());
    story.exits(2, WorkerExit::Code(0));
    assert_eq!(started(&story.after(seconds(60))), nobody(), "what was to be tried again has been");
}

#[test]
fn an_app_that_a_larger_plan_brings_and_that_fails_is_left_out_as_well() {
    let apps = || ["a:A", "b:B", "c:C"].map(|name| limited(name, 1)).to_vec();
    let mut story = Story::begin(3, 1, |config| config.apps = apps());
    // Seat 0 is to serve c:C beside a:A.
    let actions = story.on(Event::Scale(2));
    assert_eq!(loads(&actions), load(4, &["a:A", "c:C"]));
    let (actions, pause) = story.fails_at(4, "c:C");
    assert_eq!((started(&actions), ended(&actions)), (nobody(), untold()));
    assert_eq!(started(&story.after(pause)), [5]);
    story.worker_ready(5);
    assert!(dispatched(&story.request("c", "c:C")).is_some());
}

#[test]
fn an_arbiter_that_drains_does_not_wait_for_an_app_that_is_left_out() {
    let (mut story, _) = without_b();
    story.request("b", "b:B");
    let refused = failure(&story.on(Event::Drain), "b");
    assert!(matches!(refused, Some(Failure::NoWorkers { .. })), "{refused:?}");
}
