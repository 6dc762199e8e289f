//! The kinds of traffic that are measured.

/// What a call does.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Returns its text.
    Echo,
    /// Streams so many texts.
    Stream { chunks: usize },
}

/// One kind of traffic.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub kind: Kind,
    /// Bytes of a text.
    pub size: usize,
    pub connections: usize,
    /// Calls in flight on each connection.
    pub depth: usize,
    /// What the rate has to be, as a share of the floor's.
    pub gate: f64,
    /// What it should be.
    pub target: f64,
}

const KIB: usize = 1024;

const fn echo(
    name: &'static str,
    size: usize,
    connections: usize,
    depth: usize,
    (gate, target): (f64, f64),
) -> Scenario {
    Scenario { name, kind: Kind::Echo, size, connections, depth, gate, target }
}

const fn stream(name: &'static str, size: usize, chunks: usize, connections: usize) -> Scenario {
    Scenario { name, kind: Kind::Stream { chunks }, size, connections, depth: 1, gate: 0.85, target: 0.95 }
}

/// All of them, in the order of the table.
pub const ALL: [Scenario; 15] = [
    echo("echo-64B-x1", 64, 1, 1, (0.88, 0.95)),
    echo("echo-64B-x32", 64, 32, 1, (0.8, 1.3)),
    echo("echo-64B-8x8", 64, 8, 8, (0.8, 1.3)),
    echo("echo-4KiB-x8", 4 * KIB, 8, 1, (0.8, 1.3)),
    echo("echo-1MiB-x2", KIB * KIB, 2, 1, (0.85, 1.1)),
    echo("echo-16MiB-x1", 16 * KIB * KIB, 1, 1, (0.8, 1.1)),
    stream("stream-64B-x1", 64, 5000, 1),
    stream("stream-64B-x2", 64, 5000, 2),
    stream("stream-64B-x8", 64, 5000, 8),
    stream("stream-4KiB-x1", 4 * KIB, 2000, 1),
    stream("stream-4KiB-x2", 4 * KIB, 2000, 2),
    stream("stream-4KiB-x8", 4 * KIB, 2000, 8),
    stream("stream-64KiB-x1", 64 * KIB, 200, 1),
    stream("stream-64KiB-x2", 64 * KIB, 200, 2),
    stream("stream-64KiB-x8", 64 * KIB, 200, 8),
];

/// The scenario of that name.
pub fn named(name: &str) -> Option<Scenario> {
    ALL.iter().find(|scenario| scenario.name == name).cloned()
}
