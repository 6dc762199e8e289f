//! What befalls the arbiter.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::{Arbiter, send_signal};

/// How many more workers than in the beginning, and how many fewer, the storm asks for at the most.
const RESIZE: std::ops::RangeInclusive<i32> = -1..=2;

pub struct Storm {
    random: StdRng,
    /// Workers asked for beyond those of the beginning.
    resized: i32,
    /// Workers that stand still until they are let go on, or are found by the watchdog.
    stopped: Vec<u64>,
    /// Clients that asked for much and do not read.
    deaf: Vec<UnixStream>,
    strikes: BTreeMap<&'static str, u64>,
}

impl Storm {
    pub fn new(seed: u64) -> Storm {
        Storm {
            random: StdRng::seed_from_u64(seed),
            resized: 0,
            stopped: Vec::new(),
            deaf: Vec::new(),
            strikes: BTreeMap::new(),
        }
    }

    pub fn summary(&self) -> String {
        let strikes: Vec<String> =
            self.strikes.iter().map(|(name, count)| format!("{name} {count}")).collect();
        strikes.join(", ")
    }

    /// One misfortune, and a moment to feel it.
    pub fn strike(&mut self, arbiter: &Arbiter) {
        let name = match self.random.random_range(0..100) {
            0..18 => self.signal_worker(arbiter, "worker killed", Signal::SIGKILL),
            18..26 => self.signal_worker(arbiter, "worker aborted", Signal::SIGABRT),
            26..31 => {
                let victim = self.any_worker(arbiter);
                self.stopped.extend(victim);
                victim.into_iter().for_each(|pid| send_signal(pid, Signal::SIGSTOP));
                "worker stopped"
            }
            31..37 => {
                self.stopped.drain(..).for_each(|pid| send_signal(pid, Signal::SIGCONT));
                "workers let go on"
            }
            37..45 => {
                arbiter.signal(Signal::SIGHUP);
                "reload"
            }
            45..52 => self.resize(arbiter, 1),
            52..59 => self.resize(arbiter, -1),
            59..75 => self.garbage(arbiter),
            75..85 => self.vanish(arbiter),
            85..93 => self.go_deaf(arbiter),
            _ => {
                self.deaf.clear();
                "deaf clients gone"
            }
        };
        *self.strikes.entry(name).or_default() += 1;
        std::thread::sleep(Duration::from_millis(self.random.random_range(20..120)));
    }

    /// Undoes what would go on: stopped workers, deaf clients, and by a reload the pool's size.
    pub fn calm(&mut self, arbiter: &Arbiter) {
        self.stopped.drain(..).for_each(|pid| send_signal(pid, Signal::SIGCONT));
        self.deaf.clear();
        arbiter.signal(Signal::SIGHUP);
    }

    fn any_worker(&mut self, arbiter: &Arbiter) -> Option<u64> {
        let workers = arbiter.workers();
        (!workers.is_empty()).then(|| workers[self.random.random_range(0..workers.len())])
    }

    fn signal_worker(&mut self, arbiter: &Arbiter, name: &'static str, signal: Signal) -> &'static str {
        self.any_worker(arbiter).into_iter().for_each(|pid| send_signal(pid, signal));
        name
    }

    fn resize(&mut self, arbiter: &Arbiter, by: i32) -> &'static str {
        if !RESIZE.contains(&(self.resized + by)) {
            return "pool left as it is";
        }
        self.resized += by;
        arbiter.signal(if by > 0 { Signal::SIGTTIN } else { Signal::SIGTTOU });
        if by > 0 { "one worker more" } else { "one worker less" }
    }

    /// Bytes that are no frames, frames that are no messages, frames that end in the middle.
    fn garbage(&mut self, arbiter: &Arbiter) -> &'static str {
        let noise: Vec<u8> = (0..self.random.random_range(1..2000)).map(|_| self.random.random()).collect();
        let start = match self.random.random_range(0..4) {
            0 => vec![0xff; 4],
            1 => 1_000_000_u32.to_be_bytes().to_vec(),
            2 => u32::try_from(noise.len()).unwrap().to_be_bytes().to_vec(),
            _ => b"GET / HTTP/1.1\r\n".to_vec(),
        };
        let bytes = [start, noise].concat();
        if let Ok(mut stream) = UnixStream::connect(&arbiter.socket) {
            let _ = stream.write_all(&bytes);
        }
        "garbage"
    }

    /// A client that asks and is gone.
    fn vanish(&mut self, arbiter: &Arbiter) -> &'static str {
        if let Ok(mut stream) = UnixStream::connect(&arbiter.socket) {
            for number in 0..self.random.random_range(1..10) {
                ask(&mut stream, number, "count", "[500]");
            }
        }
        "client vanished"
    }

    /// A client that asks for much and does not read.
    fn go_deaf(&mut self, arbiter: &Arbiter) -> &'static str {
        if let Ok(mut stream) = UnixStream::connect(&arbiter.socket) {
            ask(&mut stream, 1, "big", "[2000000]");
            ask(&mut stream, 2, "count", "[20000]");
            self.deaf.push(stream);
        }
        "client deaf"
    }
}

fn ask(stream: &mut UnixStream, id: u32, action: &str, args: &str) {
    let request = format!(
        r#"{{"type":"request","id":"storm-{id}","app_path":"fixture:App","action":"{action}","args":{args},"kwargs":{{}}}}"#
    );
    let mut frame = u32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(request.as_bytes());
    // The arbiter may be gone, or busy with whoever came before: then there is nothing to be asked.
    let _ = stream.write_all(&frame);
}
