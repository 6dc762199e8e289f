//! What the commands say of themselves: a change of it is seen, and meant.

use crate::served::dirty;

fn help(arguments: &[&str]) -> String {
    // A fixed width, whatever terminal the tests run in.
    let output = dirty().args(arguments).arg("--help").env("COLUMNS", "100").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_explains_itself() {
    insta::assert_snapshot!("dirty", help(&[]));
    for command in [
        "call", "check", "config", "drain", "explain", "golden", "lint", "promote", "proxy", "reload",
        "replay", "sabotage", "scale", "schema", "serve", "status", "stream", "validate",
    ] {
        insta::assert_snapshot!(format!("dirty-{command}"), help(&[command]));
    }
    insta::assert_snapshot!("dirty-config-check", help(&["config", "check"]));
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let output = dirty().args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        for command in [
            "call", "check", "config", "demo", "drain", "explain", "golden", "lint", "promote", "proxy",
            "reload", "replay", "sabotage", "scale", "schema", "serve", "status", "stream", "validate",
        ] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}
