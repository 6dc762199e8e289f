//! Conversations of the golden corpus whose bytes are broken on their way: a bit turned over, an end that comes too soon, a
//! length that lies, frames that change places.
//!
//! Whatever the bytes say then, the same holds: what comes back is well formed and carries an id that was sent, or none;
//! the connection ends once it has been written to its end; others are served meanwhile; nobody dies. A client's call ends,
//! and its next one succeeds.
//!
//! `MUTATIONS=n` makes so many for each role; a failure says which seed makes it again: `MUTATION_SEED=s MUTATIONS=1`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use dirty_arbiter::check::blame;
use dirty_arbiter::check::sabotage::Saboteur;
use dirty_arbiter::check::subject::{Running, Source};
use dirty_arbiter::check::transcript::Setup;
use dirty_arbiter::client::blocking::Client;
use dirty_arbiter::message::{DirtyMessage, ErrorType, Role};
use dirty_arbiter::wire::{FrameDecoder, Limits};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::scripted::{Peer, Script};
use crate::traceability::transcripts;

const PATIENCE: Duration = Duration::from_secs(20);

/// Actions that end by themselves, and whose names no single bit turns into one that does not.
const HARMLESS: [&str; 6] = ["echo", "fail", "count", "count_async", "count_then_fail", "empty"];

/// The requests of each transcript that asks for nothing else.
fn conversations() -> Vec<Vec<Vec<u8>>> {
    let requests = |transcript: &Value| -> Option<Vec<Vec<u8>>> {
        let steps = transcript["steps"].as_array()?.iter();
        let steps = steps.filter(|step| step["from"] == "client");
        let messages = steps.map(|step| {
            let message = rendered(step.get("msg")?, &transcript["vars"]);
            let harmless = HARMLESS.iter().any(|action| message["action"] == *action);
            harmless.then(|| frame(message.to_string().as_bytes()))
        });
        messages.collect::<Option<Vec<_>>>().filter(|frames| !frames.is_empty())
    };
    transcripts().iter().filter_map(|(_, transcript)| requests(transcript)).collect()
}

/// A template as it is sent.
fn rendered(template: &Value, vars: &Value) -> Value {
    match template {
        Value::Object(members) => match members.iter().next() {
            Some((name, Value::String(var))) if name == "$var" => vars[var].clone(),
            Some((name, inner)) if name.starts_with('$') => rendered(inner, vars),
            _ => members.iter().map(|(name, value)| (name.clone(), rendered(value, vars))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| rendered(item, vars)).collect(),
        other => other.clone(),
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&u32::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
}

/// Breaks the bytes of some frames in one way, and says which.
fn mutated(frames: &[Vec<u8>], rng: &mut StdRng) -> (String, Vec<u8>) {
    let mut frames = frames.to_vec();
    let pick = rng.random_range(0..frames.len());
    match rng.random_range(0..4) {
        0 if frames.len() > 1 => {
            let other = (pick + rng.random_range(1..frames.len())) % frames.len();
            frames.swap(pick, other);
            (format!("frames {pick} and {other} change places"), frames.concat())
        }
        1 => {
            let length = frames[pick].len() - 4;
            let lie = match rng.random_range(0..4) {
                0 => 0,
                1 => u32::MAX,
                2 => u32::try_from(length).unwrap() - rng.random_range(1..length.min(40) as u32),
                _ => u32::try_from(length).unwrap() + rng.random_range(1..200),
            };
            frames[pick][..4].copy_from_slice(&lie.to_be_bytes());
            (format!("frame {pick} of {length} bytes says {lie}"), frames.concat())
        }
        2 => {
            let mut bytes = frames.concat();
            bytes.truncate(rng.random_range(0..bytes.len()));
            (format!("cut after {} bytes", bytes.len()), bytes)
        }
        _ => {
            let mut bytes = frames.concat();
            let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
            bytes[at] ^= 1 << bit;
            (format!("bit {bit} of byte {at}"), bytes)
        }
    }
}

/// Runs `play` with a fresh generator for each seed, and fails with the first that it complains about.
fn for_each_seed(play: impl Fn(&mut StdRng) -> Result<(), String>) -> Result<(), String> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("MUTATION_SEED").unwrap_or_else(|| rand::rng().random_range(0..1 << 32));
    for seed in first..first + number("MUTATIONS").unwrap_or(300) {
        play(&mut StdRng::seed_from_u64(seed))
            .map_err(|problem| format!("MUTATION_SEED={seed} MUTATIONS=1: {problem}"))?;
    }
    Ok(())
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Writes broken bytes to an arbiter or a worker, and judges what comes back.
fn judge(socket: &Path, role: Role, bytes: &[u8]) -> Result<(), String> {
    let mut stream = connect(socket);
    match stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)) {
        // Who has read enough to know better may have closed.
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::NotConnected) => {
            return Err(format!("while writing: {error}"));
        }
        _ => {}
    }
    let mut decoder = FrameDecoder::new(Limits::default());
    let mut buffer = [0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => decoder.push(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(format!("the connection does not end: {error}")),
        }
        while let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
            let text = String::from_utf8_lossy(frame.payload()).into_owned();
            blame::check(frame.payload(), role).map_err(|fault| format!("{fault:?}: {text}"))?;
            let message =
                DirtyMessage::decode(frame.payload(), &Limits::default()).map_err(|e| e.to_string())?;
            let sent = String::from_utf8_lossy(bytes);
            let quoted = |id: &str| json!(id).to_string();
            if let Some(id) = message.id().filter(|id| !sent.contains(quoted(id).trim_matches('"'))) {
                return Err(format!("nobody sent the id {id:?}: {text}"));
            }
        }
    }
    decoder.finish().map_err(|error| error.to_string())
}

/// A neighbour asks on a connection of its own.
fn echo(neighbour: &mut UnixStream, number: usize) -> Result<(), String> {
    let request = json!({
        "type": "request", "id": "n", "app_path": "fixture:App", "action": "echo", "args": [number], "kwargs": {},
    });
    let failed = |error: std::io::Error| format!("the neighbour is not served: {error}");
    neighbour.write_all(&frame(request.to_string().as_bytes())).map_err(failed)?;
    let mut header = [0; 4];
    neighbour.read_exact(&mut header).map_err(failed)?;
    let mut payload = vec![0; u32::from_be_bytes(header) as usize];
    neighbour.read_exact(&mut payload).map_err(failed)?;
    let reply: Value = serde_json::from_str(&String::from_utf8_lossy(&payload)).map_err(|e| e.to_string())?;
    match reply["result"]["args"][0] == number {
        true => Ok(()),
        false => Err(format!("the neighbour got {reply}")),
    }
}

fn served(role: Role, saboteur: Option<&'static Saboteur>) -> Running {
    let setup = Setup { threads: 2, ..Setup::default() };
    let mut running = Source::BuiltIn(env!("CARGO_BIN_EXE_dirty").into()).start(role, &setup).unwrap();
    if saboteur.is_some() {
        running.sabotage(saboteur, role).unwrap();
    }
    running
}

fn play(running: &mut Running, role: Role) -> Result<(), String> {
    let conversations = conversations();
    assert!(conversations.len() > 20, "only {} conversations", conversations.len());
    let neighbour = std::cell::RefCell::new(connect(running.socket()));
    let count = std::cell::Cell::new(0);
    for_each_seed(|rng| {
        let frames = &conversations[rng.random_range(0..conversations.len())];
        let (what, bytes) = mutated(frames, rng);
        let judged = judge(running.socket(), role, &bytes);
        count.set(count.get() + 1);
        let served = echo(&mut neighbour.borrow_mut(), count.get());
        judged
            .and(served)
            .map_err(|problem| format!("{what}: {problem}\n{}", String::from_utf8_lossy(&bytes)))
    })?;
    match running.is_alive() && !running.last_words().contains("died") {
        true => Ok(()),
        false => Err(running.last_words()),
    }
}

#[test]
fn an_arbiter_stands_broken_bytes() {
    play(&mut served(Role::Arbiter, None), Role::Arbiter).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn a_worker_stands_broken_bytes() {
    play(&mut served(Role::Worker, None), Role::Worker).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn saboteurs_do_not() {
    for name in ["foreign-id", "error-as-text", "omits-members"] {
        let saboteur = Saboteur::named(name, Role::Arbiter).unwrap();
        let problem = play(&mut served(Role::Arbiter, Some(saboteur)), Role::Arbiter);
        assert!(problem.is_err(), "{name} goes unnoticed");
    }
}

fn request_id(peer: &mut Peer) -> String {
    let request: Value = serde_json::from_str(&peer.read()).unwrap();
    request["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_clients_call_ends_whatever_comes_and_the_next_one_succeeds() {
    for_each_seed(|rng| {
        let (streams, seed) = (rng.random_bool(0.5), rng.random());
        let script = Script::run(move |listener| {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut peer = listener.accept();
            let id = request_id(&mut peer);
            let end = json!({"type": "end", "id": id});
            let chunk = |data: u32| json!({"type": "chunk", "id": id, "data": data});
            let replies = match streams {
                true => vec![chunk(0), chunk(1), end],
                false => vec![json!({"type": "response", "id": id, "result": 1})],
            };
            let frames: Vec<_> = replies.iter().map(|reply| frame(reply.to_string().as_bytes())).collect();
            let (what, bytes) = mutated(&frames, &mut rng);
            peer.send_raw(&bytes);
            drop(peer);
            let mut peer = listener.accept();
            let id = request_id(&mut peer);
            peer.send_raw(&frame(json!({"type": "response", "id": id, "result": 7}).to_string().as_bytes()));
            peer.expect_close();
            what
        });
        let client = Client::connect(script.path());
        match streams {
            // Whatever it gives, it ends.
            true => drop(client.stream::<Value>("a:B", "count", ()).map(Iterator::count)),
            false => drop(client.execute::<Value>("a:B", "echo", ())),
        }
        let next = client.execute::<u32>("a:B", "echo", ());
        // The end of the connection may have come only now.
        let next = next.or_else(|error| match error.error_type() {
            ErrorType::DirtyConnectionError => client.execute("a:B", "echo", ()),
            _ => Err(error),
        });
        drop(client);
        let what = script.finish();
        match next {
            Ok(7) => Ok(()),
            other => Err(format!("{what}: the next call gave {other:?}")),
        }
    })
    .unwrap_or_else(|problem| panic!("{problem}"));
}
