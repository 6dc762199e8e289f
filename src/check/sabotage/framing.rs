//! Faults in frames, and in the ends of connections.

use bytes::Bytes;

use super::fault::{Calls, Fault, Hands, Line, Message, NoFrame, both, received, rewrites, sent};
use super::{EVERYONE, SERVERS, Saboteur};
use crate::message::Role;
use crate::wire::{FrameDecoder, Limits};

/// The frame limit of the saboteur whose limit is too low, in bytes.
const SHORT_LIMIT: usize = 1024 * 1024;

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur {
        name: "little-endian-length",
        roles: EVERYONE,
        does: "Writes the length of a frame with its least significant byte first.",
        breaks: &["FRAME-1"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                let length = u32::try_from(message.payload.len()).unwrap_or(u32::MAX);
                hands.say_bytes(on, [&length.to_le_bytes()[..], &message.payload].concat());
            })
        },
    },
    Saboteur {
        name: "length-counts-its-header",
        roles: EVERYONE,
        does: "Counts the four bytes of the header into the length of a frame.",
        breaks: &["FRAME-1"],
        make: || {
            sent::<()>(|_, on, message, hands| {
                let length = u32::try_from(message.payload.len() + 4).unwrap_or(u32::MAX);
                hands.say_bytes(on, [&length.to_be_bytes()[..], &message.payload].concat());
            })
        },
    },
    Saboteur {
        name: "byte-order-mark",
        roles: EVERYONE,
        does: "Writes a byte order mark before every message.",
        breaks: &["FRAME-2"],
        make: || rewrites(|message| Message::new([b"\xef\xbb\xbf", &message.payload[..]].concat())),
    },
    Saboteur {
        name: "oversize-accepted",
        roles: EVERYONE,
        does: "Takes any length for legal, and waits for the payload.",
        breaks: &["FRAME-3", "FRAME-4", "SEC-6"],
        make: || Box::new(NoLimit),
    },
    Saboteur {
        name: "oversize-sent",
        roles: SERVERS,
        does: "Sends a result that is over the frame limit.",
        breaks: &["FRAME-3", "ERR-8", "CALL-11"],
        make: || {
            both::<Calls>(Calls::tell, |calls, on, message, hands| match calls.sent(on, message) {
                Some(call) if call.action == "big" && message.is("error") => {
                    let length = Limits::DEFAULT_MAX_PAYLOAD + 1;
                    hands.say_bytes(on, [&length.to_be_bytes()[..], &message.payload].concat());
                }
                _ => hands.say(on, message),
            })
        },
    },
    Saboteur {
        name: "short-limit",
        roles: SERVERS,
        does: "Has a frame limit of 1 MiB, for what it reads and for what it writes.",
        breaks: &["FRAME-3", "FRAME-13", "CALL-2"],
        make: || {
            both::<()>(
                |(), on, message, hands| match message.payload.len() {
                    // Of a length of zero the honest role says that it is out of the limits.
                    SHORT_LIMIT.. => hands.tell_bytes(on, &[0; 4][..]),
                    _ => hands.tell(on, message),
                },
                |(), on, message, hands| match message.payload.len() {
                    SHORT_LIMIT.. => hands.say(on, &Message::error(None, "DirtyAppError")),
                    _ => hands.say(on, message),
                },
            )
        },
    },
    Saboteur {
        name: "a-read-is-a-frame",
        roles: SERVERS,
        does: "Takes what one read returns for one frame: the rest of it is lost, and so is a frame that comes in pieces.",
        breaks: &["FRAME-5"],
        make: || Box::new(ReadIsFrame),
    },
    Saboteur {
        name: "silent-close",
        roles: &[Role::Arbiter],
        does: "Closes the connection of a bad frame without a word.",
        breaks: &["FRAME-7"],
        make: || Box::new(BadFrames { then: AfterBadFrame::Silence, bad: Vec::new() }),
    },
    Saboteur {
        name: "keeps-bad-connections",
        roles: EVERYONE,
        does: "Keeps the connection of a bad frame or a bad message open.",
        breaks: &["FRAME-7", "FRAME-12", "MSG-14"],
        make: || Box::new(KeepsOpen),
    },
    Saboteur {
        name: "bad-frame-ends-all",
        roles: &[Role::Arbiter],
        does: "Ends with all its connections after a bad frame.",
        breaks: &["FRAME-8"],
        make: || Box::new(BadFrames { then: AfterBadFrame::Crash, bad: Vec::new() }),
    },
    Saboteur {
        name: "ends-with-its-client",
        roles: SERVERS,
        does: "Ends with all its connections when one of them ends.",
        breaks: &["FRAME-8", "FRAME-9", "FRAME-12", "POOL-11", "STREAM-10", "WORK-3"],
        make: || Box::new(EndsWithClient),
    },
    Saboteur {
        name: "ignores-bad-frames",
        roles: EVERYONE,
        does: "Passes over payloads that are no JSON object.",
        breaks: &["FRAME-10", "FRAME-12"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if !message.is_bad_frame() {
                    hands.tell(on, message);
                }
            })
        },
    },
    Saboteur {
        name: "strict-spelling",
        roles: SERVERS,
        does: "Refuses white space between tokens and \\u escapes.",
        breaks: &["FRAME-11"],
        make: || {
            received::<()>(|_, on, message, hands| {
                if is_compact(&message.payload) {
                    hands.tell(on, message);
                } else {
                    hands.tell(on, &Message::new(&b"x"[..]));
                }
            })
        },
    },
    Saboteur {
        name: "takes-a-cut-for-an-end",
        roles: &[Role::Client],
        does: "Takes the end of the stream inside a frame for an orderly close.",
        breaks: &["FRAME-9", "ERR-10"],
        make: || Box::new(DropsCut),
    },
    Saboteur {
        name: "takes-an-end-for-a-cut",
        roles: &[Role::Client],
        does: "Takes every end of the stream for a frame that is cut off.",
        breaks: &["FRAME-9", "ERR-4", "ERR-10"],
        make: || Box::new(AddsCut),
    },
    Saboteur {
        name: "waits-on-a-dead-connection",
        roles: &[Role::Client],
        does: "Goes on waiting for replies when its connection has ended.",
        breaks: &["ERR-4", "ERR-10", "FRAME-9"],
        make: || Box::new(IgnoresEnd),
    },
];

fn is_compact(payload: &[u8]) -> bool {
    let mut in_string = false;
    let mut bytes = payload.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if bytes.next() == Some(b'u') => return false,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => return false,
            _ => {}
        }
    }
    true
}

struct NoLimit;

impl Fault for NoLimit {
    fn received_no_frame(&mut self, on: Line, bytes: Bytes, why: NoFrame, hands: &mut Hands) {
        if why == NoFrame::Cut {
            hands.tell_bytes(on, bytes);
        }
    }
}

struct ReadIsFrame;

impl Fault for ReadIsFrame {
    fn read(&mut self, _on: Line, bytes: Bytes) -> Bytes {
        let mut decoder = FrameDecoder::new(Limits::default());
        decoder.push(&bytes);
        decoder.next_frame().ok().flatten().map(crate::wire::Frame::into_bytes).unwrap_or_default()
    }
}

enum AfterBadFrame {
    Silence,
    Crash,
}

struct BadFrames {
    then: AfterBadFrame,
    bad: Vec<Line>,
}

impl Fault for BadFrames {
    fn received(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        if message.is_bad_frame() {
            self.bad.push(on);
        }
        hands.tell(on, message);
    }

    fn received_no_frame(&mut self, on: Line, bytes: Bytes, _why: NoFrame, hands: &mut Hands) {
        self.bad.push(on);
        hands.tell_bytes(on, bytes);
    }

    fn sent(&mut self, on: Line, message: &Message, hands: &mut Hands) {
        let about_the_frame = message.is("error") && message.id().is_none() && self.bad.contains(&on);
        if !(about_the_frame && matches!(self.then, AfterBadFrame::Silence)) {
            hands.say(on, message);
        }
    }

    fn sent_end(&mut self, on: Line, hands: &mut Hands) {
        hands.end_peer(on);
        if self.bad.contains(&on) && matches!(self.then, AfterBadFrame::Crash) {
            hands.crash();
        }
    }
}

struct KeepsOpen;

impl Fault for KeepsOpen {
    fn sent_end(&mut self, _on: Line, _hands: &mut Hands) {}
}

struct EndsWithClient;

impl Fault for EndsWithClient {
    fn received_end(&mut self, _on: Line, hands: &mut Hands) {
        hands.crash();
    }
}

struct DropsCut;

impl Fault for DropsCut {
    fn received_no_frame(&mut self, on: Line, bytes: Bytes, why: NoFrame, hands: &mut Hands) {
        if why == NoFrame::Length {
            hands.tell_bytes(on, bytes);
        }
    }
}

struct AddsCut;

impl Fault for AddsCut {
    fn received_end(&mut self, on: Line, hands: &mut Hands) {
        hands.tell_bytes(on, &[0; 2][..]);
        hands.end_honest(on);
    }
}

struct IgnoresEnd;

impl Fault for IgnoresEnd {
    fn received_end(&mut self, _on: Line, _hands: &mut Hands) {}
}
