//! How bytes are handed to the kernel: rewrites of a conversation that no conforming peer may notice (FRAME-5).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many bytes of one send are written one by one; the rest goes in blocks.
const SINGLE_BYTES: usize = 4096;

/// The block in which padding is written, in bytes.
const BLOCK: usize = 64 * 1024;

/// The pause between the pieces of a split header.
const SPLIT_PAUSE: Duration = Duration::from_millis(1);

/// A way to write the same bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Each send with one write, as far as the kernel takes it.
    #[default]
    Whole,
    /// One byte per write (the first 4096 of each send).
    BytePerWrite,
    /// Two bytes, a pause of 1 ms, the rest.
    SplitHeader,
    /// Sends that follow one another on a connection with one write.
    Coalesced,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Delivery; 4] =
        [Delivery::Whole, Delivery::BytePerWrite, Delivery::SplitHeader, Delivery::Coalesced];

    /// Its name on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Delivery::Whole => "whole",
            Delivery::BytePerWrite => "byte-per-write",
            Delivery::SplitHeader => "split-header",
            Delivery::Coalesced => "coalesced",
        }
    }
}

impl std::str::FromStr for Delivery {
    type Err = String;

    fn from_str(name: &str) -> Result<Delivery, String> {
        let found = Delivery::ALL.into_iter().find(|delivery| delivery.name() == name);
        found.ok_or_else(|| {
            format!("{name:?} is no delivery: expected whole, byte-per-write, split-header or coalesced")
        })
    }
}

/// What is still to be written on a connection.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    delivery: Delivery,
    queue: VecDeque<Piece>,
    /// Written again only from then on.
    resume: Option<Instant>,
}

#[derive(Debug)]
enum Piece {
    Bytes { data: Vec<u8>, written: usize },
    Pad { block: Vec<u8>, left: u64 },
    Pause,
}

impl Outgoing {
    pub(super) fn new(delivery: Delivery) -> Outgoing {
        Outgoing { delivery, ..Outgoing::default() }
    }

    /// Queues the bytes of one send.
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        match (self.delivery, self.queue.back_mut()) {
            (Delivery::Coalesced, Some(Piece::Bytes { data, .. })) => data.extend_from_slice(&bytes),
            (Delivery::SplitHeader, _) if bytes.len() > 2 => {
                let (head, rest) = bytes.split_at(2);
                self.queue.push_back(Piece::Bytes { data: head.to_vec(), written: 0 });
                self.queue.push_back(Piece::Pause);
                self.queue.push_back(Piece::Bytes { data: rest.to_vec(), written: 0 });
            }
            _ if bytes.is_empty() => {}
            _ => self.queue.push_back(Piece::Bytes { data: bytes, written: 0 }),
        }
    }

    /// Queues `count` times `byte`, which takes no memory of that size.
    pub(super) fn push_pad(&mut self, byte: u8, count: u64) {
        let block = vec![byte; BLOCK.min(usize::try_from(count).unwrap_or(BLOCK))];
        if count > 0 {
            self.queue.push_back(Piece::Pad { block, left: count });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.resume = None;
    }

    /// When writing may go on, if it must wait.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.resume
    }

    /// The bytes for the next write; none when there is nothing, or not yet.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        if self.resume.is_some_and(|resume| Instant::now() < resume) {
            return None;
        }
        self.resume = None;
        if matches!(self.queue.front(), Some(Piece::Pause)) {
            self.queue.pop_front();
            self.resume = Some(Instant::now() + SPLIT_PAUSE);
            return None;
        }
        match self.queue.front()? {
            Piece::Bytes { data, written }
                if self.delivery == Delivery::BytePerWrite && *written < SINGLE_BYTES =>
            {
                data.get(*written..=*written)
            }
            Piece::Bytes { data, written } => data.get(*written..),
            Piece::Pad { block, left } => {
                Some(&block[..block.len().min(usize::try_from(*left).unwrap_or(usize::MAX))])
            }
            Piece::Pause => None,
        }
    }

    /// Takes note that `count` bytes of [`next`](Self::next) have been written.
    pub(super) fn advance(&mut self, count: usize) {
        let done = match self.queue.front_mut() {
            Some(Piece::Bytes { data, written }) => {
                *written += count;
                *written >= data.len()
            }
            Some(Piece::Pad { left, .. }) => {
                *left = left.saturating_sub(count as u64);
                *left == 0
            }
            _ => false,
        };
        if done {
            self.queue.pop_front();
        }
    }
}
