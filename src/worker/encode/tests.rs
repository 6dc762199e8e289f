//! What the encoder writes, against what `serde_json` writes and what the hints bring back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::message::DirtyMessage;
use crate::worker::Bytes;
use crate::worker::hints::{Hinted, Under};

/// Every kind of thing that serde knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Any {
    Unit,
    Flag(bool),
    Letter(char),
    Small(i8),
    Long(i64),
    Wide(i128),
    Unsigned(u128),
    Single(f32),
    Float(f64),
    Text(String),
    Bytes(Bytes),
    Maybe(Option<Box<Any>>),
    Newtype(Wrapped),
    Pair(u8, Box<Any>),
    Fields { left: Box<Any>, right: Option<Bytes> },
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Nothing(()),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(Box<Any>);

fn anything() -> impl Strategy<Value = Any> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..7).prop_map(Bytes);
    let leaf = prop_oneof![
        Just(Any::Unit),
        Just(Any::Nothing(())),
        any::<bool>().prop_map(Any::Flag),
        any::<char>().prop_map(Any::Letter),
        any::<i8>().prop_map(Any::Small),
        any::<i64>().prop_map(Any::Long),
        prop_oneof![Just(1i64 << 53), Just((1 << 53) - 1), Just(-(1 << 53)), Just(1 - (1 << 53))]
            .prop_map(Any::Long),
        any::<i128>().prop_map(Any::Wide),
        any::<u128>().prop_map(Any::Unsigned),
        any::<f32>().prop_map(Any::Single),
        prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)]
            .prop_map(Any::Float),
        any::<String>().prop_map(Any::Text),
        bytes().prop_map(Any::Bytes),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            proptest::option::of(boxed()).prop_map(Any::Maybe),
            boxed().prop_map(|inner| Any::Newtype(Wrapped(inner))),
            (any::<u8>(), boxed()).prop_map(|(first, second)| Any::Pair(first, second)),
            (boxed(), proptest::option::of(bytes())).prop_map(|(left, right)| Any::Fields { left, right }),
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Any::List),
            proptest::collection::btree_map("[a-c~/\"é\\\\]{0,3}", inner, 0..4).prop_map(Any::Map),
        ]
    })
}

impl Any {
    /// Whether JSON has it, in `serde_json`'s way.
    fn is_plain(&self) -> bool {
        match self {
            Any::Bytes(_) => false,
            Any::Single(value) => value.is_finite(),
            Any::Float(value) => value.is_finite(),
            Any::Maybe(None) => true,
            Any::Maybe(Some(inner)) | Any::Newtype(Wrapped(inner)) | Any::Pair(_, inner) => inner.is_plain(),
            Any::Fields { left, right } => left.is_plain() && right.is_none(),
            Any::List(items) => items.iter().all(Any::is_plain),
            Any::Map(items) => items.values().all(Any::is_plain),
            _ => true,
        }
    }
}

fn encoder(accept_hints: bool, limits: Limits) -> Encoder {
    let mut encoder = Encoder::new(limits);
    encoder.begin(&RequestId::new("é\"1").unwrap(), accept_hints);
    encoder
}

/// The payload of a frame, whose header is right.
fn payload(frame: &[u8]) -> &[u8] {
    let (header, payload) = frame.split_at(HEADER_LEN);
    assert_eq!(header, (payload.len() as u32).to_be_bytes());
    payload
}

proptest! {
    #[test]
    fn plain_values_are_written_as_serde_json_writes_them(value in anything()) {
        let mut encoder = encoder(false, Limits::default());
        let expected = value.is_plain().then(|| {
            format!(r#"{{"type":"response","id":"é\"1","result":{}}}"#, serde_json::to_string(&value).unwrap())
        });
        match (encoder.response(&value), expected) {
            (Ok(frame), Some(expected)) => prop_assert_eq!(std::str::from_utf8(payload(frame)).unwrap(), expected),
            (Err(error), None) => prop_assert!(matches!(error.fault, Fault::Bytes | Fault::NonFinite(_))),
            (got, expected) => prop_assert!(false, "{got:?} {expected:?}"),
        }
    }

    #[test]
    fn with_hints_every_value_comes_back(value in anything()) {
        let mut encoder = encoder(true, Limits::default());
        let frame = encoder.chunk(&value).unwrap();
        let message = DirtyMessage::decode(payload(frame), &Limits::default()).unwrap();
        let DirtyMessage::Chunk(chunk) = message else { panic!("no chunk") };
        let all = chunk.hints.unwrap_or_default();
        let hints = Under::new(all.iter().map(|(pointer, hint)| (pointer.as_str(), *hint))).below("data");
        let back = Any::deserialize(Hinted::new(chunk.data.get(), hints)).unwrap();
        // Compared as text: NaN is no other NaN.
        prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
    }

    #[test]
    fn no_frame_is_longer_than_the_limit(value in anything(), max_payload in 30u32..400, hints: bool) {
        let limits = Limits { max_payload, ..Limits::default() };
        let mut full = encoder(hints, Limits::default());
        let whole = full.response(&value).map(|frame| payload(frame).to_vec());
        let mut limited = encoder(hints, limits);
        match (whole, limited.response(&value)) {
            (Ok(whole), Ok(frame)) => {
                prop_assert!(whole.len() <= max_payload as usize);
                prop_assert_eq!(payload(frame), whole);
            }
            (Ok(whole), Err(error)) => {
                prop_assert!(matches!(error.fault, Fault::TooLong(_)), "{}", error);
                prop_assert!(whole.len() > max_payload as usize);
            }
            (Err(_), limited) => prop_assert!(limited.is_err()),
        }
    }
}

#[test]
fn keys_of_maps_are_spelled_as_serde_json_spells_them() {
    let mut encoder = encoder(false, Limits::default());
    let integers = BTreeMap::from([(-1, 'a'), (7, 'b')]);
    assert!(payload(encoder.response(&integers).unwrap()).ends_with(br#""result":{"-1":"a","7":"b"}}"#));
    let flags = BTreeMap::from([(true, 1)]);
    assert!(payload(encoder.response(&flags).unwrap()).ends_with(br#""result":{"true":1}}"#));
    let options = BTreeMap::from([(None::<u8>, 1)]);
    assert!(encoder.response(&options).unwrap_err().to_string().contains("expected a string"));
    // The next reply is not affected.
    assert!(payload(encoder.response(&1).unwrap()).ends_with(br#""result":1}"#));
}

#[test]
fn a_value_of_exactly_the_deepest_level_is_written() {
    #[derive(Serialize)]
    struct Deep(Vec<Deep>);
    let nested = |levels| (1..levels).fold(Deep(Vec::new()), |inner, _| Deep(vec![inner]));
    let limits = Limits { max_depth: 10, ..Limits::default() };
    let mut encoder = encoder(false, limits);
    let frame = encoder.response(&nested(9)).unwrap();
    assert!(DirtyMessage::decode(payload(frame), &limits).is_ok());
    let error = encoder.response(&nested(10)).unwrap_err();
    assert_eq!(error.requirement(), "VAL-3");
    assert_eq!(error.pointer, format!("/result{}", "/0".repeat(9)));
}
