//! What workers print, in the arbiter's log (WORK-12, WORK-15).

use crate::served::{Served, waits_for};

/// A worker that does something by `sh` first, and then is the built-in one.
fn after(commands: &str) -> String {
    format!("sh -c '{commands}\nexec \"$0\" worker' {}", env!("CARGO_BIN_EXE_dirty"))
}

/// An arbiter with one such worker.
fn served(commands: &str) -> Served {
    Served::start(&["--workers", "1", "--worker-command", &after(commands)])
}

/// The one line with this in it, without its time.
fn line(log: &str, text: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
    assert_eq!(lines.len(), 1, "{text:?} in {log}");
    lines[0].split_once("  ").unwrap().1.to_owned()
}

#[test]
fn every_line_of_both_streams_is_logged_with_the_id_of_its_worker() {
    let served = served("echo good news; echo bad news >&2; echo; printf \"in \"; sleep 0.05; echo pieces");
    assert!(served.connect().call("echo", "[]").get("result").is_some());
    served.logs("pieces");
    let log = served.log_so_far();
    assert_eq!(line(&log, "good news"), r#"INFO good news worker=1 stream="stdout""#);
    assert_eq!(line(&log, "bad news"), r#"INFO bad news worker=1 stream="stderr""#);
    assert_eq!(line(&log, "pieces"), r#"INFO in pieces worker=1 stream="stdout""#);
    assert!(log.contains(r#"INFO  worker=1 stream="stdout""#), "an empty line is a line: {log}");
}

#[test]
fn a_line_is_cut_at_8_kib_and_marked() {
    let served = served(
        r#"python3 -c "
print(\"w\" * 8192)
print(\"x\" * 8193)
print(\"z\" * 8191 + \"\\u00e9\" + \"lost\")
print(\"y\" * 1000000, end=\"\")
print(\"y\")
print(\"the next\")
""#,
    );
    served.logs("the next");
    let log = served.log_so_far();
    let stdout = |text: String, rest: &str| format!(r#"INFO {text} worker=1 stream="stdout"{rest}"#);
    assert_eq!(line(&log, "wwww"), stdout("w".repeat(8192), ""));
    assert_eq!(line(&log, "xxxx"), stdout("x".repeat(8192), " cut=true"));
    assert_eq!(line(&log, "zzzz"), stdout("z".repeat(8191), " cut=true"), "no half of a character");
    assert_eq!(line(&log, "yyyy"), stdout("y".repeat(8192), " cut=true"));
    assert!(!log.contains("lost"), "{log}");
}

#[test]
fn what_is_not_utf_8_is_shown_as_such() {
    let served = served(r#"printf "caf\351 \377 au lait\n""#);
    served.logs("caf\u{fffd} \u{fffd} au lait");
}

#[test]
fn the_last_words_of_a_worker_come_before_its_end() {
    // Much in one piece, right before the end, and no end of the last line.
    let command = r#"python3 -c 'import os; os.write(1, b"a line\n" * 2000 + b"last words"); os._exit(7)'"#;
    let served = Served::start(&["--workers", "1", "--worker-command", command]);
    served.logs("failed to boot");
    let log = served.log_so_far();
    let before = log.split("failed to boot").next().unwrap();
    assert_eq!(before.matches("INFO a line worker=1").count(), 2000);
    assert!(before.contains(r#"INFO last words worker=1 stream="stdout""#));
}

#[test]
fn what_a_worker_leaves_behind_does_not_hide_its_end_and_is_still_heard() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let command = format!("sh -c 'echo parent; ({}; echo child) & exit 7'", waits_for(&go));
    let served = Served::start(&["--workers", "1", "--worker-command", &command]);
    served.logs("failed to boot: exit code 7");
    assert!(served.log_so_far().contains("INFO parent worker=1"));
    std::fs::write(&go, "").unwrap();
    served.logs("INFO child worker=1");
}

#[test]
fn a_worker_that_floods_its_output_stalls_no_call() {
    let served = served("yes | tr y \"\\n\" & yes >&2 &");
    let mut peer = served.connect();
    for number in 0..20 {
        assert_eq!(peer.call("echo", &format!("[{number}]"))["result"]["args"][0], number);
    }
    served.logs("INFO y worker=1 stream=\"stderr\"");
}
