//! The schema of the file and its parser, compared.

use serde_json::{Map, Value as Json, json};

use super::super::*;

const SCHEMA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/config.schema.json"));

fn schema() -> Json {
    SCHEMA.parse().unwrap()
}

/// The properties of the schema by the path of their settings.
fn properties() -> Map<String, Json> {
    let schema = schema();
    let mut all = schema["properties"].as_object().unwrap().clone();
    let hooks = all.remove(HOOKS_TABLE).unwrap();
    for (name, property) in hooks["properties"].as_object().unwrap() {
        all.insert(format!("{HOOKS_TABLE}.{name}"), property.clone());
    }
    all
}

#[test]
fn the_schema_has_the_settings_their_defaults_and_what_takes_a_restart() {
    let properties = properties();
    let names: Vec<String> = SETTINGS.iter().map(Setting::path).collect();
    assert_eq!(properties.keys().cloned().collect::<Vec<_>>(), names);
    for (setting, value, _) in Settings::defaults().iter() {
        let property = &properties[&setting.path()];
        assert_eq!(property.get("default").cloned(), value.map(Value::to_json), "{}", setting.name);
        let description = property["description"].as_str().unwrap();
        assert_eq!(description.ends_with("Takes a restart."), !setting.reloadable, "{}", setting.name);
    }
}

/// Values at the edges of every kind of setting.
fn candidates() -> Vec<Json> {
    let mut all = vec![json!(true), json!(false), json!([]), json!({}), json!([[]]), json!([true])];
    for edge in [
        0_u64,
        1,
        64,
        512,
        1_024,
        65_536,
        262_144,
        1_048_576,
        10_000_000,
        1_000_000_000,
        1_073_741_824,
        4_294_967_294,
        u64::from(u32::MAX) * 4,
    ] {
        all.extend([json!(edge), json!(edge + 1), json!(edge as f64), json!(edge as f64 + 0.5)]);
        all.push(json!(i128::from(edge) as i64 - 1));
    }
    let texts = [
        "",
        " ",
        "x",
        "é",
        "\0",
        "a\0b:c",
        "7",
        "123456789",
        "a:b\0",
        "finish",
        "cancel",
        "FINISH",
        "strict",
        "gunicorn",
        "off",
        "info",
        "warning",
        "text",
        "json",
        "true",
        "0660",
        "660",
        "60",
        "00660",
        "0o660",
        "0888",
        "777",
        "0777",
        "1777",
        "-1",
        "a:B",
        "a:B:1",
        "a:B:0",
        "a:B:",
        "a:B:001024",
        "a:B:1025",
        "a:B:99999999999999999999",
        "a:1",
        "a:1:2",
        "a::b",
        "a::2",
        ":b",
        "a:",
        ":",
        "::",
        "a:b:c",
        "a:b:c:3",
        "a:b:3c",
        "a:b::",
        "a:b:c:0",
    ];
    all.extend(texts.iter().map(|text| json!(text)));
    all.extend(texts.iter().map(|text| json!([text])));
    all.extend(texts.iter().map(|text| json!([{ "app": text }])));
    all.extend([
        json!(["root", 0, 4_294_967_294_u64]),
        json!(["root", 4_294_967_295_u64]),
        json!(["root", -1]),
        json!(["a:B", "c:D:2", { "app": "e:F", "workers": 1024, "on_disconnect": "finish" }]),
        json!([{ "app": "a:B", "workers": 0 }]),
        json!([{ "app": "a:B", "workers": 1025 }]),
        json!([{ "app": "a:B", "workers": "1" }]),
        json!([{ "app": "a:B", "on_disconnect": "stop" }]),
        json!([{ "app": "a:B", "worker": 1 }]),
        json!([{ "app": 1 }]),
        json!([{ "workers": 1 }]),
        json!([{}]),
    ]);
    all
}

#[test]
fn the_schema_and_the_parser_accept_the_same_files() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    let mut compare = |document: Json, text: String| {
        let by_schema = validator.is_valid(&document);
        let by_parser = file::parse("f".to_owned(), &text).map(|_| ());
        assert_eq!(by_parser.is_ok(), by_schema, "{text:?}: {by_parser:?}");
        if by_schema { accepted += 1 } else { refused += 1 }
    };
    for setting in SETTINGS {
        for value in candidates() {
            let entry = json!({ setting.name: value });
            let line = format!("{} = {}", setting.name, value::toml(&value));
            match setting.is_hook {
                true => compare(json!({ HOOKS_TABLE: entry }), format!("[{HOOKS_TABLE}]\n{line}")),
                false => compare(entry, line),
            }
        }
        // In the wrong place.
        let value = Settings::defaults().value(setting.key).map_or(json!("x"), Value::to_json);
        let line = format!("{} = {}", setting.name, value::toml(&value));
        match setting.is_hook {
            true => compare(json!({ setting.name: value }), line),
            false => {
                compare(json!({ HOOKS_TABLE: { setting.name: value } }), format!("[{HOOKS_TABLE}]\n{line}"))
            }
        }
    }
    for value in candidates() {
        compare(json!({ HOOKS_TABLE: value }), format!("{HOOKS_TABLE} = {}", value::toml(&value)));
    }
    compare(json!({}), String::new());
    compare(json!({ "bind": 1 }), "bind = 1".to_owned());
    assert!(accepted > 300 && refused > 3_000, "{accepted} accepted, {refused} refused");
}

#[test]
fn times_that_json_cannot_write_are_refused() {
    for time in ["nan", "inf", "-inf", "-0.1", "1e400", "1979-05-27", "07:32:00"] {
        let problems = file::parse("f".to_owned(), &format!("dirty_timeout = {time}")).unwrap_err();
        assert!(problems[0].to_string().starts_with("f:1: "), "{problems:?}");
    }
}
