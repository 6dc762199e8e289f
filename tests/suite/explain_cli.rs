//! `dirty explain`: every field is named, and what is wrong is said where it is.

use std::process::Command;

use crate::served::dirty;

fn explain(what: &str) -> (i32, String) {
    let mut command: Command = dirty();
    let output = command.arg("explain").arg(what).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn hex(payload: &str) -> String {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    length.iter().chain(payload.as_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_field_has_its_place_its_meaning_and_its_requirement() {
    let (code, said) = explain(&hex(r#"{"type":"end","id":"1","later":true}"#));
    assert_eq!(code, 0, "{said}");
    for part in [
        "     0  00000024  length: 36 bytes of payload (FRAME-1)",
        "    12  /type = \"end\"\n",
        "    23  /id = \"1\"\n",
        "MSG-7: The member `id` of a message MUST be a string",
        "    35  /later = true\n            not described: a receiver ignores it (MSG-3)",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    for (what, part) in [
        (hex(r#"{"type":"end","id":7}"#), "/id: expected a string of 1 to 256 characters, found a number"),
        (hex(r#"{"type":"end",}"#), "WRONG     18  payload is not JSON: unexpected '}'"),
        ("0000".to_string(), "a header cut short: 2 of 4 bytes\n            FRAME-9: "),
        ("00000000".to_string(), "no legal length: expected 1 to 67108864\n            FRAME-3: "),
        ("000000097b22".to_string(), "the payload is cut short: got 2 of 9 bytes"),
    ] {
        let (code, said) = explain(&what);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(part), "{part}\n{said}");
        assert!(!said.contains('\x1b'), "no colour in a pipe");
    }
    assert_eq!(explain("no such thing").0, 2);
}

#[test]
fn traces_and_transcripts_have_two_lanes() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/calls/echo.json");
    let (code, said) = explain(golden);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("\nstep 2  c1 client\n")
            && said.contains("\n                    | step 3  c1 arbiter\n")
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("t.jsonl");
    let trace = "{\"format\":\"dirty-trace/1\",\"listener\":\"arbiter\",\"began_us\":0}\n\
        {\"at_us\":1,\"on\":\"c1\",\"from\":\"client\",\"open\":true}\n\
        {\"at_us\":2500,\"on\":\"c1\",\"from\":\"arbiter\",\"frame\":\"{\\\"type\\\":\\\"end\\\",\\\"id\\\":\\\"\\u001b\\\"}\"}\n";
    std::fs::write(&file, trace).unwrap();
    let (code, said) = explain(file.to_str().unwrap());
    assert_eq!(code, 1, "a control character is not JSON: {said}");
    assert!(
        said.contains("0.001 ms  c1 client connects\n                    | 2.500 ms  c1 arbiter says\n"),
        "{said}"
    );
    assert!(!said.contains('\x1b'));
}
