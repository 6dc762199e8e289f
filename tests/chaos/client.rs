//! A client process: several connections, each with many requests in flight, until standard input ends.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::ledger::{Ledger, Tally};

/// The longest that an answer may take: far more than any limit of the arbiter under test.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections of one process, and requests in flight on each.
const CONNECTIONS: u64 = 4;
const IN_FLIGHT: usize = 8;
/// Of a process's connections only this one is ever left: what the arbiter owes to the others is missed in the end.
const LEAVES: u64 = 0;

/// Runs until standard input ends, then prints what became of every request, as JSON.
pub fn run(socket: &Path, name: &str, seed: u64) {
    let stop = AtomicBool::new(false);
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let stop = &stop;
                scope.spawn(move || connection(socket, name, number, seed, stop))
            })
            .collect();
        let _ = io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::Relaxed);
        for connection in connections {
            all.add(connection.join().unwrap());
        }
    });
    println!("\n{}", all.to_json());
}

/// One connection after another, each with its own requests.
fn connection(socket: &Path, name: &str, number: u64, seed: u64, stop: &AtomicBool) -> Tally {
    let seed = seed * 100 + number;
    let mut all = Tally::default();
    let mut life = 0;
    while !stop.load(Ordering::Relaxed) {
        life += 1;
        let mut ledger = Ledger::new(format!("{name}.{number}.{life}"), seed * 1000 + life);
        match UnixStream::connect(socket) {
            Ok(stream) => converse(stream, &mut ledger, number == LEAVES, stop),
            Err(error) => ledger.tally.wrong.push(format!("cannot connect: {error}")),
        }
        all.add(ledger.tally);
    }
    all
}

/// Keeps the connection busy until it is told to stop, or, if it is one that `leaves`, goes in the middle of everything.
fn converse(mut stream: UnixStream, ledger: &mut Ledger, leaves: bool, stop: &AtomicBool) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        while ledger.open.len() < IN_FLIGHT && !stop.load(Ordering::Relaxed) {
            let (id, request) = ledger.ask();
            send(&mut stream, &request);
            if ledger.chance(20) {
                send(&mut stream, &format!(r#"{{"type":"cancel","id":"{id}"}}"#));
                ledger.open.get_mut(&id).unwrap().cancelled = true;
            }
        }
        if ledger.open.is_empty() {
            return;
        }
        if leaves && ledger.chance(4) {
            // Gone without a word: what was asked for is nobody's any more.
            (0..ledger.open.len()).for_each(|_| ledger.tally.count("left"));
            return;
        }
        match receive(&mut stream) {
            Ok(message) => ledger.receive(&message),
            Err(error) => {
                let lost: Vec<_> = ledger.open.keys().cloned().collect();
                return ledger.tally.wrong.push(format!("lost with {error}: {lost:?}"));
            }
        }
    }
}

fn send(stream: &mut UnixStream, payload: &str) {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(payload.as_bytes());
    // A connection that broke is noticed by the read that follows.
    if stream.write_all(&frame).is_err() {
        let _ = stream.shutdown(Shutdown::Write);
    }
}

fn receive(stream: &mut UnixStream) -> io::Result<Value> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let mut payload = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut payload)?;
    let text = String::from_utf8(payload).map_err(io::Error::other)?;
    serde_json::from_str(&text).map_err(io::Error::other)
}
