//! The golden transcripts as data: every one is read, and every fault in one would be named.

use std::collections::BTreeSet;

use dirty_arbiter::check::blame;
use dirty_arbiter::check::corpus;
use dirty_arbiter::check::requirements::Requirements;
use dirty_arbiter::check::template::Bindings;
use dirty_arbiter::check::transcript::{Step, Transcript};
use dirty_arbiter::message::Role;

/// A transcript that is legal but for what `header` and `steps` add.
fn transcript(header: &str, steps: &str) -> String {
    format!(
        r#"{{"format":"dirty-transcript/1","id":"a/b","title":"T.","proves":["MSG-1"],"roles":["arbiter"]{header},"steps":[{steps}]}}"#
    )
}

fn error(text: &str) -> String {
    Transcript::parse("file.json", text.as_bytes()).unwrap_err().to_string()
}

const END: &str = r#"{"on":"c1","from":"arbiter","msg":{"type":"end","id":"x"}}"#;

#[test]
fn every_transcript_is_read_and_agrees_with_its_place_the_registry_and_the_dead_ids() {
    let requirements = Requirements::embedded().unwrap();
    let (_, retired) = corpus::golden_files().iter().find(|(path, _)| *path == "retired.json").unwrap();
    let mut titles = BTreeSet::new();
    let mut count = 0;
    for (id, text) in corpus::texts() {
        let transcript = Transcript::parse(id, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(transcript.id, id, "the id is the path");
        assert!(!retired.contains(&format!("\"{id}\"")), "{id} is retired");
        for proved in &transcript.proves {
            assert!(requirements.get(proved).is_some(), "{id}: {proved} is no requirement");
        }
        assert!(transcript.level.is_some(), "{id} says no level: expected \"level\" with L0, L1, L2 or L3");
        titles.insert(transcript.title);
        count += 1;
    }
    assert!(count >= 45, "only {count} transcripts");
    assert_eq!(titles.len(), count, "each transcript makes a claim of its own");
}

#[test]
fn every_file_fits_the_transcript_schema() {
    let (_, schema) = corpus::schemas().find(|(name, _)| *name == "transcript").unwrap();
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (id, text) in corpus::texts() {
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{id}{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

/// Only a transcript that says `malformed` may have messages that break the schema, and it does have one.
#[test]
fn malformed_is_said_exactly_where_a_message_breaks_the_schema() {
    let mut wrong = Vec::new();
    for transcript in corpus::transcripts().unwrap() {
        let mut broken = None;
        // Bound in the order of the file; a name without a value gets one of its own.
        let mut vars = transcript.vars.clone();
        for name in transcript.steps.iter().flat_map(Step::templates).flat_map(|t| t.variables()) {
            vars.entry(name.to_string()).or_insert_with(|| dirty_arbiter::check::value::Value::string(name));
        }
        let mut bindings = Bindings::new();
        for step in &transcript.steps {
            if step.from().is_none() {
                continue;
            }
            for template in step.templates() {
                let payload = template.render(&mut bindings, &vars).unwrap().to_string();
                if let Err(fault) = blame::check_shape(payload.as_bytes()) {
                    broken = broken.or(Some(format!("{payload}: {fault:?}")));
                }
            }
        }
        if broken.is_some() != transcript.malformed {
            wrong.push(format!(
                "{}: {}",
                transcript.id,
                broken.unwrap_or("says malformed for nothing".to_string())
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_worker_is_judged_from_a_clients_lines_in_the_arbiters_place() {
    let end = Transcript::parse("x", transcript("", END).as_bytes()).unwrap();
    assert_eq!(end.speaker(Role::Arbiter, Role::Worker), Role::Arbiter, "no client lines: as written");
    let call = format!(r#"{{"on":"c1","from":"client","msg":{{"type":"cancel","id":"x"}}}},{END}"#);
    let call = Transcript::parse("x", transcript("", &call).as_bytes()).unwrap();
    assert_eq!(call.speaker(Role::Client, Role::Worker), Role::Arbiter);
    assert_eq!(call.speaker(Role::Arbiter, Role::Worker), Role::Worker);
    assert_eq!(call.speaker(Role::Arbiter, Role::Arbiter), Role::Arbiter);
}

#[test]
fn a_fault_in_the_text_has_line_and_column() {
    assert_eq!(
        error("{\n  \"format\": dirty\n}"),
        "file.json:2:13: payload is not JSON: unexpected 'd', expected a value at offset 14 (FRAME-10)"
    );
    assert!(
        error("{\"id\":1,\n\"é\":2,\"id\":3}").starts_with("file.json:2:7: member \"id\" of the top level")
    );
}

#[test]
fn a_fault_in_the_document_has_step_and_pointer() {
    let step = |step: &str| error(&transcript("", &format!("{END},{step}")));
    for (text, problem) in [
        (
            r#"{"on":"c1","from":"arbiter"}"#,
            "step 2: /steps/1: a step without anything to do: expected one of msg, raw, close, quiet_ms",
        ),
        (
            r#"{"on":"c1","from":"arbiter","msg":{},"close":true}"#,
            "step 2: /steps/1: msg and close in one step: expected one of them",
        ),
        (
            r#"{"on":"c1","from":"boss","close":true}"#,
            "step 2: /steps/1/from: \"boss\" is no role: expected client, arbiter or worker",
        ),
        (
            r#"{"on":"c1","from":"arbiter","raw":"0G"}"#,
            "step 2: /steps/1/raw: expected an even number of lower-case hexadecimal digits",
        ),
        (
            r#"{"on":"c1","from":"arbiter","raw":"000"}"#,
            "step 2: /steps/1/raw: expected an even number of lower-case hexadecimal digits",
        ),
        (
            r#"{"on":"c1","from":"arbiter","raw":"00","pad":{"byte":256,"count":1}}"#,
            "step 2: /steps/1/pad: expected `byte` from 0 to 255 and `count`",
        ),
        (r#"{"on":"c1","from":"arbiter","close":false}"#, "step 2: /steps/1/close: false: expected true"),
        (
            r#"{"on":"c1","from":"arbiter","msg":[]}"#,
            "step 2: /steps/1/msg: an array: expected a message, an object",
        ),
        (
            r#"{"on":"c1","from":"arbiter","msg":{"id":{"$var":""}}}"#,
            "step 2: /steps/1/msg/id: $var holds a string: expected the name of a variable",
        ),
        (
            r#"{"on":"c1","from":"arbiter","quiet_ms":-1}"#,
            "step 2: /steps/1/quiet_ms: -1: expected an integer from 0",
        ),
        (
            r#"{"on":"c1","from":"arbiter","close":true,"with_in":1}"#,
            "step 2: /steps/1/with_in: unknown member: expected one of on, from, close, within_ms, after_ms",
        ),
        (
            r#"{"on":"c1","from":"client","msg":{"type":"cancel","id":{"$var":"r"}}}"#,
            "step 2: /steps/1: sends {\"$var\": \"r\"} to an arbiter before it has a value: expected it in `vars`",
        ),
        (
            r#"{"on":"c1","from":"arbiter","close":true},{"on":"c1","from":"client","close":true}"#,
            "step 3: /steps/2: a line on connection \"c1\", which has been closed",
        ),
        (
            r#"{"on":"c1","from":"arbiter","unordered":[{"on":"c2","from":"arbiter","msg":{}}]}"#,
            "step 2: /steps/1/unordered/0: another `on` or `from` than that of the step: expected the same",
        ),
        (
            r#"{"on":"c1","from":"arbiter","unordered":[]}"#,
            "step 2: /steps/1/unordered: nothing: expected at least one step",
        ),
        (
            r#"{"on":"c1","call":{"method":"ask","app_path":"a","action":"b"}}"#,
            "step 2: /steps/1/call/method: \"ask\": expected execute or stream",
        ),
        (
            r#"{"on":"c1","raises":{"message":"m"}}"#,
            "step 2: /steps/1/raises: no member \"error_type\": expected one",
        ),
        (
            r#"{"on":"c1"}"#,
            "step 2: /steps/1: a step without anything to do: expected one of call, yields, returns, raises",
        ),
    ] {
        assert_eq!(step(text), format!("file.json: {problem}"));
    }
}

#[test]
fn a_fault_in_the_header_has_its_pointer() {
    for (header, problem) in [
        (r#","level":"L4""#, "/level: \"L4\" is no level: expected L0, L1, L2 or L3"),
        (
            r#","setup":{"wokers":1}"#,
            "/setup/wokers: unknown member: expected one of timeout_s, workers, threads, apps",
        ),
        (r#","setup":{"timeout_s":-1}"#, "/setup/timeout_s: -1: expected seconds from 0"),
        (
            r#","needs":["magic"]"#,
            "/needs/0: \"magic\" is no feature: expected one of timeout, cancel, hints, depth-512, verbatim, no-traceback, slots-2, stream, multiplex, call-timeout",
        ),
        (r#","malformed":"yes""#, "/malformed: a string: expected true or false"),
        (r#","vars":[]"#, "/vars: an array: expected an object"),
        (r#","seen":[{"impl":"x"}]"#, "/seen/0: no member \"verdict\": expected one"),
        (
            r#","extra":1"#,
            "/extra: unknown member: expected one of format, id, title, proves, roles, level, needs, setup, vars, since, note, malformed, seen, steps",
        ),
    ] {
        assert_eq!(error(&transcript(header, END)), format!("file.json: {problem}"));
    }
    assert_eq!(error(&transcript("", "")), "file.json: /steps: nothing: expected at least one item");
    assert_eq!(error("{}"), "file.json: the top level: no member \"format\": expected one");
    assert_eq!(error("[]"), "file.json: the top level: an array: expected an object");
    let bad_id = transcript("", END).replace("a/b", "A b");
    assert_eq!(error(&bad_id), "file.json: /id: \"A b\": expected <area>/<name> of a-z, 0-9 and -");
    let format = transcript("", END).replace("transcript/1", "transcript/2");
    assert_eq!(error(&format), "file.json: /format: \"dirty-transcript/2\": expected \"dirty-transcript/1\"");
}

#[test]
fn transcripts_are_found_by_id_file_and_pattern() {
    assert_eq!(corpus::load("calls/echo").unwrap().id, "calls/echo");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/calls/echo.json");
    assert_eq!(corpus::load(file).unwrap(), corpus::load("calls/echo").unwrap());
    let missing = corpus::load("call/echo").unwrap_err().to_string();
    assert_eq!(missing, "call/echo: neither a file nor the id of a transcript; did you mean calls/echo?");
    for (pattern, fits) in [
        ("calls/echo", true),
        ("calls/*", true),
        ("*/echo", true),
        ("c*/e*o", true),
        ("*", true),
        ("calls", false),
        ("*/ech", false),
        ("calls/echo*x", false),
    ] {
        assert_eq!(corpus::fits(pattern, "calls/echo"), fits, "{pattern}");
    }
}
