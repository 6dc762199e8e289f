//! What must hold for any bytes at all. Used by the fuzzer, and by the test suite over mutated golden transcripts.
#![allow(dead_code)]

use dirty_arbiter::message::DirtyMessage;
use dirty_arbiter::wire::{Frame, FrameDecoder, Head, Limits};

/// A limit small enough for a fuzzer to reach its edge.
const LIMITS: Limits = Limits { max_payload: 4096, max_depth: 64, allow_non_finite: false };

/// Any split of a byte stream gives the same frames and the same end, and memory follows the bytes that came (FRAME-5,
/// FRAME-6). The first byte chooses the split.
pub fn frames(bytes: &[u8]) {
    let Some((&step, stream)) = bytes.split_first() else { return };
    let whole = decode(stream, stream.len().max(1));
    let pieces = decode(stream, usize::from(step).max(1));
    assert_eq!(whole, pieces);
    let framed: usize = whole.0.iter().map(|payload| payload.len() + 4).sum();
    assert!(framed <= stream.len());
}

type Decoded = (Vec<Vec<u8>>, Option<String>);

fn decode(stream: &[u8], step: usize) -> Decoded {
    let mut decoder = FrameDecoder::new(LIMITS);
    let mut payloads = Vec::new();
    for (number, piece) in stream.chunks(step).enumerate() {
        let room = decoder.buffer_mut().capacity();
        assert!(room <= 4 * (number + 1) * step + 64 * 1024, "{room} bytes reserved");
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => payloads.push(frame.payload().to_vec()),
                Ok(None) => break,
                Err(error) => return (payloads, Some(error.to_string())),
            }
        }
    }
    (payloads, decoder.finish().err().map(|error| error.to_string()))
}

/// The head scanner and the full decoder give the same verdict, and read the same head.
pub fn head(payload: &[u8]) {
    match (Head::read(payload, &LIMITS), DirtyMessage::decode(payload, &LIMITS)) {
        (Ok(head), Ok(message)) => {
            assert_eq!(head.message_type(), message.message_type());
            assert_eq!(head.id(), message.id());
            if let (Head::Request { app_path, action, timeout, .. }, DirtyMessage::Request(request)) =
                (&head, &message)
            {
                assert_eq!(app_path.as_ref(), request.app_path.as_str());
                assert_eq!(action.as_ref(), request.action.as_str());
                assert_eq!(*timeout, request.timeout.map(Into::into));
            }
        }
        (Err(scanned), Err(decoded)) => assert_eq!(scanned, decoded),
        (scanned, decoded) => panic!("head: {scanned:?}, decoder: {decoded:?}"),
    }
}

/// What decodes survives encoding, byte for byte from the second time on.
pub fn message(payload: &[u8]) {
    let Ok(message) = DirtyMessage::decode(payload, &LIMITS) else { return };
    let text = message.encode();
    let again = DirtyMessage::decode(&text, &Limits { max_payload: u32::MAX, ..LIMITS });
    let again = again.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
    assert_eq!(again.encode(), text);
    assert!(Frame::from_payload(&text, &Limits::default()).is_ok());
}
