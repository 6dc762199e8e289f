//! Each check of the traceability test fails on a small bad input, and says what is wrong.

use super::proofs::{self, Source, Transcript};
use super::registry::{self, Registry, Requirement};
use super::text::{self, Chapter};
use super::{index, proofs::unproved};

const SENTENCE: &str = "A receiver MUST do it.";

fn row(id: &str) -> Requirement {
    Requirement {
        id: id.into(),
        level: "MUST".into(),
        role: vec!["arbiter".into()],
        text: SENTENCE.into(),
        anchor: format!("a.md#{}", id.to_lowercase()),
        proved_by: Some(vec![]),
        ..Requirement::default()
    }
}

fn registry_of(rows: Vec<Requirement>) -> Registry {
    let mut registry =
        Registry::parse(r#"{"format":"dirty-requirements/1","retired":["A-9"],"requirements":[]}"#)
            .expect("an empty registry");
    registry.requirements = rows;
    registry
}

fn changed(change: impl FnOnce(&mut Requirement)) -> Registry {
    let mut row = row("A-1");
    change(&mut row);
    registry_of(vec![row])
}

fn chapter(text: &str) -> Chapter {
    Chapter { name: "a.md".into(), text: text.into() }
}

fn good_chapter() -> Chapter {
    chapter("# A\n\n<a id=\"a-1\"></a>\n**A-1** (MUST) A receiver\nMUST do it.\n\nWhy: see A-1 and A-9.\n")
}

fn transcript(id: &str, proves: &[&str]) -> Transcript {
    Transcript {
        id: id.into(),
        proves: proves.iter().map(|s| (*s).to_owned()).collect(),
        roles: vec!["arbiter".into()],
    }
}

fn sources() -> Vec<Source> {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    vec![
        source("tests/suite/main.rs", "mod m;"),
        source(
            "tests/suite/m.rs",
            "#[test]\nfn works() {}\n#[test]\n#[ignore]\nfn waits() {}\nfn helps() {}\n",
        ),
        source("src/lib.rs", "mod wire;"),
        source(
            "src/wire/mod.rs",
            "mod tests {\n    /// Text.\n    #[tokio::test]\n    async fn works() {}\n}\n",
        ),
        source("tests/golden.rs", "proptest! {\n #[test]\n fn one(x in 0..1) {}\n}"),
    ]
}

#[track_caller]
fn finds(problems: Vec<String>, expected: &str) {
    assert!(
        problems.iter().any(|p| p.contains(expected)),
        "no problem says {expected:?}; found: {problems:?}"
    );
}

#[test]
fn a_good_registry_has_no_problems() {
    let mut good = row("A-1");
    good.proved_by = Some(vec!["golden:x/y".into(), "test:lib::wire::tests::works".into()]);
    let registry = registry_of(vec![good]);
    assert_eq!(registry::problems(&registry), Vec::<String>::new());
    assert_eq!(text::problems(&registry, &[good_chapter()]), Vec::<String>::new());
    assert_eq!(proofs::problems(&registry, &[transcript("x/y", &["A-1"])], &sources()), Vec::<String>::new());
    assert_eq!(unproved(&registry), Vec::<&str>::new());
}

#[test]
fn rows_are_checked() {
    let of = |change: fn(&mut Requirement)| registry::problems(&changed(change));
    finds(of(|r| r.level = "MAY".into()), "level is");
    finds(of(|r| r.role = vec![]), "role is");
    finds(of(|r| r.role = vec!["server".into()]), "role is");
    finds(of(|r| r.role = vec!["arbiter".into(), "client".into()]), "role is");
    finds(of(|r| r.text = "A receiver does it.".into()), "does not say MUST");
    finds(of(|r| r.level = "SHOULD".into()), "SHOULD that says MUST");
    finds(of(|r| r.text = "A receiver MUST do it. And more.".into()), "2 sentences");
    finds(of(|r| r.text = "A receiver MUST do it".into()), "0 sentences");
    finds(of(|r| r.proved_by = None), "exactly one of");
    finds(of(|r| r.pending = Some("pool issue: x".into())), "exactly one of");
    finds(of(|r| (r.proved_by, r.pending) = (None, Some("no time".into()))), "the only reason");
    finds(of(|r| (r.proved_by, r.pending) = (None, Some("pool issue: ".into()))), "the only reason");
    finds(of(|r| (r.proved_by, r.untestable) = (None, Some(" ".into()))), "without a reason");
    finds(of(|r| r.proved_by = Some(vec!["test:b".into(), "golden:a".into()])), "not sorted");
    finds(of(|r| r.proved_by = Some(vec!["golden:a".into(), "golden:a".into()])), "twice");
    let unknown = r#"{"format":"x","retired":[],"requirements":[],"more":1}"#;
    assert!(Registry::parse(unknown).is_err());
    finds(
        registry::problems(&Registry::parse(&unknown.replace(r#","more":1"#, "")).expect("JSON")),
        "format is",
    );
}

#[test]
fn ids_are_checked() {
    let of = |ids: &[&str]| registry::problems(&registry_of(ids.iter().map(|id| row(id)).collect()));
    assert_eq!(of(&["A-1", "A-2", "B-1"]), Vec::<String>::new());
    finds(of(&["a-1"]), "is not an id");
    finds(of(&["A-01"]), "is not an id");
    finds(of(&["A-1", "A-1"]), "twice");
    finds(of(&["A-2", "A-1"]), "out of order");
    finds(of(&["A-1", "B-1", "A-2"]), "out of order");
    finds(of(&["A-1", "A-3"]), "A-2 is missing");
    finds(of(&["A-1", "A-9"]), "A-9 is retired and used again");
}

#[test]
fn the_text_is_checked() {
    let one = registry_of(vec![row("A-1")]);
    let good = good_chapter().text;
    let of = |from: &str, to: &str| text::problems(&one, &[chapter(&good.replacen(from, to, 1))]);
    finds(of("**A-1** (MUST)", "**A-2** (MUST)"), "A-2 is not in the registry");
    finds(of("**A-1** (MUST)", "**A-2** (MUST)"), "A-1 is in the registry and not in the text");
    finds(of("(MUST)", "(SHOULD)"), "SHOULD in the text, MUST in the registry");
    finds(of("do it", "do it well"), "not the one in the registry");
    finds(of("<a id=\"a-1\"></a>", ""), "no anchor");
    finds(of("a-1", "a-2"), "no anchor");
    finds(of("see A-1", "see A-7"), "mentions A-7");
    finds(of("Why:", "Nobody MUST:"), "MUST outside a requirement");
    finds(of("Why:", "[x](b.md):"), "b.md, which does not exist");
    finds(of("Why:", "[x](a.md#a-2):"), "an anchor that does not exist");
    finds(text::problems(&one, &[good_chapter(), good_chapter()]), "defined twice");
    let elsewhere = Chapter { name: "b.md".into(), text: good.clone() };
    finds(text::problems(&one, &[elsewhere]), "stands at b.md#a-1, the registry says a.md#a-1");
    let fenced = chapter("```\n<a id=\"a-1\"></a>\n**A-1** (MUST) A receiver MUST do it.\n```\n");
    finds(text::problems(&one, &[fenced]), "not in the text");
}

#[test]
fn proofs_are_checked() {
    let of = |proof: &str, transcripts: &[Transcript]| {
        proofs::problems(&changed(|r| r.proved_by = Some(vec![proof.into()])), transcripts, &sources())
    };
    finds(of("golden:x/y", &[]), "no transcript x/y");
    finds(of("golden:x/y", &[transcript("x/y", &["A-2"])]), "does not say that it proves it");
    let client = Transcript { roles: vec!["client".into()], ..transcript("x/y", &["A-1"]) };
    finds(of("golden:x/y", &[client]), "judges none of its roles");
    finds(of("manual:x", &[]), "neither golden: nor test:");
    finds(of("test:suite::m::works", &[transcript("x/y", &["A-1"])]), "does not list transcript x/y");
    finds(of("test:suite::m::works", &[transcript("x/y", &["A-5"])]), "A-5 does not exist");
    finds(of("test:suite::m::works", &[transcript("x/y", &[])]), "proves nothing");
    for good in ["test:suite::m::works", "test:lib::wire::tests::works", "test:golden::one"] {
        assert_eq!(of(good, &[]), Vec::<String>::new());
    }
    finds(of("test:works", &[]), "is not target::module::function");
    finds(of("test:other::m::works", &[]), "no such target");
    finds(of("test:suite::m::work", &[]), "no fn work in");
    finds(of("test:suite::m::inner::works", &[]), "no module inner");
    finds(of("test:suite::m::waits", &[]), "is ignored");
    finds(of("test:suite::m::helps", &[]), "not a test");
}

#[test]
fn a_must_without_a_proof_is_found() {
    assert_eq!(unproved(&registry_of(vec![row("A-1")])), ["A-1"]);
    let should = changed(|r| {
        r.level = "SHOULD".into();
        r.text = "A receiver SHOULD do it.".into();
    });
    assert_eq!(unproved(&should), Vec::<&str>::new());
    let pending = changed(|r| (r.proved_by, r.pending) = (None, Some("pool issue: x".into())));
    assert_eq!(unproved(&pending), Vec::<&str>::new());
}

#[test]
fn golden_proofs_come_from_the_transcripts() {
    let mut registry = registry_of(vec![row("A-1"), row("A-2")]);
    registry.requirements[0].proved_by =
        Some(vec!["golden:gone".into(), "test:lib::wire::tests::works".into()]);
    registry.set_golden_proofs(&[("x/y".into(), vec!["A-1".into()])]);
    assert_eq!(registry.requirements[0].proofs(), ["golden:x/y", "test:lib::wire::tests::works"]);
    assert_eq!(registry.requirements[1].proofs(), Vec::<String>::new());
}

#[test]
fn the_registry_is_written_one_row_a_line() {
    let registry = registry_of(vec![row("A-1"), row("A-2")]);
    let text = registry.canonical();
    assert_eq!(text.lines().count(), 4);
    assert_eq!(Registry::parse(&text).expect("what is written can be read").canonical(), text);
    let page = index::render(&registry);
    assert!(page.contains("2 requirements: 2 MUST, 0 SHOULD"), "{page}");
    assert!(page.contains("| [A-2](a.md#a-2) | MUST | arbiter |  |"), "{page}");
}
