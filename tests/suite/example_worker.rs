//! The README's worker program, served for real.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::served::Served;

#[test]
fn the_readmes_app_is_served_by_its_own_program() {
    // `cargo test --test suite` builds no examples; `cargo test` has, and then this does nothing.
    let target = Path::new(env!("CARGO_BIN_EXE_dirty")).ancestors().nth(2).unwrap();
    let build = Command::new(env!("CARGO"))
        .args(["build", "--example", "greeter", "--target-dir"])
        .arg(target)
        .output();
    let build = build.unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let program = target.join("debug/examples/greeter");
    let served = Served::start(&["--app", "greeter:Greeter", "--worker-command", program.to_str().unwrap()]);
    let mut peer = served.connect();
    let call = |action: &str, args: &str| {
        format!(r#"{{"type":"request","id":"1","app_path":"greeter:Greeter","action":"{action}",{args}}}"#)
    };
    peer.send(&call("greet", r#""args":[],"kwargs":{"name":"world"}"#));
    assert_eq!(peer.receive()["result"], "Hello, world!");
    peer.send(&call("spell", r#""args":["ab"],"kwargs":{}"#));
    assert_eq!(peer.receive()["data"], "a");
    assert_eq!(peer.receive()["data"], "b");
    assert_eq!(peer.receive(), json!({"type": "end", "id": "1"}));
}
