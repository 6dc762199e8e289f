//! What a child process prints, line by line into the arbiter's log (WORK-12, WORK-15).
//!
//! A child that floods its output gets the event loop's attention only in turns, so that it stalls nothing but itself:
//! what is not read stays in the pipe, and the kernel stops the writer.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe;

/// Longest line that is logged, in bytes; what is beyond is dropped, and the line marked as cut.
const MAX_LINE: usize = 8 * 1024;
/// Bytes that are read at a time.
const CHUNK: usize = 8 * 1024;
/// Lines that are logged before others get their turn.
const LINES_PER_TURN: usize = 64;
/// What a pipe holds at the most, in bytes.
const PIPE: usize = 1024 * 1024;

/// Takes one line: its text, and whether it was cut.
type Sink = Box<dyn Fn(&str, bool)>;

/// One output stream of one child process.
pub(super) struct Output {
    pipe: pipe::Receiver,
    lines: RefCell<Lines>,
    sink: Sink,
}

impl Output {
    /// Captures what is written to a pipe.
    pub fn new(pipe: OwnedFd, sink: impl Fn(&str, bool) + 'static) -> io::Result<Output> {
        let pipe = pipe::Receiver::from_owned_fd(pipe)?;
        Ok(Output { pipe, lines: RefCell::default(), sink: Box::new(sink) })
    }

    /// Logs what comes until everybody who can write to the pipe has closed it.
    pub async fn log(&self) {
        let mut chunk = vec![0; CHUNK];
        while self.pipe.readable().await.is_ok() {
            match self.pipe.try_read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => self.take(&chunk[..length]).await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(_) => break,
            }
        }
        self.lines.borrow_mut().finish(&self.sink);
    }

    /// Logs what is in the pipe now. After the end of a process that is all that it has printed, though what it has
    /// started may hold the pipe open and print more.
    pub async fn drain(&self) {
        self.take(&[]).await;
        let mut chunk = vec![0; CHUNK];
        // Those who go on printing cannot keep this from ending.
        let mut most = PIPE;
        // Not by way of the event loop, which may not have seen yet that there is something.
        while most > 0 {
            match nix::unistd::read(&self.pipe, &mut chunk) {
                Ok(length @ 1..) => {
                    self.take(&chunk[..length]).await;
                    most = most.saturating_sub(length);
                }
                // `log` may have taken the rest while this gave way, and be in the middle of it.
                _ if !self.lines.borrow().unread.is_empty() => self.take(&[]).await,
                _ => break,
            }
        }
        self.lines.borrow_mut().finish(&self.sink);
    }

    /// Logs the lines that these bytes complete, in turns.
    async fn take(&self, bytes: &[u8]) {
        self.lines.borrow_mut().unread.extend_from_slice(bytes);
        loop {
            let done = self.lines.borrow_mut().turn(&self.sink);
            // Also after the last: more may be in the pipe already.
            tokio::task::yield_now().await;
            if done {
                return;
            }
        }
    }
}

/// Bytes on their way to become lines.
#[derive(Default)]
struct Lines {
    /// What has been read and not been looked at.
    unread: Vec<u8>,
    /// The line that has no end yet.
    line: Vec<u8>,
    /// That line was too long and has been logged: the rest of it is dropped.
    dropping: bool,
}

impl Lines {
    /// Logs some lines; whether those were all.
    fn turn(&mut self, sink: &Sink) -> bool {
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        for _ in 0..LINES_PER_TURN {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.extend(rest, sink);
                return true;
            };
            self.extend(&rest[..end], sink);
            self.end(sink);
            rest = &rest[end + 1..];
        }
        self.unread = rest.to_vec();
        rest.is_empty()
    }

    fn extend(&mut self, bytes: &[u8], sink: &Sink) {
        if self.dropping {
            return;
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MAX_LINE {
            self.line.truncate(MAX_LINE);
            sink(&whole_characters(&self.line), true);
            self.line.clear();
            self.dropping = true;
        }
    }

    fn end(&mut self, sink: &Sink) {
        if !self.dropping {
            sink(&String::from_utf8_lossy(&self.line), false);
        }
        self.line.clear();
        self.dropping = false;
    }

    /// Logs a line that was left without an end.
    fn finish(&mut self, sink: &Sink) {
        if !self.line.is_empty() {
            self.end(sink);
        }
    }
}

/// The text of a line that was cut, without the character that the cut has split.
fn whole_characters(line: &[u8]) -> Cow<'_, str> {
    let whole = match std::str::from_utf8(line) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => line.len(),
    };
    String::from_utf8_lossy(&line[..whole])
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::rc::Rc;

    use super::*;

    /// What was logged, and an output that logs there.
    fn output(pipe: impl Into<OwnedFd>) -> (Rc<RefCell<Vec<String>>>, Output) {
        let logged = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&logged);
        let output = Output::new(pipe.into(), move |line, _| log.borrow_mut().push(line.to_owned()));
        (logged, output.unwrap())
    }

    #[tokio::test]
    async fn a_flood_gives_others_their_turn_after_64_lines() {
        // Many lines in one piece that is read, and just as many as one turn takes.
        for (line, count) in [(&b"\n"[..], 10_000), (&[&[b'x'; 127][..], b"\n"].concat(), 400)] {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let (logged, output) = output(reader);
            writer.write_all(&line.repeat(count)).unwrap();
            drop(writer);
            let (mut seen, mut most) = (0, 0);
            let others = async {
                while seen < count {
                    let now = logged.borrow().len();
                    most = most.max(now - seen);
                    seen = now;
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(biased; output.log(), others);
            assert_eq!(most, LINES_PER_TURN);
        }
    }

    #[tokio::test]
    async fn draining_takes_what_is_there_though_others_hold_the_pipe() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (logged, output) = output(reader);
        writer.write_all(&b"line\n".repeat(10_000)).unwrap();
        writer.write_all(b"no end").unwrap();
        output.drain().await;
        assert_eq!(logged.borrow().len(), 10_001);
        assert_eq!(logged.borrow().last().unwrap(), "no end");
        writer.write_all(b"more\n").unwrap();
        drop(writer);
        output.log().await;
        assert_eq!(logged.borrow().last().unwrap(), "more");
    }
}
