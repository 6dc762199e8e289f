//! Replies as frames, each written once, straight into one reused buffer.

use serde::Serialize;

use crate::message::RequestId;
use crate::values::{Hinting, Problem, Refusal, Writer};
use crate::wire::{HEADER_LEN, Limits};

/// A result or item that cannot be sent: what is wrong, and where in the message (ERR-7).
#[derive(Debug, thiserror::Error)]
#[error("cannot send the value at {}: {}{} ({})", .0.pointer, .0.problem, self.advice(), self.requirement())]
pub(crate) struct EncodeError(Refusal);

impl EncodeError {
    /// The requirement by which it is an error.
    pub(crate) fn requirement(&self) -> &'static str {
        match self.0.problem {
            Problem::NonFinite(_) | Problem::Name(_) | Problem::Custom(_) => "ERR-7",
            Problem::Bytes => "VAL-7",
            Problem::TooDeep(_) => "VAL-3",
            Problem::TooLong(_) => "ERR-8",
        }
    }

    /// JSON Pointer into the message.
    pub(crate) fn into_pointer(self) -> String {
        self.0.pointer
    }

    fn advice(&self) -> &'static str {
        match self.0.problem {
            Problem::NonFinite(_) | Problem::Bytes => ", by \"accept_hints\": true in the request",
            _ => "",
        }
    }
}

/// Writes the replies to one request after the other.
pub(crate) struct Encoder {
    writer: Writer,
    /// The id of the request, as JSON text.
    id: Vec<u8>,
    hinting: Hinting,
    limits: Limits,
}

/// A buffer that grew beyond this for one message is not kept for the next.
const KEPT_CAPACITY: usize = 1024 * 1024;

impl Encoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Encoder { writer: Writer::new(limits), id: Vec::new(), hinting: Hinting::None, limits }
    }

    /// Takes up a request: what follows are its replies.
    pub(crate) fn begin(&mut self, id: &RequestId, accept_hints: bool) {
        self.id.clear();
        push_string(&mut self.id, id.as_str());
        self.hinting = if accept_hints { Hinting::All } else { Hinting::None };
    }

    /// The frame of a `response`.
    pub(crate) fn response<T: Serialize + ?Sized>(&mut self, result: &T) -> Result<&[u8], EncodeError> {
        self.message("response", "/result", result)
    }

    /// The frame of a `chunk`.
    pub(crate) fn chunk<T: Serialize + ?Sized>(&mut self, data: &T) -> Result<&[u8], EncodeError> {
        self.message("chunk", "/data", data)
    }

    /// The frame of an `end`.
    pub(crate) fn end(&mut self) -> &[u8] {
        self.open("end");
        self.close()
    }

    fn message<T: Serialize + ?Sized>(
        &mut self,
        kind: &str,
        at: &str,
        value: &T,
    ) -> Result<&[u8], EncodeError> {
        self.open(kind);
        self.next_member(at.trim_start_matches('/'));
        self.writer.write(value, at, self.hinting).map_err(EncodeError)?;
        self.push_hints();
        let limit = self.limits.max_payload;
        // With the brace that is still to come.
        if self.writer.out.len() + 1 - HEADER_LEN > limit as usize {
            let problem = Problem::TooLong(limit);
            return Err(EncodeError(Refusal { pointer: at.to_owned(), problem }));
        }
        Ok(self.close())
    }

    /// Writes what stands before the value of a message.
    fn open(&mut self, kind: &str) {
        let out = &mut self.writer.out;
        if out.capacity() > KEPT_CAPACITY {
            *out = Vec::new();
        }
        out.clear();
        out.extend_from_slice(&[0; HEADER_LEN]);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"id\":");
        out.extend_from_slice(&self.id);
    }

    fn next_member(&mut self, name: &str) {
        let out = &mut self.writer.out;
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    }

    /// Writes the hints for the value, if there are any.
    fn push_hints(&mut self) {
        if self.writer.hints.is_empty() {
            return;
        }
        self.next_member("hints");
        let Writer { out, hints, .. } = &mut self.writer;
        for (index, (pointer, hint)) in hints.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            push_string(out, pointer);
            out.push(b':');
            push_string(out, hint.as_str());
        }
        out.push(b'}');
    }

    /// Ends the message, and fills in the header.
    fn close(&mut self) -> &[u8] {
        let out = &mut self.writer.out;
        out.push(b'}');
        // Within the limit, which is a u32: `message` has seen to it, and an `end` is short.
        let length = u32::try_from(out.len() - HEADER_LEN).unwrap_or(u32::MAX);
        out[..HEADER_LEN].copy_from_slice(&length.to_be_bytes());
        out
    }
}

/// Appends `text` as a JSON string.
fn push_string(out: &mut Vec<u8>, text: &str) {
    // Cannot fail: a Vec takes every write.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::DirtyMessage;
    use crate::values::Bytes;

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

    /// Serialises its parts, and shrugs where that fails.
    struct Careless<'v>(&'v [(String, Bytes, f64)]);

    impl Serialize for Careless<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap as _;
            let mut map = serializer.serialize_map(None)?;
            for (name, bytes, number) in self.0 {
                let _ = map.serialize_entry(name, bytes);
                let _ = map.serialize_entry("n", number);
            }
            map.end()
        }
    }

    proptest! {
        #[test]
        fn no_frame_is_longer_than_the_limit(
            value: Vec<(String, Vec<u8>, f64)>,
            max_payload in 30u32..400,
            hints: bool,
        ) {
            let value: Vec<_> = value.into_iter().map(|(text, bytes, n)| (text, Bytes(bytes), n)).collect();
            let limits = Limits { max_payload, ..Limits::default() };
            let mut full = encoder(hints, Limits::default());
            let whole = full.response(&value).map(|frame| payload(frame).to_vec());
            let mut limited = encoder(hints, limits);
            let careless = limited.chunk(&Careless(&value)).map(|frame| payload(frame).len()).ok();
            prop_assert!(careless.is_none_or(|length| length <= max_payload as usize));
            match (whole, limited.response(&value)) {
                (Ok(whole), Ok(frame)) => {
                    prop_assert!(whole.len() <= max_payload as usize);
                    prop_assert_eq!(payload(frame), whole);
                }
                (Ok(whole), Err(error)) => {
                    prop_assert_eq!(error.requirement(), "ERR-8", "{}", error);
                    prop_assert!(whole.len() > max_payload as usize);
                }
                (Err(_), limited) => prop_assert!(limited.is_err()),
            }
        }
    }

    #[test]
    fn a_refused_reply_does_not_affect_the_next() {
        let mut encoder = encoder(false, Limits::default());
        let error = encoder.response(&("a", Bytes(b"b"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot send the value at /result/1: bytes are not JSON and can be sent only where hints are accepted, \
             by \"accept_hints\": true in the request (VAL-7)"
        );
        assert_eq!(
            payload(encoder.response(&1).unwrap()),
            "{\"type\":\"response\",\"id\":\"é\\\"1\",\"result\":1}".as_bytes()
        );
        assert_eq!(payload(encoder.end()), "{\"type\":\"end\",\"id\":\"é\\\"1\"}".as_bytes());
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
        assert_eq!(error.into_pointer(), format!("/result{}", "/0".repeat(9)));
    }
}
