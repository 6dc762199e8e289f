//! The worker that stands behind every relay: blocking sockets, a thread for each connection, next to no work of its own.
//! `echo(text)` returns the text; `chunks(n, size)` streams `n` texts of `size` bytes, each with a write of its own.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::frames::{self, HEADER, Inbox};
use crate::payload;

/// Up to here a reply is copied together for one write.
const TOGETHER: usize = 64 * 1024;
/// Members before the arguments are short.
const HEAD: usize = 512;

/// Serves until the process is killed or its standard input ends.
pub fn run(socket: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    sd_notify::notify(&[sd_notify::NotifyState::Ready])?;
    if let Some(period) = sd_notify::watchdog_enabled() {
        thread::spawn(move || {
            loop {
                thread::sleep(period / 4);
                // An arbiter that is gone is noticed by the lifeline.
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            }
        });
    }
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let stream = stream?;
        // A peer that goes away ends its thread.
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(mut stream: UnixStream) -> io::Result<()> {
    let mut inbox = Inbox::default();
    let mut out = Vec::new();
    while inbox.fill(&mut stream)? > 0 {
        while let Some(frame) = inbox.frame() {
            answer(&frame[HEADER..], &mut out, &mut stream)?;
        }
    }
    Ok(())
}

fn answer(request: &[u8], out: &mut Vec<u8>, stream: &mut UnixStream) -> io::Result<()> {
    let head = &request[..request.len().min(HEAD)];
    let unreadable = || io::Error::other("a request that the benchmark did not send");
    let id = frames::string(head, b"\"id\"").ok_or_else(unreadable)?;
    let action = frames::string(head, b"\"action\"").ok_or_else(unreadable)?;
    if action == b"echo" {
        let text = frames::string(request, b"\"args\"").ok_or_else(unreadable)?;
        return echo(id, text, out, stream);
    }
    let (count, size) = numbers(head).ok_or_else(unreadable)?;
    let mut text = payload::text(size);
    for number in 0..count {
        payload::number(&mut text, number);
        begin(out, b"chunk", id, b"data");
        out.extend_from_slice(&text);
        out.extend_from_slice(b"\"}");
        frames::close(out, HEADER, 0);
        stream.write_all(out)?;
    }
    out.clear();
    let from = frames::open(out);
    out.extend_from_slice(b"{\"type\":\"end\",\"id\":\"");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\"}");
    frames::close(out, from, 0);
    stream.write_all(out)
}

fn echo(id: &[u8], text: &[u8], out: &mut Vec<u8>, stream: &mut UnixStream) -> io::Result<()> {
    const TAIL: &[u8] = b"\"}";
    begin(out, b"response", id, b"result");
    frames::close(out, HEADER, text.len() + TAIL.len());
    if text.len() <= TOGETHER {
        out.extend_from_slice(text);
        out.extend_from_slice(TAIL);
        return stream.write_all(out);
    }
    stream.write_all(out)?;
    stream.write_all(text)?;
    stream.write_all(TAIL)
}

/// A message up to the text that is the value of its last member.
fn begin(out: &mut Vec<u8>, kind: &[u8], id: &[u8], member: &[u8]) {
    out.clear();
    frames::open(out);
    for part in [b"{\"type\":\"", kind, b"\",\"id\":\"", id, b"\",\"", member, b"\":\""] as [&[u8]; 7] {
        out.extend_from_slice(part);
    }
}

fn numbers(head: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let list = text.split_once("\"args\"")?.1.split_once('[')?.1.split_once(']')?.0;
    let (count, size) = list.split_once(',')?;
    Some((count.trim().parse().ok()?, size.trim().parse().ok()?))
}
