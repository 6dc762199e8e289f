//! The load generator: one thread, any number of connections, a number of calls in flight on each. Every reply is compared
//! with what it has to be, id and payload.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::frames::{self, HEADER, Inbox};
use crate::payload;
use crate::scenarios::{Kind, Scenario};

const PATIENCE: u16 = 20_000;

/// What one run of the load saw.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Calls or chunks a second, after the warm-up.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Calls or chunks in all, the warm-up included.
    pub total: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.rate, self.p50.as_nanos(), self.p99.as_nanos(), self.total)
    }
}

impl Outcome {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let rate = words.next()?.parse().ok()?;
        let mut nanos = || Some(Duration::from_nanos(words.next()?.parse().ok()?));
        let (p50, p99) = (nanos()?, nanos()?);
        Some(Self { rate, p50, p99, total: words.next()?.parse().ok()? })
    }
}

struct Call {
    number: usize,
    begun: Instant,
    chunks: usize,
}

struct Connection {
    stream: UnixStream,
    inbox: Inbox,
    calls: HashMap<usize, Call>,
}

struct Load<'a> {
    scenario: &'a Scenario,
    text: Vec<u8>,
    expected: Vec<u8>,
    out: Vec<u8>,
    next: usize,
    times: Vec<Duration>,
    units: u64,
}

/// Loads what listens on one of `sockets`, connections by turns, for so long after a warm-up of a quarter of that.
pub fn run(scenario: &Scenario, sockets: &[&Path], seconds: f64) -> io::Result<Outcome> {
    let mut load = Load {
        scenario,
        text: payload::text(scenario.size),
        expected: payload::text(scenario.size),
        out: Vec::new(),
        next: 0,
        times: Vec::new(),
        units: 0,
    };
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut connections = Vec::new();
    for number in 0..scenario.connections {
        let stream = UnixStream::connect(sockets[number % sockets.len()])?;
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
        connections.push(Connection { stream, inbox: Inbox::default(), calls: HashMap::new() });
    }
    for connection in &mut connections {
        for _ in 0..scenario.depth {
            load.call(connection)?;
        }
    }
    let warm = Instant::now() + Duration::from_secs_f64(seconds / 4.0);
    let end = warm + Duration::from_secs_f64(seconds);
    let (mut begun, mut before) = (None, 0);
    let mut events = [EpollEvent::empty(); 64];
    loop {
        let now = Instant::now();
        if begun.is_none() && now >= warm {
            begun = Some(now);
            before = load.units;
            load.times.clear();
        }
        if let (Some(begun), true) = (begun, now >= end && !load.times.is_empty()) {
            return Ok(load.outcome(now - begun, before));
        }
        let count = epoll.wait(&mut events, EpollTimeout::from(PATIENCE))?;
        if count == 0 {
            return Err(io::Error::other(format!("no reply within {} s", PATIENCE / 1000)));
        }
        for event in &events[..count] {
            load.read(&mut connections[event.data() as usize])?;
        }
    }
}

impl Load<'_> {
    fn call(&mut self, connection: &mut Connection) -> io::Result<()> {
        let number = self.next;
        self.next += 1;
        let out = &mut self.out;
        out.clear();
        let from = frames::open(out);
        write!(out, "{{\"type\":\"request\",\"id\":\"{number}\",\"app_path\":\"bench:App\",\"action\":")?;
        match self.scenario.kind {
            Kind::Echo => {
                payload::number(&mut self.text, number);
                out.extend_from_slice(b"\"echo\",\"args\":[\"");
                out.extend_from_slice(&self.text);
                out.extend_from_slice(b"\"],\"kwargs\":{}}");
            }
            Kind::Stream { chunks } => {
                write!(out, "\"chunks\",\"args\":[{chunks},{}],\"kwargs\":{{}}}}", self.scenario.size)?;
            }
        }
        frames::close(out, from, 0);
        connection.stream.write_all(out)?;
        connection.calls.insert(number, Call { number, begun: Instant::now(), chunks: 0 });
        Ok(())
    }

    fn read(&mut self, connection: &mut Connection) -> io::Result<()> {
        if connection.inbox.fill(&mut connection.stream)? == 0 {
            return Err(io::Error::other("the connection was closed"));
        }
        let mut inbox = std::mem::take(&mut connection.inbox);
        while let Some(frame) = inbox.frame() {
            if self.reply(&frame[HEADER..], connection)? {
                self.call(connection)?;
            }
        }
        connection.inbox = inbox;
        Ok(())
    }

    /// Whether the reply ended its call.
    fn reply(&mut self, reply: &[u8], connection: &mut Connection) -> io::Result<bool> {
        let head = &reply[..reply.len().min(200)];
        let wrong = || io::Error::other(format!("wrong reply: {}", String::from_utf8_lossy(head)));
        let number: usize = frames::string(head, b"\"id\"")
            .and_then(|id| std::str::from_utf8(id).ok()?.parse().ok())
            .ok_or_else(wrong)?;
        let call = connection.calls.get_mut(&number).ok_or_else(wrong)?;
        let kind = frames::string(head, b"\"type\"").ok_or_else(wrong)?;
        let ends = match (self.scenario.kind, kind) {
            (Kind::Echo, b"response") => {
                payload::number(&mut self.expected, call.number);
                if frames::string(reply, b"\"result\"") != Some(&self.expected[..]) {
                    return Err(wrong());
                }
                true
            }
            (Kind::Stream { .. }, b"chunk") => {
                payload::number(&mut self.expected, call.chunks);
                if frames::string(reply, b"\"data\"") != Some(&self.expected[..]) {
                    return Err(wrong());
                }
                call.chunks += 1;
                self.units += 1;
                false
            }
            (Kind::Stream { chunks }, b"end") if call.chunks == chunks => true,
            _ => return Err(wrong()),
        };
        if ends {
            self.times.push(call.begun.elapsed());
            self.units += u64::from(matches!(self.scenario.kind, Kind::Echo));
            connection.calls.remove(&number);
        }
        Ok(ends)
    }

    fn outcome(&mut self, took: Duration, before: u64) -> Outcome {
        self.times.sort_unstable();
        let at = |share: f64| self.times[((self.times.len() - 1) as f64 * share) as usize];
        Outcome {
            rate: (self.units - before) as f64 / took.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            total: self.units,
        }
    }
}
