//! The wire layer: frames survive any split, the scanner agrees with serde_json, nothing panics.

use dirty_arbiter::wire::{Frame, FrameDecoder, FrameError, JsonKind, Limits, Members, scan};
use proptest::prelude::*;

/// Decodes `stream` as it arrives in pieces that end at `cuts`.
fn decode_in_pieces(stream: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(Limits { max_payload: 1 << 16, ..Limits::default() });
    let mut frames = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([stream.len()]) {
        decoder.push(&stream[start..end]);
        start = end;
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame.payload().to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, decoder.finish().err())
}

fn cuts(length: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..=length, 0..12).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_frames(
        (payloads, cuts) in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)
            .prop_flat_map(|payloads| {
                let total = payloads.iter().map(|p| p.len() + 4).sum();
                (Just(payloads), cuts(total))
            })
    ) {
        let stream: Vec<u8> = payloads.iter()
            .flat_map(|p| Frame::from_payload(p, &Limits::default()).expect("within the limits").as_bytes().to_vec())
            .collect();
        prop_assert_eq!(decode_in_pieces(&stream, &cuts), (payloads, None));
    }

    #[test]
    fn arbitrary_bytes_give_the_same_frames_and_error_at_any_split(
        (stream, cuts) in prop::collection::vec(prop_oneof![3 => 0u8..3, 1 => any::<u8>()], 0..200)
            .prop_flat_map(|stream| { let length = stream.len(); (Just(stream), cuts(length)) })
    ) {
        prop_assert_eq!(decode_in_pieces(&stream, &cuts), decode_in_pieces(&stream, &[]));
    }

    #[test]
    fn the_scanner_accepts_exactly_what_serde_json_accepts(text in nearly_json()) {
        let ours = scan(text.as_bytes(), |_| ());
        let theirs: Result<&serde_json::value::RawValue, _> = serde_json::from_str(&text);
        match ours {
            Ok(summary) => prop_assert!(summary.non_finite.is_some() || theirs.is_ok(), "{text:?}: {theirs:?}"),
            Err(FrameError::NotObject { found: JsonKind::NonFinite }) => (),
            Err(FrameError::NotObject { .. }) => prop_assert!(theirs.is_ok() || text.contains('N') || text.contains("Inf")),
            // serde_json refuses a number over 128 levels' recursion and ranges only when it parses; RawValue does not.
            Err(error) => prop_assert!(theirs.is_err(), "{text:?}: we say {error}"),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_scanner(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = scan(&bytes, |_| ());
    }
}

/// JSON-like texts: legal ones, and the same with one edit.
fn nearly_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0.0e+5".to_owned()),
        Just("1e400".to_owned()),
        Just("NaN".to_owned()),
        Just("-Infinity".to_owned()),
        Just(r#""\ud83d""#.to_owned()),
        "\"[a-z é\u{1F600}]{0,40}\"",
        "-?[0-9]{1,3}(\\.[0-9])?",
    ];
    let value = leaf.prop_recursive(6, 40, 4, |inner| {
        let member = inner.clone().prop_map(|v| format!("\"k\\u0041\" : {v}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,\n"))),
            prop::collection::vec(member, 0..4).prop_map(|items| format!("{{{}}}", items.join(","))),
        ]
    });
    (
        value,
        any::<prop::sample::Index>(),
        prop_oneof![2 => Just(String::new()), 1 => "[\\[\\]{}:,\"\\\\0-9eNI\u{1}é -]"],
        any::<bool>(),
    )
        .prop_map(|(text, at, edit, remove)| {
            if edit.is_empty() {
                return text;
            }
            let mut characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            if remove {
                characters.remove(at);
            } else {
                characters.insert(at, edit.chars().next().unwrap_or(' '));
            }
            characters.into_iter().collect()
        })
}

#[test]
fn a_header_alone_reserves_no_memory() {
    let mut decoder = FrameDecoder::new(Limits::default());
    decoder.push(&Limits::DEFAULT_MAX_PAYLOAD.to_be_bytes());
    assert!(decoder.buffer_mut().capacity() < 64 * 1024);
}

#[test]
fn the_length_is_judged_before_the_payload() {
    for (header, error) in [
        ([0, 0, 0, 0], FrameError::Empty),
        ([4, 0, 0, 1], FrameError::TooLarge { length: 67_108_865, limit: 67_108_864 }),
        ([0xff; 4], FrameError::TooLarge { length: 0xffff_ffff, limit: 67_108_864 }),
    ] {
        let mut decoder = FrameDecoder::new(Limits::default());
        decoder.push(&header);
        assert_eq!(decoder.next_frame(), Err(error));
    }
}

#[test]
fn nesting_is_counted_without_recursion() {
    for levels in [1usize, 63, 64, 65, 127, 128, 129, 512, 1_000_000] {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let summary = scan(text.as_bytes(), |_| ()).expect("legal JSON");
        assert_eq!(summary.depth, levels + 1);
        let mixed = format!("{{\"a\":{}1{}}}", "{\"b\":[".repeat(levels), "]}".repeat(levels));
        assert_eq!(scan(mixed.as_bytes(), |_| ()).expect("legal JSON").depth, 2 * levels + 1);
        let crossed = format!("{{\"a\":{}1{}}}", "{\"b\":[".repeat(levels), "}]".repeat(levels));
        assert!(scan(crossed.as_bytes(), |_| ()).is_err());
    }
}

#[test]
fn members_are_slices_with_decoded_names() {
    let text = br#" { "\u0069d" : "x\n" , "args":[1, 2] ,"id":NaN } "#;
    let members = Members::read(text, &Limits::default()).expect("legal but for NaN");
    let seen: Vec<_> = members.iter().map(|m| (m.key.as_ref(), m.value, m.kind)).collect();
    assert_eq!(
        seen,
        [
            ("id", r#""x\n""#, JsonKind::String),
            ("args", "[1, 2]", JsonKind::Array),
            ("id", "NaN", JsonKind::NonFinite)
        ]
    );
    assert_eq!(members.first_duplicate(), Some("id"));
    assert_eq!(members.summary().non_finite, Some(43));
}
