//! The configuration as a whole: layers, problems, reload.

use std::path::Path;

use serde_json::json;

use super::environment::Environment;
use super::setting::Key;
use super::*;
use crate::arbiter::core::OnDisconnect;
use crate::arbiter::{ArbiterConfig, Compat};

mod schema;

/// A file of that text.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

fn loaded(file: Option<&Path>, variables: &[(&'static str, &'static str)]) -> Result<Loaded, ConfigErrors> {
    let environment: Environment = variables.iter().copied().collect();
    load(&Sources { file, environment: &environment, flags: &[] })
}

fn from_file(text: &str) -> Loaded {
    loaded(Some(file(text).path()), &[]).unwrap_or_else(|errors| panic!("{text}: {errors}"))
}

fn flag(key: Key, text: &str) -> Assignment {
    let setting = &SETTINGS[key as usize];
    let value = setting.kind.read_item(text).unwrap();
    Assignment { setting, value, origin: Origin::Flag(setting.flag.as_ref().unwrap().long) }
}

fn effect(loaded: &Loaded) -> String {
    let mut settings = loaded.clone();
    if settings.settings.value(Key::Socket).is_none() {
        settings.settings.put([flag(Key::Socket, "d.sock")]);
    }
    let arbiter = settings.arbiter(&hosts()).unwrap();
    format!("{arbiter:?} {:?} {:?}", loaded.hooks(&hosts()), loaded.log)
}

fn hosts() -> Hosts {
    Hosts { built_in: vec!["built-in".into()], python: "python3".into() }
}

#[test]
fn the_host_is_the_one_that_has_the_apps_unless_a_setting_says_otherwise() {
    let command = |variables: &[(&'static str, &'static str)]| {
        let all = [variables, &[("DIRTY_SOCKET", "d.sock")]].concat();
        let command = loaded(None, &all).unwrap().arbiter(&hosts()).unwrap().worker_command;
        command.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(command(&[]), "built-in");
    assert_eq!(command(&[("DIRTY_APPS", "fixture:App")]), "built-in");
    assert_eq!(command(&[("DIRTY_APPS", "fixture:App,my.ml:Model")]), "python3 -m dirty_arbiter.worker");
    let python = ("DIRTY_PYTHON", "venv/bin/python");
    assert_eq!(command(&[python]), "venv/bin/python -m dirty_arbiter.worker");
    let hooks = ("DIRTY_HOOKS_FILE", "hooks.py");
    assert_eq!(command(&[hooks]), "python3 -m dirty_arbiter.worker", "the built-in host knows no Python");
    let own = ("DIRTY_WORKER_COMMAND", "./my worker");
    assert_eq!(command(&[python, hooks, own, ("DIRTY_APPS", "my.ml:Model")]), "/bin/sh -c exec ./my worker");
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let expected = ArbiterConfig::new("d.sock", vec!["built-in".into()]);
    let mut defaults = loaded(None, &[("DIRTY_SOCKET", "d.sock")]).unwrap().arbiter(&hosts()).unwrap();
    let built_in: Vec<&str> = defaults.pool.apps.iter().map(|app| app.app_path.as_str()).collect();
    assert_eq!(built_in, crate::apps::BUILT_IN);
    defaults.pool.apps.clear();
    assert_eq!(format!("{defaults:?}"), format!("{expected:?}"));
}

#[test]
fn every_setting_has_an_effect() {
    let defaults = effect(&from_file(""));
    for (setting, _, _) in Settings::defaults().iter() {
        let other = match setting.kind {
            Kind::Integer { max, .. } => json!(max),
            Kind::Seconds => json!(1.5),
            Kind::Text => json!("other"),
            Kind::Choice(words) => json!(words[1]),
            Kind::Switch => json!(true),
            Kind::Mode => json!("0666"),
            Kind::Account => json!(7),
            Kind::Accounts => json!([7]),
            Kind::Apps => json!(["a:B"]),
        };
        let line = format!("{} = {}", setting.name, value::toml(&other));
        let text = if setting.is_hook { format!("[{HOOKS_TABLE}]\n{line}") } else { line };
        assert_ne!(effect(&from_file(&text)), defaults, "{}", setting.name);
    }
}

#[test]
fn an_app_may_have_a_rule_of_its_own() {
    let text = "dirty_on_disconnect = \"cancel\"\n\
                dirty_apps = [\"a:B:2\", { app = \"c:D\", workers = 1, on_disconnect = \"finish\" }]\ndirty_socket = \"s\"";
    let arbiter = from_file(text).arbiter(&hosts()).unwrap();
    let apps = arbiter.pool.apps.iter().map(|app| (app.app_path.as_str(), app.workers, app.on_disconnect));
    assert!(apps.eq([("a:B", Some(2), OnDisconnect::Cancel), ("c:D", Some(1), OnDisconnect::Finish)]));
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let file =
        file("dirty_workers = 3\ndirty_threads = 3\ndirty_timeout = 3\ndirty_apps = [\"a:B\", \"c:D\"]");
    let environment: Environment =
        [("DIRTY_WORKERS", "4"), ("DIRTY_THREADS", "4"), ("DIRTY_APPS", "e:F"), ("DIRTY_QUEUE", "")]
            .into_iter()
            .collect();
    let flags = [flag(Key::Workers, "5")];
    let loaded =
        load(&Sources { file: Some(file.path()), environment: &environment, flags: &flags }).unwrap();
    let path = file.path().display();
    for (key, value, origin) in [
        (Key::Workers, json!(5), "--workers".to_owned()),
        (Key::Threads, json!(4), "DIRTY_THREADS".to_owned()),
        (Key::Timeout, json!(3), format!("{path}:3")),
        (Key::Queue, json!(1000), "default".to_owned()),
        (Key::Apps, json!(["e:F"]), "DIRTY_APPS".to_owned()),
    ] {
        assert_eq!(loaded.settings.value(key).unwrap().to_json(), value);
        assert_eq!(loaded.settings.origin(key).to_string(), origin);
    }
}

#[test]
fn a_file_wins_over_where_the_socket_is_looked_for_and_our_variable_over_the_file() {
    let file = file("dirty_socket = \"/from/file\"");
    let socket = |file, variables: &[_]| {
        let loaded = loaded(file, variables).unwrap();
        loaded
            .settings
            .value(Key::Socket)
            .map(|value| (value.to_json(), loaded.settings.origin(Key::Socket).to_string()))
    };
    let gunicorn = ("GUNICORN_DIRTY_SOCKET", "/gunicorn");
    let runtime = ("XDG_RUNTIME_DIR", "/run/user/1");
    let named = |path: &str, origin: &str| Some((json!(path), origin.to_owned()));
    assert_eq!(socket(Some(file.path()), &[gunicorn]).unwrap().0, "/from/file");
    assert_eq!(socket(Some(file.path()), &[("DIRTY_SOCKET", "/ours")]), named("/ours", "DIRTY_SOCKET"));
    assert_eq!(socket(None, &[gunicorn, runtime]), named("/gunicorn", "GUNICORN_DIRTY_SOCKET"));
    assert_eq!(socket(None, &[runtime]), named("/run/user/1/dirty/arbiter.sock", "XDG_RUNTIME_DIR"));
    assert_eq!(socket(None, &[]), None);
}

#[test]
fn the_variable_that_names_the_file_is_a_fallback() {
    let named = file("dirty_workers = 3");
    let other = file("dirty_workers = 4");
    let variable = named.path().to_str().unwrap().to_owned().leak();
    let workers = |file, variables: &[_]| loaded(file, variables).unwrap().settings.integer(Key::Workers);
    assert_eq!(workers(None, &[("DIRTY_CONFIG", variable)]), 3);
    assert_eq!(workers(Some(other.path()), &[("DIRTY_CONFIG", variable)]), 4);
    assert_eq!(workers(None, &[("DIRTY_CONFIG", "")]), 2);
}

#[test]
fn lists_in_the_environment_are_json_or_have_commas() {
    let apps = |text| {
        loaded(None, &[("DIRTY_APPS", text)])
            .map(|loaded| loaded.settings.value(Key::Apps).unwrap().to_json())
    };
    assert_eq!(apps(r#"["a:B", "c:D:2"]"#).unwrap(), json!(["a:B", "c:D:2"]));
    assert_eq!(apps("a:B, c:D:2").unwrap(), json!(["a:B", "c:D:2"]));
    for wrong in ["[]", "[1]", "[\"a:B\"", "a:B,,c:D", ","] {
        let text = apps(wrong).unwrap_err().to_string();
        assert!(text.starts_with("DIRTY_APPS: dirty_apps: expected "), "{text}");
    }
    let users = loaded(None, &[("DIRTY_ALLOWED_USERS", "root,7")]).unwrap();
    assert_eq!(users.settings.value(Key::AllowedUsers).unwrap().to_json(), json!(["root", 7]));
    let text = loaded(None, &[("DIRTY_LOG_LEVEL", "DEBUG"), ("DIRTY_DIE_WITH_PARENT", "true")]).unwrap();
    assert_eq!(text.log.level, "debug");
}

#[test]
fn inside_a_worker_the_variables_of_its_contract_are_no_settings() {
    let of_the_worker = [
        ("DIRTY_WORKER_SOCKET", "/run/w1"),
        ("DIRTY_WORKER_ID", "1"),
        ("DIRTY_APPS", "[\"a:B\"]"),
        ("DIRTY_THREADS", "7"),
        ("DIRTY_TIMEOUT", "0.5"),
        ("DIRTY_MAX_FRAME", "99999"),
        ("DIRTY_MAX_DEPTH", "99"),
    ];
    let inside = loaded(None, &of_the_worker).unwrap();
    assert_eq!(effect(&inside), effect(&loaded(None, &[]).unwrap()));
    assert_eq!(inside.warnings.len(), 1, "{:?}", inside.warnings);
    assert!(
        inside.warnings[0]
            .starts_with("DIRTY_APPS, DIRTY_THREADS, DIRTY_TIMEOUT, DIRTY_MAX_FRAME, DIRTY_MAX_DEPTH: ")
    );
    // What no arbiter sets for its workers is meant for whoever reads it.
    let with_ours: Vec<_> = of_the_worker.into_iter().chain([("DIRTY_WORKERS", "3")]).collect();
    assert_eq!(loaded(None, &with_ours).unwrap().settings.integer(Key::Workers), 3);
    // And outside of a worker they are settings as any other.
    assert_eq!(loaded(None, &of_the_worker[1..]).unwrap().settings.integer(Key::Threads), 7);
}

#[test]
fn a_variable_that_is_nearly_a_setting_is_a_warning() {
    let warnings = |name| loaded(None, &[(name, "3")]).unwrap().warnings;
    assert_eq!(
        warnings("DIRTY_WORKER"),
        ["DIRTY_WORKER: no setting has this name; did you mean DIRTY_WORKERS?"]
    );
    for other in ["DIRTY_HARRY", "DIRTY_WORKER_ID", "WORKERS"] {
        assert_eq!(warnings(other), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn every_problem_of_every_source_is_reported_with_its_place() {
    let file = file(
        "dirty_worker = 3\n\
         dirty_apps = [\n  \"nocolon\",\n  { app = \"a:B\", worker = 1 },\n  { workers = \"x\" },\n]\n\
         dirty_timeout = \"soon\"\n\
         dirty_post_fork = \"x\"\n\
         dirty_socket_mode = 0o660\n\
         [dirty_hooks]\n\
         dirty_hook_timeout = -1\n\
         dirty_threads = 2\n",
    );
    let errors =
        loaded(Some(file.path()), &[("DIRTY_QUEUE", "many"), ("DIRTY_SOCKET_GROUP", "no-such-group")])
            .unwrap_err();
    let text = errors.to_string().replace(file.path().to_str().unwrap(), "f");
    let expected = [
        "f:1: dirty_worker: unknown setting; did you mean dirty_workers?",
        "f:3: dirty_apps: expected \"module:Class\" or \"module:Class:N\" with N workers, N from 1 to 1024, found \
         \"nocolon\"",
        "f:4: dirty_apps: unknown member \"worker\" of an app; did you mean workers?",
        "f:5: dirty_apps: expected a member app = \"module:Class\" in the table of an app",
        "f:5: dirty_apps: workers: expected a whole number from 1 to 1024, found the text \"x\"",
        "f:7: dirty_timeout: expected a number of seconds, from 0 to 1000000000, found the text \"soon\"",
        "f:8: dirty_post_fork: unknown setting; it belongs in the table, as dirty_hooks.dirty_post_fork",
        "f:9: dirty_socket_mode: expected a text of octal digits up to 0777, such as \"0660\", found the number 0o660",
        "f:11: dirty_hooks.dirty_hook_timeout: expected a number of seconds, from 0 to 1000000000, found the number -1",
        "f:12: dirty_hooks.dirty_threads: unknown setting; it belongs at the top, before the first table",
        "DIRTY_QUEUE: dirty_queue: expected a whole number from 0 to 10000000, found \"many\"",
        "DIRTY_SOCKET_GROUP: dirty_socket_group: expected a group of this system, found \"no-such-group\", which is none",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn text_that_is_no_toml_is_reported_by_line_and_all_at_once() {
    let file = file("dirty_workers = \n\ndirty_threads = 1\ndirty_threads = 2\n[x\n");
    let text = loaded(Some(file.path()), &[]).unwrap_err().to_string();
    let lines: Vec<&str> =
        text.lines().map(|line| line.strip_prefix(file.path().to_str().unwrap()).unwrap()).collect();
    for (line, start) in lines.iter().zip([":1: not TOML: ", ":4: not TOML: duplicate key", ":5: not TOML: "])
    {
        assert!(line.starts_with(start), "{text}");
    }
    assert_eq!(lines.len(), 3, "{text}");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let missing = loaded(Some(Path::new("/no/such/file")), &[]).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/file: failed to read the configuration: "), "{missing}");
    let endless = loaded(Some(Path::new("/dev/zero")), &[]).unwrap_err().to_string();
    assert!(endless.contains("at most 1048576 bytes"), "{endless}");
    let binary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&binary, b"a = 1\n\xff").unwrap();
    let text = loaded(Some(binary.path()), &[]).unwrap_err().to_string();
    assert!(text.ends_with(":2: expected UTF-8 text, found bytes that are none"), "{text}");
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    for (text, warned) in [
        ("dirty_apps = [\"a:B:3\"]", "f:1: dirty_apps: a:B asks for 3 workers, and dirty_workers is 2"),
        (
            "dirty_socket_group = 7\ndirty_socket_mode = \"600\"",
            "f:2: dirty_socket_mode: with mode 0600 the members of dirty_socket_group cannot connect",
        ),
        (
            "dirty_allowed_users = [7]",
            "f:1: dirty_allowed_users: with mode 0600 and no dirty_socket_group, other users cannot connect",
        ),
        (
            "dirty_socket_mode = \"666\"",
            "f:1: dirty_socket_mode: other users can connect, and are refused (SEC-2) unless dirty_allowed_users names them",
        ),
    ] {
        let file = file(text);
        let warnings = loaded(Some(file.path()), &[]).unwrap().warnings;
        let warnings: Vec<String> =
            warnings.iter().map(|warning| warning.replace(file.path().to_str().unwrap(), "f")).collect();
        assert_eq!(warnings, [warned]);
    }
    for fine in [
        "dirty_apps = [\"a:B:2\"]",
        "dirty_socket_group = 7",
        "dirty_allowed_users = [7]\ndirty_socket_mode = \"666\"",
        "dirty_allowed_users = [7]\ndirty_socket_group = 8",
    ] {
        assert_eq!(from_file(fine).warnings, Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn a_group_implies_a_mode_that_lets_it_in_unless_a_mode_is_set() {
    let mode = |text| {
        let loaded = from_file(text);
        (loaded.settings.mode(Key::SocketMode), loaded.settings.origin(Key::SocketMode).to_string())
    };
    assert_eq!(mode(""), (0o600, "default".to_owned()));
    assert_eq!(mode("dirty_socket_group = 7"), (0o660, "default with dirty_socket_group".to_owned()));
    assert_eq!(mode("dirty_socket_group = 7\ndirty_socket_mode = \"0620\"").0, 0o620);
}

#[test]
fn an_app_that_is_listed_twice_is_an_error() {
    let file = file("\ndirty_apps = [\"a:B\", \"c:D\", \"a:B:1\"]");
    let text = loaded(Some(file.path()), &[]).unwrap_err().to_string();
    assert!(text.ends_with(":2: dirty_apps: expected every app once, found a:B twice"), "{text}");
}

#[test]
fn a_reload_takes_what_has_changed_and_keeps_what_takes_a_restart() {
    let file = file("dirty_workers = 2\ndirty_socket = \"old\"\ndirty_compat = \"gunicorn\"");
    let environment = Environment::default();
    let sources = Sources { file: Some(file.path()), environment: &environment, flags: &[] };
    let running = load(&sources).unwrap();
    let (same, kept) = reload(&sources, &running.settings).unwrap();
    assert_eq!((effect(&same), kept), (effect(&running), Vec::new()));
    let text = "dirty_workers = 3\ndirty_socket = \"new\"\ndirty_allowed_users = [7]\ndirty_log_level = \"debug\"\n\
                [dirty_hooks]\ndirty_hook_timeout = 7";
    std::fs::write(&file, text).unwrap();
    let (new, kept) = reload(&sources, &running.settings).unwrap();
    assert_eq!(kept, ["dirty_socket", "dirty_allowed_users", "dirty_compat", "dirty_log_level"]);
    assert_eq!((new.log.level, new.warnings.len()), ("info", 1), "{:?}", new.warnings);
    let arbiter = new.arbiter(&hosts()).unwrap();
    assert_eq!(
        (arbiter.pool.workers, arbiter.socket.to_str(), arbiter.compat),
        (3, Some("old"), Compat::Gunicorn)
    );
    assert_eq!(arbiter.access, crate::arbiter::SocketAccess::default());
    let hooks = format!("{:?}", new.hooks(&hosts()));
    assert!(hooks.contains("timeout: 7s"), "{hooks}");
}

#[test]
fn a_reload_with_one_problem_takes_nothing() {
    let file = file("dirty_socket = \"s\"");
    let environment = Environment::default();
    let sources = Sources { file: Some(file.path()), environment: &environment, flags: &[] };
    let running = load(&sources).unwrap();
    for (text, problem) in [
        ("dirty_workers = 3\ndirty_threads = 0", "dirty_threads: expected"),
        // Not even in a setting that would have been kept.
        ("dirty_workers = 3\ndirty_socket_group = \"no-such-group\"", "dirty_socket_group: expected a group"),
    ] {
        std::fs::write(&file, text).unwrap();
        let errors = reload(&sources, &running.settings).unwrap_err().to_string();
        assert!(errors.contains(problem), "{errors}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(reload(&sources, &running.settings).is_err());
}
