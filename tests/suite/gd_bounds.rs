//! `gd/1` to JSON costs no more than the limits allow, and leaves out what the receiver would ignore.

use dirty_arbiter::message::{DecodeError, DirtyMessage, MessageType};
use dirty_arbiter::transcode::{Fault, GdFrame, to_gd, to_json};
use dirty_arbiter::wire::Limits;
use dirty_arbiter::wire::gd::{Header, Kind, TokenWriter};

const LIMITS: Limits =
    Limits { max_payload: Limits::DEFAULT_MAX_PAYLOAD, max_depth: 512, allow_non_finite: false };

/// A message whose only members `write` writes; it returns how many there are.
fn message(kind: Kind, write: impl FnOnce(&mut TokenWriter) -> u32) -> Vec<u8> {
    let mut writer = TokenWriter::default();
    let dict = writer.dict();
    let count = write(&mut writer);
    writer.counted(dict, count);
    let payload = writer.into_bytes();
    let header = Header { kind: kind as u8, length: payload.len().try_into().unwrap(), id: 1 };
    [&header.to_bytes(), &payload[..]].concat()
}

/// Writes the value of a member.
type Write<'w> = &'w dyn Fn(&mut TokenWriter);

/// The least that a request has, and these members besides.
fn request(members: &[(&str, Write<'_>)]) -> Vec<u8> {
    message(Kind::Request, |writer| {
        for (name, value) in [("app_path", "fixture:App"), ("action", "echo")] {
            writer.text(name);
            writer.text(value);
        }
        for (name, write) in members {
            writer.text(name);
            write(writer);
        }
        u32::try_from(members.len()).unwrap() + 2
    })
}

fn read(frame: &[u8], hints: bool) -> Result<String, Fault> {
    let json = to_json(GdFrame::read(frame).unwrap(), Some("1"), hints, &LIMITS)?;
    Ok(String::from_utf8(json.payload().to_vec()).unwrap())
}

/// Lists of one item in each other, and a none in the innermost.
fn nested(writer: &mut TokenWriter, levels: u32) {
    for _ in 0..levels {
        let list = writer.list();
        writer.counted(list, 1);
    }
    writer.none();
}

/// A dict with one key of `length` bytes, whose value is a list of so many empty bytes values.
fn long_key(writer: &mut TokenWriter, length: usize, items: u32) {
    let dict = writer.dict();
    writer.text(&"k".repeat(length));
    let list = writer.list();
    (0..items).for_each(|_| writer.raw_bytes(b""));
    writer.counted(list, items);
    writer.counted(dict, 1);
}

#[test]
fn a_short_frame_does_not_become_a_message_beyond_the_limit_before_it_is_refused() {
    // 150 kB, whose hints would be 400 MB: every one repeats the key.
    let frame = request(&[("kwargs", &|writer| long_key(writer, 20_000, 20_000))]);
    assert!(frame.len() < 150_000);
    let Err(Fault::Value(error)) = read(&frame, true) else { panic!("relayed") };
    assert!(error.pointer.starts_with("/kwargs"), "refused at the end only: {error}");
    assert!(error.pointer.len() <= 256, "a pointer of {} bytes", error.pointer.len());
}

#[test]
fn the_place_of_a_value_is_short_however_long_its_keys_are() {
    let long = "k".repeat(100_000);
    let text = format!(r#"{{"type":"response","id":"1","result":{{"a":{{"{long}":1e400}}}}}}"#);
    let error = to_gd(text.as_bytes(), MessageType::Response, 1, &LIMITS).unwrap_err();
    assert_eq!(error.pointer, "/result/a");
}

#[test]
fn what_is_nested_too_deep_is_a_bad_message_and_not_written_out() {
    let frame = request(&[("args", &|writer| nested(writer, 1_000_000))]);
    let text = read(&frame, true).unwrap();
    let Err(DecodeError::Message(error)) = DirtyMessage::decode(text.as_bytes(), &LIMITS) else {
        panic!("accepted")
    };
    assert_eq!(error.requirement(), "VAL-3");
    assert!(text.len() < 10_000, "{} bytes of JSON", text.len());
    // The edge: the message, and 511 lists.
    for (levels, accepted) in [(511, true), (512, false)] {
        let text = read(&request(&[("args", &|writer| nested(writer, levels))]), true).unwrap();
        assert_eq!(DirtyMessage::decode(text.as_bytes(), &LIMITS).is_ok(), accepted, "{levels}");
    }
}

#[test]
fn a_fault_below_what_is_nested_too_deep_is_found_all_the_same() {
    let mut frame = request(&[("args", &|writer| nested(writer, 1_000))]);
    *frame.last_mut().unwrap() = 0x07;
    let Err(Fault::Frame(error)) = read(&frame, true) else { panic!("relayed") };
    assert_eq!(error.requirement(), "GD-5");
}

#[test]
fn members_that_the_receiver_ignores_spoil_nothing() {
    // Bytes have no hint outside the values (VAL-5), and the member would be ignored (MSG-3).
    let frame = request(&[("x_trace", &|writer| writer.raw_bytes(b"x"))]);
    let text = read(&frame, true).unwrap();
    DirtyMessage::decode(text.as_bytes(), &LIMITS).unwrap_or_else(|error| panic!("{error}: {text}"));
    // The header has the id (GD-8): what the payload has is read by nobody.
    let frame = message(Kind::Response, |writer| {
        writer.text("id");
        writer.raw_bytes(b"x");
        writer.text("result");
        writer.int(7);
        2
    });
    let text = read(&frame, false).unwrap();
    assert_eq!(text, r#"{"type":"response","id":"1","result":7}"#);
}

#[test]
fn an_integer_outside_the_values_stays_a_number() {
    let frame = request(&[("meta", &|writer| {
        let dict = writer.dict();
        writer.text("span");
        writer.int(i64::MAX);
        writer.counted(dict, 1);
    })]);
    let text = read(&frame, true).unwrap();
    DirtyMessage::decode(text.as_bytes(), &LIMITS).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(text.contains(r#""meta":{"span":9223372036854775807}"#), "{text}");
}

#[test]
fn bytes_outside_the_values_are_refused_by_name() {
    let frame = request(&[("meta", &|writer| {
        let dict = writer.dict();
        writer.text("span");
        writer.raw_bytes(b"x");
        writer.counted(dict, 1);
    })]);
    let Err(Fault::Value(error)) = read(&frame, true) else { panic!("relayed") };
    assert_eq!(error.pointer, "/meta/span");
    assert!(error.problem.starts_with("bytes"), "{error}");
}

#[test]
fn a_key_that_stands_twice_changes_no_value() {
    // The first is bytes and needs a hint; the last, which counts, is a text and must not have it.
    let frame = message(Kind::Response, |writer| {
        writer.text("result");
        let dict = writer.dict();
        writer.text("a");
        writer.raw_bytes(b"x");
        writer.text("a");
        writer.text("eA==");
        writer.counted(dict, 2);
        1
    });
    match read(&frame, true) {
        Err(_) => (),
        Ok(text) => assert!(!text.contains("base64"), "the text would be read as bytes: {text}"),
    }
}
