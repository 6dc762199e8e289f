//! Values: what serde_json would write and read, plus bytes, non-finite numbers and large integers by hints.

mod shapes;
mod texts;

use std::collections::BTreeMap;

use dirty_arbiter::message::{Hint, Hints};
use dirty_arbiter::values::{Bytes, Hinting, ValueError, decode, encode};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn written<T: Serialize + ?Sized>(value: &T, hinting: Hinting) -> Result<(String, Hints), ValueError> {
    let mut hints = Hints::default();
    encode(value, "/result", hinting, &mut hints).map(|text| (text.get().to_owned(), hints))
}

fn read<'de, T: Deserialize<'de>>(text: &'de str, hints: &[(&str, Hint)]) -> Result<T, ValueError> {
    let text: &'de RawValue = serde_json::from_str(text).unwrap();
    let hints: Hints = hints.iter().map(|(pointer, hint)| ((*pointer).to_owned(), *hint)).collect();
    decode(text, "/result", Some(&hints))
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Wrapped(Bytes),
    Pair(i64, Bytes),
    Named { bytes: Bytes, more: Option<Bytes> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    none: Option<u8>,
    some: Option<Bytes>,
    unit: (),
    shapes: Vec<Shape>,
    by_number: BTreeMap<u16, Bytes>,
    by_name: BTreeMap<String, f64>,
    by_shape: BTreeMap<Flag, u8>,
    wide: (i128, u128, u64, i64),
    float: f32,
    character: char,
    newtype: Newtype,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Flag {
    On,
    Off,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<Bytes>);

fn everything() -> Everything {
    let bytes = |text: &str| Bytes(text.as_bytes().to_vec());
    Everything {
        none: None,
        some: Some(bytes("some")),
        unit: (),
        shapes: vec![
            Shape::Unit,
            Shape::Wrapped(bytes("w")),
            Shape::Pair(-1, bytes("p")),
            Shape::Named { bytes: bytes("n"), more: Some(bytes("")) },
        ],
        by_number: BTreeMap::from([(7, bytes("seven"))]),
        by_name: BTreeMap::from([
            ("a/~\"b".into(), f64::INFINITY),
            ("c".into(), 1.5),
            ("d".into(), f64::NEG_INFINITY),
        ]),
        by_shape: BTreeMap::from([(Flag::On, 1), (Flag::Off, 0)]),
        wide: (i128::MIN, u128::MAX, (1 << 53) - 1, -(1 << 53)),
        float: 0.1,
        character: 'é',
        newtype: Newtype(vec![bytes("x"), bytes("y")]),
    }
}

#[test]
fn hints_name_the_place_of_every_value_that_json_lacks() {
    let (text, hints) = written(&everything(), Hinting::All).unwrap();
    let expected: Vec<(String, Hint)> = [
        ("/some", Hint::Base64),
        ("/shapes/1/Wrapped", Hint::Base64),
        ("/shapes/2/Pair/1", Hint::Base64),
        ("/shapes/3/Named/bytes", Hint::Base64),
        ("/shapes/3/Named/more", Hint::Base64),
        ("/by_number/7", Hint::Base64),
        ("/by_name/a~1~0\"b", Hint::Float),
        ("/by_name/d", Hint::Float),
        ("/wide/0", Hint::Int),
        ("/wide/1", Hint::Int),
        ("/wide/3", Hint::Int),
        ("/newtype/0", Hint::Base64),
        ("/newtype/1", Hint::Base64),
    ]
    .map(|(pointer, hint)| (format!("/result{pointer}"), hint))
    .into();
    assert_eq!(hints.into_iter().collect::<Vec<_>>(), expected);
    assert!(text.contains(r#""wide":["-170141183460469231731687303715884105728","#), "{text}");
    assert!(text.contains(r#"9007199254740991,"-9007199254740992""#), "{text}");
}

#[test]
fn what_was_written_with_hints_is_read_with_them() {
    let mut hints = Hints::default();
    let text = encode(&everything(), "/result", Hinting::All, &mut hints).unwrap();
    assert_eq!(decode::<Everything>(&text, "/result", Some(&hints)), Ok(everything()));
}

#[test]
fn without_hints_the_text_is_that_of_serde_json() {
    let plain = json!({"a": [1, -2.5, "q\"\\\u{8}\u{1}é", null, true, {}], "1": {"b/c": []}, "": 1e300});
    assert_eq!(written(&plain, Hinting::All), Ok((plain.to_string(), Hints::default())));
    assert_eq!(
        written(&(u64::MAX, i128::MIN), Hinting::Bytes).unwrap().0,
        format!("[{},{}]", u64::MAX, i128::MIN)
    );
}

#[test]
fn a_refusal_names_the_place() {
    let bytes = deep(Bytes(b"b"));
    let cases: [(Result<_, ValueError>, &str); 4] = [
        (written(&bytes, Hinting::None), "value at /result/deep/1: bytes are not JSON"),
        (written(&deep(f64::NAN), Hinting::None), "value at /result/deep/1: NaN is not JSON"),
        (written(&deep(f32::NEG_INFINITY), Hinting::Bytes), "value at /result/deep/1: -Infinity is not JSON"),
        (
            written(&deep(BTreeMap::from([((1, 2), 3)])), Hinting::All),
            "value at /result/deep/1: an array cannot be the name of a member",
        ),
    ];
    for (case, expected) in cases {
        let error = case.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(written(&bytes, Hinting::Bytes).is_ok());
}

#[test]
fn a_failure_that_the_code_around_it_ignores_is_still_a_refusal() {
    struct Careless;
    impl Serialize for Careless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut items = serializer.serialize_seq(None)?;
            let _ = items.serialize_element(&f64::NAN);
            items.serialize_element(&1)?;
            items.end()
        }
    }
    let error = written(&Careless, Hinting::None).unwrap_err();
    assert_eq!(error.pointer, "/result/0");
}

fn deep<T>(value: T) -> BTreeMap<&'static str, (u8, T)> {
    BTreeMap::from([("deep", (0, value))])
}

#[test]
fn raw_values_pass_through_both_ways() {
    let text = r#"{"n": 1.10, "e": 1e400, "s": "\ud83d", "twice": 1, "twice": 2}"#;
    let raw: Box<RawValue> = read(text, &[]).unwrap();
    assert_eq!(raw.get(), text);
    assert_eq!(written(&vec![&raw, &raw], Hinting::All).unwrap().0, format!("[{text},{text}]"));
    let parts: BTreeMap<String, &RawValue> = read(r#"{"a": 1.10, "b": "\ud83d"}"#, &[]).unwrap();
    assert_eq!(parts["a"].get(), "1.10");
    assert_eq!(parts["b"].get(), r#""\ud83d""#);
}

#[test]
fn a_wrong_value_is_named_by_its_place() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        #[allow(dead_code)]
        Item { price: f64 },
    }
    #[derive(Debug, Deserialize)]
    struct Order {
        #[allow(dead_code)]
        items: Vec<Option<Kind>>,
    }
    let error = |text| read::<BTreeMap<String, Order>>(text, &[]).unwrap_err().to_string();
    assert_eq!(
        error(r#"{"x/y": {"items": [null, {"item": {"price": "free"}}]}}"#),
        "value at /result/x~1y/items/1/item/price: invalid type: string \"free\", expected f64"
    );
    assert_eq!(error(r#"{"x": {}}"#), "value at /result/x: missing field `items`");
    assert_eq!(error("[]"), "value at /result: invalid type: sequence, expected a map");
}

#[test]
fn bytes_are_read_only_where_a_hint_says_so() {
    assert_eq!(read::<Bytes>(r#""YQ==""#, &[("/result", Hint::Base64)]), Ok(Bytes(b"a".to_vec())));
    assert_eq!(read::<Bytes>("[1,2]", &[]), Ok(Bytes(vec![1, 2])));
    let plain = read::<(u8, Bytes)>(r#"[1,"YQ=="]"#, &[]).unwrap_err().to_string();
    assert_eq!(
        plain,
        "value at /result/1: invalid type: string \"YQ==\", expected bytes, which is a string with the hint base64 \
         (VAL-5)"
    );
}

#[test]
fn bytes_are_no_text_but_can_be_a_list() {
    let base64 = &[("/result", Hint::Base64)];
    assert_eq!(read::<Vec<u8>>(r#""aGk=""#, base64), Ok(b"hi".to_vec()));
    assert_eq!(read::<(u8, u8)>(r#""aGk=""#, base64), Ok((b'h', b'i')));
    let text = read::<String>(r#""aGk=""#, base64).unwrap_err().to_string();
    assert_eq!(text, "value at /result: invalid type: bytes, expected a string");
    assert!(read::<char>(r#""aA==""#, base64).is_err());
    assert!(read::<Vec<u8>>(r#""7""#, &[("/result", Hint::Int)]).is_err());
}

#[test]
fn a_hint_of_any_depth_is_refused_in_peace() {
    let pointer = format!("/result{}", "/0".repeat(1_000_000));
    let error = read::<Vec<u8>>("[1]", &[(&pointer, Hint::Int)]).unwrap_err();
    assert_eq!((error.pointer, error.problem.as_str()), (pointer, "a hint names nothing (VAL-5)"));
}

#[test]
fn hints_below_other_members_do_not_concern_this_value() {
    let text: &RawValue = serde_json::from_str(r#""YQ==""#).unwrap();
    let hints: Hints = [("/args/1", Hint::Base64), ("/args/10", Hint::Int), ("/args/0", Hint::Float)]
        .map(|(pointer, hint)| (pointer.to_owned(), hint))
        .into();
    assert_eq!(decode::<Bytes>(text, "/args/1", Some(&hints)), Ok(Bytes(b"a".to_vec())));
    assert_eq!(decode::<String>(text, "/args/2", Some(&hints)), Ok("YQ==".to_owned()));
}

#[test]
fn a_hint_that_does_not_fit_is_an_error_even_beside_what_is_read() {
    let misfit = |text, pointer, hint| {
        read::<serde::de::IgnoredAny>(text, &[(pointer, hint)]).unwrap_err().to_string()
    };
    let nothing = "a hint names nothing (VAL-5)";
    let not_a_string = "a hint names something that is not a string (VAL-5)";
    assert_eq!(misfit(r#"{"a":"1"}"#, "/result/b", Hint::Int), format!("value at /result/b: {nothing}"));
    assert_eq!(misfit(r#"["1"]"#, "/result/1", Hint::Int), format!("value at /result/1: {nothing}"));
    assert_eq!(misfit(r#""1""#, "/result/0", Hint::Int), format!("value at /result/0: {nothing}"));
    assert_eq!(
        misfit(r#"{"a":[1]}"#, "/result/a/0", Hint::Int),
        format!("value at /result/a/0: {not_a_string}")
    );
    assert_eq!(
        misfit(r#"{"a":{}}"#, "/result/a", Hint::Base64),
        format!("value at /result/a: {not_a_string}")
    );
    assert_eq!(misfit("null", "/result", Hint::Float), format!("value at /result: {not_a_string}"));
    assert_eq!(
        misfit(r#"[{"a":"AAE"}]"#, "/result/0/a", Hint::Base64),
        "value at /result/0/a: expected base64 with padding, as its hint says (VAL-5)"
    );
    assert_eq!(misfit(r#"{"~":"1"}"#, "/result/~", Hint::Int), format!("value at /result/~: {nothing}"));
    assert_eq!(
        misfit(r#"{"":"x"}"#, "/result/", Hint::Int),
        "value at /result/: expected a decimal integer, as its \
        hint says (VAL-5)"
    );
}

#[test]
fn a_string_that_is_not_what_its_hint_says_is_refused() {
    let refused = |text: &str, hint| {
        assert!(read::<f64>(text, &[("/result", hint)]).is_err(), "{text} as {hint:?}");
        assert!(read::<i128>(text, &[("/result", hint)]).is_err(), "{text} as {hint:?}");
        assert!(read::<Bytes>(text, &[("/result", hint)]).is_err(), "{text} as {hint:?}");
    };
    for text in [r#""YQ""#, r#""YR==""#, r#""Y Q==""#, r#""_w==""#] {
        refused(text, Hint::Base64);
    }
    for text in [r#""nan""#, r#""1.5""#, r#""+Infinity""#] {
        refused(text, Hint::Float);
    }
    for text in
        [r#""""#, r#""-""#, r#""01""#, r#""-00""#, r#""+1""#, r#""1.0""#, r#"" 1""#, r#""0x1""#, r#""1e3""#]
    {
        refused(text, Hint::Int);
    }
}

#[test]
fn hinted_integers_fit_every_type_that_can_hold_them() {
    let int = &[("/result", Hint::Int)];
    assert_eq!(read::<u64>(r#""18446744073709551615""#, int), Ok(u64::MAX));
    assert_eq!(read::<i64>(r#""-9223372036854775808""#, int), Ok(i64::MIN));
    assert_eq!(read::<u128>(&format!("\"{}\"", u128::MAX), int), Ok(u128::MAX));
    assert_eq!(read::<i128>(&format!("\"{}\"", i128::MIN), int), Ok(i128::MIN));
    assert_eq!(read::<u8>(r#""7""#, int), Ok(7));
    assert_eq!(read::<Option<u8>>(r#""7""#, int), Ok(Some(7)));
    assert!(read::<u8>(r#""256""#, int).is_err());
    let huge = format!("\"{}\"", "9".repeat(60));
    assert!(read::<u128>(&huge, int).is_err());
    assert_eq!(read::<String>(&huge, int), Ok("9".repeat(60)));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a~/\\PC]{0,6}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_value_is_written_and_read_as_serde_json_does(value in value()) {
        let (text, hints) = written(&value, Hinting::Bytes).unwrap();
        prop_assert_eq!(&text, &value.to_string());
        prop_assert!(hints.is_empty());
        let back: Value = read(&text, &[]).unwrap();
        prop_assert_eq!(back, serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (text, hints) = written(&Bytes(&bytes), Hinting::Bytes).unwrap();
        prop_assert_eq!(&hints["/result"], &Hint::Base64);
        prop_assert_eq!(read::<Bytes>(&text, &[("/result", Hint::Base64)]).unwrap().0, bytes);
    }

    #[test]
    fn any_integer_survives_with_hints(value in any::<i128>()) {
        let mut hints = Hints::default();
        let text = encode(&[value], "", Hinting::All, &mut hints).unwrap();
        prop_assert_eq!(decode::<[i128; 1]>(&text, "", Some(&hints)).unwrap(), [value]);
        prop_assert_eq!(hints.len(), usize::from(value.unsigned_abs() >= 1 << 53));
    }
}
