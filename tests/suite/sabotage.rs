//! Saboteurs as people meet them: `--sabotage NAME`, `dirty sabotage list`, `dirty check --coverage`, and the report that
//! names the saboteur which a subject resembles. That the corpus catches all of them is shown in `tests/saboteurs`.

use dirty_arbiter::check::coverage::Coverage;
use dirty_arbiter::check::sabotage::{Matrix, Saboteur};
use dirty_arbiter::message::Role;

use crate::served::{Served, dirty};

fn ran(arguments: &[&str]) -> (i32, String, String) {
    let output = dirty().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_arbiter_with_a_saboteur_before_it_breaks_its_one_rule() {
    let served = Served::start(&["--sabotage", "foreign-id"]);
    let mut peer = served.connect();
    peer.request("r1", "echo", r#""args":[1]"#);
    let reply = peer.receive();
    assert_eq!(reply["type"], "response");
    assert_ne!(reply["id"], "r1");
    served.logs("sabotage: this arbiter is foreign-id");
}

#[test]
fn a_sabotaged_arbiter_leaves_no_socket_behind() {
    let mut served = Served::start(&["--sabotage", "double-end"]);
    let socket = served.socket.clone();
    assert!(socket.exists());
    served.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(served.wait().success());
    assert!(!socket.exists());
}

#[test]
fn a_sabotaged_client_is_caught_and_the_command_plays_it_again() {
    let only = ["check", "client", "--only", "client/late-reply-dropped", "--only", "client/execute"];
    let (code, out, _) = ran(&[&only[..], &["--sabotage", "numeric-ids"]].concat());
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("behind the saboteur numeric-ids"), "{out}");
    assert!(out.contains(" --sabotage numeric-ids"), "{out}");
    // What is wrong is marked among the fields of the message, each with its requirement.
    let marked = out.lines().find(|line| line.trim_start().starts_with("> ")).unwrap_or_default();
    assert!(marked.contains("/id = 1") && marked.ends_with("MSG-7"), "{out}");
    assert!(
        out.lines().any(|line| line.starts_with("    /kwargs = {}") && line.ends_with("MSG-10")),
        "{out}"
    );
    let (code, _, errors) = ran(&["check", "client", "--sabotage", "foreign-id"]);
    assert_eq!(code, 2, "{errors}");
}

#[test]
fn a_saboteur_that_does_not_exist_is_refused_with_those_that_do() {
    for command in [&["serve", "--sabotage", "nobody"][..], &["worker", "--sabotage", "nobody"]] {
        let (code, _, errors) = ran(command);
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains("\"nobody\" is no saboteur"), "{errors}");
        assert!(errors.contains("little-endian-length, "), "{errors}");
    }
    let (code, _, errors) = ran(&["check", "arbiter", "--sabotage", "numeric-ids"]);
    assert_eq!(code, 2, "a client's fault: {errors}");
    assert!(errors.contains("no saboteur for the role arbiter"), "{errors}");
}

#[test]
fn a_check_of_a_saboteur_fails_and_says_what_it_resembles() {
    let only = ["--only", "framing/length-zero", "--only", "framing/not-json", "--only", "calls/echo"];
    let (code, out, _) = ran(&[&["check", "arbiter", "--sabotage", "silent-close"], &only[..]].concat());
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("again: dirty check arbiter --only framing/not-json --sabotage silent-close"),
        "{out}"
    );
    assert!(out.contains("resembles the saboteur silent-close (or"), "{out}");
    assert!(out.contains("ok      calls/echo"), "{out}");
}

#[test]
fn a_worker_command_can_be_a_saboteur() {
    let program = env!("CARGO_BIN_EXE_dirty");
    let check = ["check", "worker", "--only", "calls/echo", "--", program, "worker"];
    let (code, out, _) = ran(&check);
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = ran(&[&check[..], &["--sabotage", "foreign-id"]].concat());
    assert_eq!(code, 1, "{out}");
}

#[test]
fn the_list_shows_every_saboteur_and_can_be_cut_to_a_role() {
    let (code, all, _) = ran(&["sabotage", "list"]);
    assert_eq!(code, 0);
    for saboteur in Saboteur::all() {
        assert!(all.contains(&format!("\n{} (", saboteur.name)) || all.starts_with(saboteur.name));
        assert!(all.contains(saboteur.does), "{}", saboteur.name);
    }
    let (_, of_clients, _) = ran(&["sabotage", "list", "--role", "client"]);
    assert!(of_clients.contains("numeric-ids") && !of_clients.contains("silent-close"), "{of_clients}");
}

#[test]
fn the_coverage_is_said_in_numbers() {
    let (code, out, _) = ran(&["check", "--coverage"]);
    assert_eq!(code, 0);
    let count = |what: &str| {
        let line = out.lines().find(|line| {
            line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) == what
        });
        let line = line.unwrap_or_else(|| panic!("no {what:?} in\n{out}"));
        line.trim().split_once(' ').unwrap().0.parse::<usize>().unwrap()
    };
    assert!(count("transcripts") >= 90);
    assert_eq!(count("saboteurs, counted for each role"), count("of them caught"));
    let [musts, shown, reasons] =
        ["of them MUST", "MUSTs with a transcript", "MUSTs that tests alone prove, with a reason"].map(count);
    assert_eq!(musts, shown + reasons);
}

#[test]
fn names_are_unique_and_breaks_are_requirements() {
    let mut names: Vec<&str> = Saboteur::all().map(|it| it.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 20, "only {count} saboteurs");
    for role in [Role::Client, Role::Arbiter, Role::Worker] {
        assert!(Saboteur::of(role).count() > 0);
    }
    let requirements = dirty_arbiter::check::requirements::Requirements::embedded().unwrap();
    for saboteur in Saboteur::all() {
        assert!(!saboteur.breaks.is_empty(), "{}", saboteur.name);
        for id in saboteur.breaks {
            assert!(requirements.get(id).is_some(), "{}: {id}", saboteur.name);
        }
    }
}

#[test]
fn failures_resemble_the_saboteur_with_whom_they_have_most_in_common() {
    let matrix = Matrix::parse(
        "m.json",
        br#"{"format":"dirty-saboteurs/1","saboteurs":[
            {"name":"double-end","role":"arbiter","caught_by":["a","b","c","d"]},
            {"name":"missing-end","role":"arbiter","caught_by":["a","b"]},
            {"name":"double-end","role":"worker","caught_by":["x"]}]}"#,
    )
    .unwrap();
    let resembles = |played: &[&str], failed: &[&str]| {
        matrix.resembled(Role::Arbiter, played, failed).first().map(|saboteur| saboteur.name)
    };
    let all = ["a", "b", "c", "d", "e", "x"];
    assert_eq!(resembles(&all, &["a", "b"]), Some("missing-end"));
    assert_eq!(resembles(&all, &["a", "b", "c"]), Some("double-end"));
    assert_eq!(
        resembles(&["a", "b", "e"], &["a", "b"]),
        Some("missing-end"),
        "of two that fit as well the one that does less"
    );
    assert_eq!(resembles(&all, &["e"]), None);
    assert_eq!(resembles(&all, &["x"]), None, "a worker's failure");
    assert_eq!(resembles(&all, &[]), None);
}

#[test]
fn a_matrix_with_a_fault_is_refused_with_its_place() {
    let error = |text: &str| Matrix::parse("m.json", text.as_bytes()).unwrap_err().to_string();
    let unknown =
        r#"{"format":"dirty-saboteurs/1","saboteurs":[{"name":"x","role":"arbiter","caught_by":[]}]}"#;
    assert!(error(unknown).contains("/saboteurs/0/name: \"x\" is no saboteur"), "{}", error(unknown));
    assert!(error(r#"{"format":"x","saboteurs":[]}"#).contains("/format"));
}

/// Without evidence every claim is a problem, and so is every saboteur that nothing catches.
#[test]
fn coverage_names_what_is_missing() {
    let nothing = Matrix::default();
    let problems = Coverage::of(&nothing).unwrap().problems();
    let has = |text: &str| problems.iter().any(|problem| problem.contains(text));
    assert!(has("CALL-1 by calls/echo for the arbiter: catches none of the saboteurs that break it"));
    assert!(has("silent-close as arbiter: no transcript catches it"));
    assert!(has("silent-close: no transcript shows that it breaks FRAME-7"));
}
