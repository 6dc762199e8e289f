//! Every kind of thing that serde knows, against what `serde_json` writes and what the hints bring back.

use std::collections::BTreeMap;

use dirty_arbiter::message::Hints;
use dirty_arbiter::values::{AnyValue, Bytes, Hinting, decode, encode};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::written;

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn plain_values_are_written_as_serde_json_writes_them(value in anything()) {
        match written(&value, Hinting::None) {
            Ok((text, hints)) => {
                prop_assert!(value.is_plain());
                prop_assert_eq!(text, serde_json::to_string(&value).unwrap());
                prop_assert!(hints.is_empty());
            }
            Err(error) => prop_assert!(!value.is_plain(), "{}", error),
        }
    }

    #[test]
    fn with_hints_every_value_comes_back(value in anything()) {
        let mut hints = Hints::default();
        let text = encode(&value, "/data", Hinting::All, &mut hints).unwrap();
        let back: Any = decode(&text, "/data", Some(&hints)).unwrap();
        // Compared as text: NaN is no other NaN.
        prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));

        let kept: AnyValue = decode(&text, "/data", Some(&hints)).unwrap();
        prop_assert_eq!(format!("{:?}", kept.read::<Any>().unwrap()), format!("{value:?}"));
        let (passed_on, passed_hints) = written(&(kept,), Hinting::All).unwrap();
        prop_assert_eq!(passed_on, format!("[{}]", text.get()));
        let moved = |pointer: &str| pointer.replacen("/data", "/result/0", 1);
        let expected: Hints = hints.iter().map(|(pointer, hint)| (moved(pointer), *hint)).collect();
        prop_assert_eq!(passed_hints, expected);
    }
}
