//! A small configuration of the arbiter's core, explored exhaustively: every order in which two clients, two workers and
//! time can act, up to a bound on how often each thing happens. Random schedules (`core_properties`) go further; this
//! leaves no short schedule out.
//!
//! Two states are the same when the core and its surroundings print the same, with times relative to now.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use dirty_arbiter::arbiter::core::{
    AppAllocation, ConnId, CoreConfig, Event, ReplyKind, SlotId, WorkerExit, WorkerId,
};

use crate::core_world::{APPS, World};

const FIRST: ConnId = ConnId(1);
const SECOND: ConnId = ConnId(2);

/// How often each thing may still happen.
#[derive(Debug, Clone, Copy, Hash)]
struct Budget {
    requests: u8,
    chunks: u8,
    strays: u8,
    cancels: u8,
    crashes: u8,
    departures: u8,
    waits: u8,
    reloads: u8,
}

/// One thing that may happen next.
#[derive(Debug, Clone, Copy)]
enum Move {
    /// A client asks; both clients use the same ids.
    Request(ConnId, &'static str),
    Reply(SlotId, ReplyKind),
    Stray(SlotId),
    Cancel(ConnId, &'static str),
    /// A worker dies, as it was told to or of itself.
    Exit(WorkerId),
    Leave(ConnId),
    /// Time passes until something is due.
    Wait,
    Ready(WorkerId),
    Open(SlotId),
    Reload,
}

#[derive(Clone)]
struct State {
    world: World,
    budget: Budget,
    /// How it came about.
    path: Vec<Move>,
}

fn begin(budget: Budget) -> State {
    let mut world = World::with(CoreConfig {
        apps: vec![AppAllocation::everywhere(APPS[0])],
        workers: 2,
        threads: 1,
        timeout: Duration::from_secs(4),
        queue_timeout: Duration::ZERO,
        boot_timeout: Duration::ZERO,
        cancel_grace: Duration::from_secs(2),
        graceful_timeout: Duration::from_secs(8),
        watchdog: Duration::ZERO,
        queue: 2,
    });
    world.boot_all();
    // Long enough that their death is a crash and no failed boot.
    world.wait(2_000);
    world.connect();
    world.connect();
    State { world, budget, path: Vec::new() }
}

impl State {
    /// Everything that may happen in this state.
    fn moves(&self) -> Vec<Move> {
        let (world, left) = (&self.world, &self.budget);
        let mut moves = Vec::new();
        let here = |conn: &ConnId| world.conns.contains_key(conn);
        if left.requests > 0 {
            for (conn, id) in [(FIRST, "a"), (FIRST, "b"), (SECOND, "a")] {
                if here(&conn) && !world.asked(conn, id) {
                    moves.push(Move::Request(conn, id));
                }
            }
        }
        if left.cancels > 0 && here(&FIRST) && world.asked(FIRST, "a") {
            moves.push(Move::Cancel(FIRST, "a"));
        }
        for slot in world.slots(|slot| slot.running.is_some()) {
            moves.push(Move::Reply(slot, ReplyKind::Response));
            if left.chunks > 0 {
                moves.push(Move::Reply(slot, ReplyKind::Chunk));
            }
        }
        if left.strays > 0 {
            moves.extend(world.slots(|slot| slot.open).into_iter().map(Move::Stray));
        }
        for (id, worker) in &world.workers {
            if left.crashes > 0 || worker.signalled.is_some() {
                moves.push(Move::Exit(*id));
            }
            if !worker.ready {
                moves.push(Move::Ready(*id));
            }
        }
        moves.extend(world.slots(|slot| !slot.open && !slot.gone).into_iter().map(Move::Open));
        if left.departures > 0 {
            moves.extend(world.conns.keys().copied().map(Move::Leave));
        }
        if left.waits > 0 && world.core.next_wakeup().is_some() {
            moves.push(Move::Wait);
        }
        if left.reloads > 0 {
            moves.push(Move::Reload);
        }
        moves
    }

    /// What this state becomes by a move. The world checks every promise on the way.
    fn after(&self, step: Move) -> State {
        let mut next = self.clone();
        next.path.push(step);
        let (world, left) = (&mut next.world, &mut next.budget);
        match step {
            Move::Request(conn, id) => {
                left.requests -= 1;
                world.request(conn, 0, id, None);
            }
            Move::Reply(slot, kind) => {
                left.chunks -= u8::from(kind == ReplyKind::Chunk);
                world.reply(slot, kind);
            }
            Move::Stray(slot) => {
                left.strays -= 1;
                world.stray_reply(slot, ReplyKind::Response);
            }
            Move::Cancel(conn, id) => {
                left.cancels -= 1;
                world.feed(Event::Cancel { conn, id });
            }
            Move::Exit(worker) => {
                left.crashes -= u8::from(world.workers[&worker].signalled.is_none());
                world.exit(worker, WorkerExit::Signal(9));
            }
            Move::Leave(conn) => {
                left.departures -= 1;
                world.disconnect(conn);
            }
            Move::Wait => {
                left.waits -= 1;
                world.now = world.core.next_wakeup().expect("something is due");
                world.feed(Event::Tick);
            }
            Move::Ready(worker) => world.ready(worker),
            Move::Open(slot) => world.open(slot),
            Move::Reload => {
                left.reloads -= 1;
                world.reloads += 1;
                let config = world.core.config().clone();
                world.feed(Event::Reload(Box::new(config)));
            }
        }
        next
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.budget.hash(&mut hasher);
        relative(&format!("{:?}", self.world)).hash(&mut hasher);
        hasher.finish()
    }
}

/// The text with every instant replaced by its distance from the last one named `now`.
fn relative(text: &str) -> String {
    let nanoseconds = |instant: &str| -> i128 {
        let numbers: Vec<i128> = instant
            .split(|c: char| !c.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .map(|digits| digits.parse().expect("digits"))
            .collect();
        numbers[0] * 1_000_000_000 + numbers[1]
    };
    let mut parts = text.split("Instant {");
    let now = text.rsplit_once("now: Instant {").map(|(_, rest)| rest.split_once('}').expect("an instant").0);
    let now = nanoseconds(now.expect("the world prints its time"));
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (instant, rest) = part.split_once('}').expect("an instant");
        result.push_str(&format!("{}", nanoseconds(instant) - now));
        result.push_str(rest);
    }
    result
}

/// Explores everything; returns how many different states there are.
fn explore(budget: Budget) -> usize {
    let first = begin(budget);
    let mut seen = HashSet::from([first.fingerprint()]);
    let mut open = VecDeque::from([first]);
    while let Some(state) = open.pop_front() {
        for step in state.moves() {
            let next = std::panic::catch_unwind(|| state.after(step));
            let next = next.unwrap_or_else(|_| panic!("{:?} and then {step:?} breaks a promise", state.path));
            if seen.insert(next.fingerprint()) {
                open.push_back(next);
            }
        }
        // From here on everybody behaves: then every request must come to its end, and so must the arbiter.
        let mut rest = state.clone();
        let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rest.settle_down()));
        assert!(settled.is_ok(), "after {:?} it never settles", state.path);
    }
    seen.len()
}

impl State {
    fn settle_down(&mut self) {
        self.world.settle();
        assert_eq!(self.world.waiting(), 0, "a request without a terminal message (CALL-1)");
        assert_eq!(self.world.core.open_requests(), 0, "a request was leaked");
        self.world.settle_pool();
    }
}

const NOTHING: Budget =
    Budget { requests: 0, chunks: 0, strays: 0, cancels: 0, crashes: 0, departures: 0, waits: 0, reloads: 0 };

/// The whole of it with the variable `LONG` set (some minutes), else what fits into a few seconds.
fn within(short: Budget, long: Budget) {
    let budget = if std::env::var_os("LONG").is_some() { long } else { short };
    let states = explore(budget);
    println!("{states} states with {budget:?}");
    assert!(states > 1_000, "only {states} states: the model has shrunk");
}

#[test]
fn three_requests_two_workers_crashes_and_deadlines() {
    let short = Budget { requests: 3, crashes: 1, waits: 1, ..NOTHING };
    within(short, Budget { waits: 3, ..short });
}

#[test]
fn three_requests_two_workers_deadlines_and_late_frames() {
    let short = Budget { requests: 3, waits: 3, ..NOTHING };
    within(short, Budget { crashes: 1, strays: 1, ..short });
}

#[test]
fn three_requests_two_workers_cancels_and_departures() {
    let short = Budget { requests: 3, cancels: 1, departures: 1, chunks: 1, ..NOTHING };
    within(short, Budget { strays: 1, waits: 1, ..short });
}

#[test]
fn requests_during_a_reload_with_a_crash() {
    let short = Budget { requests: 1, crashes: 1, reloads: 1, ..NOTHING };
    within(short, Budget { requests: 2, waits: 1, ..short });
}
