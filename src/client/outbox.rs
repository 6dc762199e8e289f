//! Frames on their way to the arbiter.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::mux::CallId;
use crate::wire::Frame;

/// The frames that the socket has not taken yet.
///
/// It cannot outgrow its callers: a request leaves with the caller that gives it up, unless part of it has been
/// written, and a cancel is added only for a request that has been written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Outgoing>,
    /// Whether the first frame is being written by somebody, or has been in part.
    begun: bool,
}

#[derive(Debug)]
struct Outgoing {
    /// The call whose request this is; `None` for a cancel.
    request: Option<CallId>,
    rest: Bytes,
    /// The length of the whole frame, in bytes.
    whole: usize,
}

impl Outbox {
    pub fn push(&mut self, request: Option<CallId>, frame: Frame) {
        let rest = frame.into_bytes();
        self.frames.push_back(Outgoing { request, whole: rest.len(), rest });
    }

    /// What is to be written next; from now on that frame can no longer be taken back.
    pub fn take(&mut self) -> Option<Bytes> {
        let first = self.frames.front()?;
        self.begun = true;
        Some(first.rest.clone())
    }

    /// Notes that `written` bytes of what [`take`](Self::take) gave have been written.
    pub fn advance(&mut self, written: usize) {
        let Some(first) = self.frames.front_mut() else { return };
        first.rest.advance(written.min(first.rest.len()));
        if first.rest.is_empty() {
            self.frames.pop_front();
            self.begun = false;
        }
    }

    /// Takes a request back that nothing has been written of; says whether it was there.
    pub fn withdraw(&mut self, call: CallId) -> bool {
        let Some(at) = self.frames.iter().position(|frame| frame.request == Some(call)) else { return false };
        if at == 0 && self.begun {
            return false;
        }
        self.frames.remove(at);
        true
    }

    /// Whether a request is here, and nothing of it has been written.
    pub fn is_untouched(&self, call: CallId) -> bool {
        self.frames.iter().any(|frame| frame.request == Some(call) && frame.rest.len() == frame.whole)
    }

    #[cfg(feature = "blocking")]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn clear(&mut self) {
        self.frames.clear();
        self.begun = false;
    }
}
