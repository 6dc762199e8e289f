//! The matcher: its vectors, and the values it compares.

use dirty_arbiter::check::corpus;
use dirty_arbiter::check::matcher::match_message;
use dirty_arbiter::check::template::{Bindings, Template};
use dirty_arbiter::check::value::{MAX_DEPTH, Pointer, Text, Value, ValueError};

fn value(text: &str) -> Value {
    Value::parse(text.as_bytes()).unwrap()
}

fn template(text: &str) -> Template {
    Template::read(&value(text), &Pointer::default()).unwrap()
}

/// Matches, and says where it departs: "pointer: wanted, got".
fn departs(want: &str, got: &str) -> String {
    let mismatch = match_message(&template(want), &value(got), &mut Bindings::new()).unwrap_err();
    format!("{}: {}, {}", mismatch.pointer, mismatch.wanted, mismatch.got)
}

#[test]
fn every_vector_of_golden_matcher_json_gives_its_verdict_and_bindings() {
    let (_, text) = corpus::golden_files().iter().find(|(path, _)| *path == "matcher.json").unwrap();
    let vectors = value(text);
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= 100, "only {} vectors", vectors.len());
    let mut wrong = Vec::new();
    for vector in vectors {
        let id = vector.get("id").unwrap();
        let want = Template::read(vector.get("want").unwrap(), &Pointer::default()).unwrap();
        let mut bindings = Bindings::new();
        let matched = match_message(&want, vector.get("got").unwrap(), &mut bindings);
        if matched.is_ok() != vector.get("match").unwrap().as_bool().unwrap() {
            wrong.push(format!("{id}: {matched:?}"));
        }
        if let (Ok(()), Some(Value::Object(binds))) = (&matched, vector.get("binds")) {
            let same = binds.len() == bindings.len()
                && binds.iter().all(|(name, bound)| bindings.get(&*name.lossy()) == Some(bound));
            if !same {
                wrong.push(format!("{id}: binds {bindings:?}"));
            }
        }
        if matched.is_err() && !bindings.is_empty() {
            wrong.push(format!("{id}: an attempt that fails has bound {bindings:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mismatch_names_the_pointer_what_was_wanted_and_what_was_got() {
    assert_eq!(departs(r#"{"result":{"a":[1,2]}}"#, r#"{"result":{"a":[1,3]}}"#), "/result/a/1: 2, 3");
    assert_eq!(departs(r#"{"result":[1]}"#, r#"{"result":[1,"x"]}"#), "/result/1: the end of 1 items, \"x\"");
    assert_eq!(departs(r#"{"result":[1,2]}"#, r#"{"result":[1]}"#), "/result/1: 2, nothing");
    assert_eq!(departs(r#"{"id":{"$like":"x"}}"#, r#"{"id":7}"#), "/id: a string, 7");
    assert_eq!(departs(r#"{"error":{"a/b":1}}"#, r#"{"error":{}}"#), "/error/a~1b: 1, nothing");
    assert_eq!(departs(r#"{"error":{}}"#, r#"{"error":{"m":true}}"#), "/error/m: no such member, true");
    assert_eq!(departs(r#"{"id":{"$any":1}}"#, "[]"), "the top level: {\"id\":{\"$any\":1}}, []");
    let twice = departs(r#"{"args":[{"$var":"a"},{"$var":"b"}]}"#, r#"{"args":["x","x"]}"#);
    assert_eq!(twice, "/args/1: a value of its own for $b, not that of $a, \"x\"");
    let changed = departs(r#"{"args":[{"$var":"a"},{"$var":"a"}]}"#, r#"{"args":["x","y"]}"#);
    assert_eq!(changed, "/args/1: \"x\" ($a), \"y\"");
}

#[test]
fn long_values_are_cut_in_a_mismatch() {
    let got = format!(r#"{{"result":"{}"}}"#, "é".repeat(100_000));
    let text = departs(r#"{"result":1}"#, &got);
    assert!(text.len() < 300 && text.ends_with("… (200002 bytes)"), "{text}");
}

#[test]
fn values_keep_what_a_wire_may_carry() {
    for text in [
        r#"{"n":123456789012345678901234567890,"f":1.10,"e":1E400,"z":-0.0}"#,
        r#"["\ud83d","é","\u0000","\\\"","a/b"]"#,
        r#"{"":{"a":[[],{}]},"b":null}"#,
        "true",
        "\"x\"",
    ] {
        assert_eq!(value(text).to_string(), text);
    }
    assert_eq!(value(r#""\u00e9\/\ud83d\ude00""#), Value::string("é/😀"));
    assert_eq!(value(r#""a\ud83d\n""#), Value::String(Text::Units(vec![0x61, 0xD83D, 0x0A])));
    let deep = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert_eq!(value(&deep).to_string(), deep);
}

#[test]
fn values_that_no_two_parsers_read_alike_are_refused_with_their_place() {
    let error = |text: &str| Value::parse(text.as_bytes()).unwrap_err();
    let text = error(r#"{"a":[{"b":1,"c":2,"\u0062":3}]}"#).to_string();
    assert_eq!(text, r#"member "b" of /a/0 a second time (offset 19): expected each name once"#);
    assert!(matches!(error("[1,NaN]"), ValueError::NonFinite { offset: 3, .. }));
    assert!(error(r#"{"a":{"b":-Infinity}}"#).to_string().contains("/a/b"));
    assert_eq!(error("[1,]").offset(), Some(3));
    assert_eq!(error("1 2").offset(), Some(2));
    assert_eq!(error(&"[".repeat(MAX_DEPTH + 1)).offset(), Some(MAX_DEPTH + 1));
    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert_eq!(error(&deep), ValueError::TooDeep);
}

#[test]
fn operators_with_a_wrong_operand_are_refused() {
    let problem = |text: &str| Template::read(&value(text), &Pointer::default()).unwrap_err().to_string();
    assert_eq!(problem(r#"{"a":{"$var":1}}"#), "$var holds a number: expected the name of a variable");
    assert_eq!(problem(r#"{"a":{"$open":[]}}"#), "$open holds an array: expected an object");
    assert_eq!(problem(r#"[{"$opt":1}]"#), "$opt outside of an object: expected it as the value of a member");
}

#[test]
fn a_template_is_sent_as_its_examples() {
    let text = r#"{"id":{"$var":"r"},"a":{"$any":[1]},"l":{"$like":{"$lit":{"$any":2}}},"o":{"$opt":3},"p":{"$open":{"q":4}}}"#;
    let vars = Bindings::from([("r".to_string(), Value::string("r-1"))]);
    let mut bindings = Bindings::new();
    let sent = template(text).render(&mut bindings, &vars).unwrap();
    assert_eq!(sent.to_string(), r#"{"id":"r-1","a":[1],"l":{"$any":2},"o":3,"p":{"q":4}}"#);
    assert_eq!(bindings, vars, "what was sent is bound");
    bindings.insert("r".to_string(), Value::string("seen"));
    assert!(template(text).render(&mut bindings, &vars).unwrap().to_string().contains(r#""id":"seen""#));
    let error = template(r#"{"$var":"x"}"#).render(&mut Bindings::new(), &vars).unwrap_err();
    assert!(error.to_string().contains("\"x\""));
}
