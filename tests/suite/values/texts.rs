//! Names of members, and values that are JSON text already.

use std::collections::BTreeMap;

use dirty_arbiter::message::Hint;
use dirty_arbiter::values::{AnyValue, Hinting};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Flag, read, written};

fn plain<T: Serialize>(value: &T) -> String {
    written(value, Hinting::None).unwrap().0
}

#[test]
fn names_are_spelled_as_serde_json_spells_them() {
    assert_eq!(plain(&BTreeMap::from([(-1, 'a'), (7, 'b')])), r#"{"-1":"a","7":"b"}"#);
    assert_eq!(plain(&BTreeMap::from([(true, 1)])), r#"{"true":1}"#);
    assert_eq!(plain(&BTreeMap::from([('"', 1)])), r#"{"\"":1}"#);
    assert_eq!(plain(&BTreeMap::from([(Some(Flag::On), 1)])), r#"{"On":1}"#);
}

/// An object with one member, whatever its name.
struct Named<K>(K);

impl<K: Serialize> Serialize for Named<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.0, 1)])
    }
}

#[test]
fn what_is_no_name_is_refused() {
    fn refused(value: impl Serialize, what: &str) {
        let error = written(&Named(value), Hinting::All).unwrap_err().to_string();
        let start = format!("value at /result: {what} cannot be the name of a member: expected");
        assert!(error.starts_with(&start), "{error}");
    }
    refused(1.5, "a floating point number");
    refused(f32::NAN, "a floating point number");
    refused((), "nothing");
    refused(None::<u8>, "nothing");
    refused([1], "an array");
    refused(BTreeMap::from([(1, 2)]), "an object");
}

#[test]
fn a_raw_integer_beyond_what_a_double_holds_is_hinted_like_any_other() {
    for digits in ["9007199254740992", "-9007199254740992", "123456789012345678901234567890"] {
        let raw: &RawValue = serde_json::from_str(digits).unwrap();
        let (text, hints) = written(&[raw], Hinting::All).unwrap();
        assert_eq!((text, hints["/result/0"]), (format!("[\"{digits}\"]"), Hint::Int));
        assert_eq!(written(&raw, Hinting::Bytes).unwrap().0, digits);
    }
    for text in
        ["9007199254740991", "-9007199254740991", "9007199254740992.0", "1e400", "\"9007199254740992\""]
    {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let (same, hints) = written(&raw, Hinting::All).unwrap();
        assert_eq!((same.as_str(), hints.len()), (text, 0));
    }
}

#[test]
fn any_value_is_kept_as_it_came() {
    let text = r#"{"b": 1.10, "a": "12", "b": [1e400, "\ud83d"]}"#;
    let kept: AnyValue<'_> = read(text, &[]).unwrap();
    assert_eq!((kept.json(), kept.hints().count()), (text, 0));
    assert_eq!(written(&kept, Hinting::None).unwrap().0, text);

    let kept: Vec<AnyValue<'_>> = read(&format!("[1,{text}]"), &[("/result/1/a", Hint::Int)]).unwrap();
    assert_eq!(kept[0].hints().count(), 0);
    assert_eq!(kept[1].hints().collect::<Vec<_>>(), [("/a", Hint::Int)]);
    assert_eq!(written(&kept[1], Hinting::None).unwrap().0, r#"{"b":1.10,"a":12,"b":[1e400, "\ud83d"]}"#);
    let wrong = kept[1].read::<BTreeMap<String, u8>>().unwrap_err();
    assert_eq!(wrong.pointer, "/b");
    let wrong = kept[1].read::<u8>().unwrap_err().to_string();
    assert_eq!(wrong, "value: invalid type: map, expected u8");

    let outside: AnyValue<'_> = serde_json::from_str(text).unwrap();
    assert_eq!(outside.json(), text);
}
