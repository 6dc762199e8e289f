//! How a worker starts, and how it does not.

use std::sync::Arc;

use dirty_arbiter::worker::{Actions, BootError, DirtyApp, Host, Setup, WholeCall};
use serde_json::json;

use super::lab::Lab;

fn boot(host: Host, apps: &[&str]) -> Result<(), BootError> {
    let directory = tempfile::tempdir().unwrap();
    host.start(&Setup::new(directory.path().join("w.sock"), apps.iter().copied())).map(drop)
}

#[test]
fn it_listens_only_when_every_app_is_initialised() {
    let lab = Lab::named("waits");
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("w.sock");
    let setup = Setup::new(&socket, ["lab:Lab"]);
    std::thread::scope(|scope| {
        let host = lab.host();
        let worker = scope.spawn(move || host.start(&setup).unwrap());
        lab.gate.wait();
        assert!(!socket.exists());
        lab.gate.open();
        let worker = worker.join().unwrap();
        super::peer::Peer::connect(&socket).still_serves();
        drop(worker);
    });
}

#[test]
fn all_apps_are_made_before_any_is_initialised() {
    let lab = Lab::named("lab");
    let (first, second) = (lab.clone(), lab.clone());
    let host = Host::new()
        .app("a", move || {
            first.note("make");
            first
        })
        .app("b", move || {
            second.note("make");
            second
        });
    boot(host, &["a", "b"]).unwrap();
    assert_eq!(lab.diary.lock().unwrap()[..4], ["make lab", "make lab", "init lab", "init lab"]);
}

#[test]
fn an_unknown_app_is_named_with_the_known_ones() {
    let host = Lab::default().host().app("other:App", Lab::default);
    let error = boot(host, &["lab:Lab", "nobody:Home"]).unwrap_err();
    assert_eq!(error.to_string(), r#"unknown app "nobody:Home": expected one of lab:Lab, other:App"#);
}

#[test]
fn a_failing_init_names_app_and_reason_and_closes_those_before_it() {
    for (name, reason) in [("fails", "no model file"), ("panics", "model is a teapot")] {
        let good = Lab::named("good");
        let bad = Lab { diary: Arc::clone(&good.diary), ..Lab::named(name) };
        let (first, second) = (good.clone(), bad);
        let host = Host::new().app("good", move || first).app("bad", move || second);
        let error = boot(host, &["good", "bad"]).unwrap_err();
        assert_eq!(error.to_string(), format!(r#"app "bad": init() failed: {reason}"#));
        assert_eq!(
            *good.diary.lock().unwrap(),
            ["init good".to_owned(), format!("init {name}"), "close good".to_owned()]
        );
    }
}

#[test]
fn an_app_that_cannot_be_made_is_named() {
    let host = Host::new().app("a", || -> Lab { panic!("no memory") });
    assert_eq!(boot(host, &["a"]).unwrap_err().to_string(), r#"app "a": making it failed: no memory"#);
}

#[test]
fn a_socket_that_cannot_be_listened_on_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("missing").join("w.sock");
    let error = Lab::default().host().start(&Setup::new(&socket, ["lab:Lab"])).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}: ", socket.display())), "{error}");
}

/// Everything that can be wrong with declarations.
struct Careless;

impl DirtyApp for Careless {
    fn actions(actions: &mut Actions<Self>) {
        actions
            .call("_private", [], |_: &Careless| 1)
            .call("init", [], |_: &Careless| 1)
            .call("close", WholeCall, |_: &Careless, _: dirty_arbiter::worker::Call| 1)
            .call("", [], |_: &Careless| 1)
            .call("twice", [], |_: &Careless| 1)
            .call("twice", [], |_: &Careless| 1)
            .call("same", ["a", "b", "a"], |_: &Careless, a: u8, _: u8, _: u8| a);
    }
}

#[test]
fn actions_that_could_never_be_called_are_refused() {
    let error = boot(Host::new().app("c", || Careless), &["c"]).unwrap_err().to_string();
    for fault in [
        r#"action "_private" can never be called (CALL-6)"#,
        r#"action "init" can never be called (CALL-6)"#,
        r#"action "close" can never be called (CALL-6)"#,
        r#"action "" can never be called: invalid ActionName"#,
        r#"action "twice" is declared twice"#,
        r#"action "same" has two parameters "a""#,
    ] {
        assert!(error.contains(fault), "{fault}: {error}");
    }
}

/// An app that is content with one worker.
#[derive(Default)]
struct Single;

impl DirtyApp for Single {
    const WORKERS: Option<usize> = Some(1);

    fn actions(actions: &mut Actions<Self>) {
        actions.call("ping", [], |_: &Self| "pong");
    }
}

#[test]
fn a_class_that_is_content_with_fewer_workers_is_not_loaded_in_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("w.sock");
    for (seat, fixed, served) in [(0, false, true), (1, false, false), (1, true, true)] {
        let mut setup = Setup::new(&socket, ["single:App"]);
        setup.seat = seat;
        setup.fixed_apps = if fixed { setup.apps.clone() } else { Vec::new() };
        let worker = Host::new().app("single:App", Single::default).start(&setup).unwrap();
        let mut peer = super::peer::Peer::connect(&socket);
        peer.request("1", "single:App", "ping", json!([]), json!({}));
        let answer = peer.receive();
        assert_eq!(answer.get("result").is_some(), served, "seat {seat}, fixed {fixed}: {answer}");
        drop(worker);
    }
}
