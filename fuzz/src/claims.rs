//! What must hold for any bytes at all. Used by the fuzzer, and by the test suite over mutated golden transcripts.
#![allow(dead_code)]

use dirty_arbiter::message::{DirtyMessage, MessageType};
use dirty_arbiter::transcode::{GdFrame, to_gd, to_json};
use dirty_arbiter::wire::gd::Kind;
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

/// Any split of a byte stream of both codecs gives the same frames and the same end. The first byte chooses the split.
pub fn gd_frames(bytes: &[u8]) {
    let Some((&step, stream)) = bytes.split_first() else { return };
    let whole = decode_both(stream, stream.len().max(1));
    assert_eq!(whole, decode_both(stream, usize::from(step).max(1)));
    assert!(stream.starts_with(&whole.0.concat()), "the frames are not the bytes that came");
}

fn decode_both(stream: &[u8], step: usize) -> Decoded {
    let mut decoder = FrameDecoder::of_both_codecs(LIMITS);
    let mut frames = Vec::new();
    for (number, piece) in stream.chunks(step).enumerate() {
        let room = decoder.buffer_mut().capacity();
        assert!(room <= 4 * (number + 1) * step + 64 * 1024, "{room} bytes reserved");
        decoder.push(piece);
        loop {
            match decoder.next_whole() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    (frames, decoder.finish().err().map(|error| error.to_string()))
}

/// A frame of `gd/1` becomes JSON within the limit, and what is a message comes back the same from there, from the second
/// time on byte for byte (GD-11). Its faults have short places (MSG-13).
pub fn gd_transcode(frame: &[u8]) {
    let Ok(frame) = GdFrame::read(frame) else { return };
    let text = match to_json(frame, Some("1"), true, &LIMITS) {
        Ok(text) => text,
        Err(fault) => {
            assert!(fault.to_string().len() < 1_000, "{} bytes of {fault:.100}", fault.to_string().len());
            return;
        }
    };
    assert!(text.payload().len() <= LIMITS.max_payload as usize);
    // A good message or a bad one, but always a frame (FRAME-10).
    if let Err(error) = Head::read(text.payload(), &LIMITS) {
        assert!(!error.requirement().starts_with("FRAME-"), "{error}");
        return;
    }
    let Some(kind) = Kind::from_code(frame.header.kind).and_then(|kind| MessageType::from_name(kind.name()))
    else {
        panic!("a message of no type")
    };
    let back = to_gd(text.payload(), kind, 1, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let again = to_json(GdFrame::read(&back).expect("a header"), Some("1"), true, &LIMITS);
    let again = again.unwrap_or_else(|fault| panic!("{fault}"));
    let twice = to_gd(again.payload(), kind, 1, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(twice, back);
}
