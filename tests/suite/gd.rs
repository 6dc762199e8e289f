//! The codec `gd/1`: the vectors, and messages on their way from one codec into the other and back.

use std::path::Path;

use dirty_arbiter::message::MessageType;
use dirty_arbiter::transcode::{Fault, GdFrame, to_gd, to_json};
use dirty_arbiter::wire::gd::{HEADER_LEN, Header, Kind};
use dirty_arbiter::wire::{FrameError, Limits};
use proptest::prelude::*;
use serde_json::Value;

use crate::traceability::root;

const LIMITS: Limits =
    Limits { max_payload: Limits::DEFAULT_MAX_PAYLOAD, max_depth: 512, allow_non_finite: false };

fn vectors(name: &str) -> Vec<Value> {
    let path = Path::new("schemas/vectors/gd").join(name);
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 60, "{} vectors in {name}", vectors.len());
    vectors
}

fn bytes(vector: &Value) -> Vec<u8> {
    let digits = vector["frame"].as_str().unwrap().as_bytes();
    let digit = |byte: &u8| (*byte as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

/// A frame as JSON text, for a receiver that reads hints.
fn read(frame: &[u8]) -> Result<String, Fault> {
    let frame = GdFrame::read(frame)?;
    let json = to_json(frame, Some(&frame.header.id.to_string()), true, &LIMITS)?;
    Ok(String::from_utf8(json.payload().to_vec()).unwrap())
}

#[test]
fn the_valid_vectors_are_read_and_written_byte_for_byte() {
    for vector in vectors("valid.json") {
        let (id, frame) = (&vector["id"], bytes(&vector));
        let text = read(&frame).unwrap_or_else(|fault| panic!("{id}: {fault}"));
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message, vector["message"], "{id}");
        // Floats have more than one spelling, and -0.0 equals 0.0: the text says it, not the value.
        assert_eq!(text.contains("-0.0"), id == "float-minus-zero", "{id}");
        let header = Header::read(&frame).unwrap().unwrap();
        let kind = Kind::from_code(header.kind).unwrap();
        let kind = MessageType::from_name(kind.name()).unwrap();
        let written = to_gd(text.as_bytes(), kind, header.id, &LIMITS);
        assert_eq!(written.unwrap_or_else(|error| panic!("{id}: {error}")).as_ref(), frame, "{id}");
    }
}

#[test]
fn the_invalid_vectors_are_refused_where_and_why_they_say() {
    use dirty_arbiter::wire::FrameDecoder;
    for vector in vectors("invalid.json") {
        let (id, frame) = (&vector["id"], bytes(&vector));
        let mut decoder = FrameDecoder::of_both_codecs(LIMITS);
        decoder.push(&frame);
        let error = match decoder.next_whole() {
            Ok(Some(whole)) => match read(&whole) {
                Err(Fault::Frame(error)) => error,
                other => panic!("{id}: {other:?}"),
            },
            Ok(None) => decoder.finish().unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.requirement(), vector["requirement"], "{id}: {error}");
    }
}

#[test]
fn a_fault_is_named_with_its_place() {
    let frame = |payload: &[u8]| {
        let header = Header { kind: 2, length: payload.len().try_into().unwrap(), id: 1 };
        [&header.to_bytes(), payload].concat()
    };
    let fault = read(&frame(b"\x21\0\0\0\x01\x11\0\0\0\x06result\x07")).unwrap_err();
    let text = "payload is not a dict of typed values: unknown type 0x07 at offset 16 (GD-5)";
    assert_eq!(fault.to_string(), text);
    let fault = read(&frame(b"\x21\0\0\0\x01\x11\0\0\0\x06result\x20\xff\xff\xff\xff")).unwrap_err();
    assert!(fault.to_string().contains("a count of 4294967295, expected at most 0 at offset 17"), "{fault}");
    assert!(matches!(fault, Fault::Frame(FrameError::NotTlv(_))));
}

#[test]
fn what_one_codec_lacks_is_named_with_its_place() {
    let to_gd = |text: &str| to_gd(text.as_bytes(), MessageType::Response, 1, &LIMITS).unwrap_err();
    for (value, pointer, problem) in [
        ("9223372036854775808", "/result", "an integer beyond 64 bits, 9223372036854775808"),
        ("[0,{\"a/b\":-9223372036854775809}]", "/result/1/a~1b", "an integer beyond 64 bits"),
        ("[1e400]", "/result/0", "a number beyond the floats of 64 bits, 1e400"),
        ("{\"x\":\"\\ud83d\"}", "/result/x", "a string with a lone surrogate"),
        ("[{\"\\ud83d\":1}]", "/result/0", "a name with a lone surrogate"),
    ] {
        let error = to_gd(&format!("{{\"type\":\"response\",\"id\":\"1\",\"result\":{value}}}"));
        assert!(error.pointer.starts_with(pointer), "{error}");
        assert!(error.problem.starts_with(problem), "{error}");
    }
    for (value, hint, problem) in
        [("\"?\"", "base64", "no base64"), ("\"1.5\"", "int", "no integer"), ("\"nan\"", "float", "no float")]
    {
        let hints = format!("{{\"/result\":\"{hint}\"}}");
        let error =
            to_gd(&format!("{{\"type\":\"response\",\"id\":\"1\",\"result\":{value},\"hints\":{hints}}}"));
        assert!(error.problem.contains(problem), "{error}");
    }
    // And the other way, for who reads no hints.
    for (value, problem) in
        [(&b"\x10\0\0\0\x01x"[..], "bytes"), (b"\x06\x7f\xf8\0\0\0\0\0\0", "the float NaN")]
    {
        let payload = [b"\x21\0\0\0\x01\x11\0\0\0\x06result\x20\0\0\0\x01", value].concat();
        let header = Header { kind: 2, length: payload.len().try_into().unwrap(), id: 1 };
        let frame = GdFrame { header, payload: &payload };
        let Err(Fault::Value(error)) = to_json(frame, Some("1"), false, &LIMITS) else { panic!("relayed") };
        assert_eq!(error.pointer, "/result/0");
        assert!(error.problem.starts_with(problem), "{error}");
    }
}

/// A value of the codec, as bytes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let sized = |kind: u8, bytes: &[u8]| {
        [&[kind], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    };
    let leaf = prop_oneof![
        Just(vec![0]),
        any::<bool>().prop_map(|value| vec![1, value.into()]),
        any::<i64>().prop_map(|value| [&[5], &value.to_be_bytes()[..]].concat()),
        any::<f64>().prop_map(|value| {
            // One NaN stands for all: JSON has a single name for them.
            let value = if value.is_nan() { f64::NAN } else { value };
            [&[6], &value.to_be_bytes()[..]].concat()
        }),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(move |bytes| sized(0x10, &bytes)),
        ".{0,12}".prop_map(move |text| sized(0x11, text.as_bytes())),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let count =
            |kind: u8, count: usize| [&[kind], &u32::try_from(count).unwrap().to_be_bytes()[..]].concat();
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(move |items| [
                count(0x20, items.len()),
                items.concat()
            ]
            .concat()),
            proptest::collection::btree_map("[a-c~/é]{0,3}", inner, 0..5).prop_map(move |entries| {
                let body: Vec<u8> = entries
                    .iter()
                    .flat_map(|(key, value)| [sized(0x11, key.as_bytes()), value.clone()].concat())
                    .collect();
                [count(0x21, entries.len()), body].concat()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_message_keeps_every_value_on_its_way_there_and_back(value in value(), id: u64) {
        let payload = [b"\x21\0\0\0\x01\x11\0\0\0\x06result", &value[..]].concat();
        let header = Header { kind: 2, length: payload.len().try_into().unwrap(), id };
        let frame = [&header.to_bytes(), &payload[..]].concat();
        let text = read(&frame).unwrap();
        // The value is JSON.
        serde_json::from_str::<Value>(&text).unwrap();
        let back = to_gd(text.as_bytes(), MessageType::Response, id, &LIMITS).unwrap();
        prop_assert_eq!(back.as_ref(), frame.as_slice());
    }

    #[test]
    fn broken_bytes_are_a_fault_or_a_message_and_never_a_panic(
        value in value(), cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), kind: u8,
    ) {
        let mut payload = [b"\x21\0\0\0\x01\x11\0\0\0\x06result", &value[..]].concat();
        for (index, byte) in cuts {
            let place = index.index(payload.len());
            payload[place] = byte;
        }
        let header = Header { kind, length: payload.len().try_into().unwrap(), id: 1 };
        let frame = [&header.to_bytes(), &payload[..]].concat();
        prop_assert_eq!(frame.len(), HEADER_LEN + payload.len());
        if let Ok(text) = read(&frame) {
            serde_json::from_str::<Value>(&text).unwrap();
        }
    }
}
