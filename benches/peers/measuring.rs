//! Rounds: every subject once, in turn, so that what else the machine does meets them all.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::cpu;
use crate::load::{self, Outcome};
use crate::scenarios::{self, Scenario};
use crate::subjects::{Placement, Running, role};

/// One run of the load against a subject.
#[derive(Clone, Copy)]
pub struct Sample {
    pub outcome: Outcome,
    /// What the relay used for a call or a chunk; `None` without a relay.
    pub relay_cpu: Option<Duration>,
    /// The most memory the relay has had since its start, in KiB.
    pub peak_memory: Option<u64>,
}

/// Loads a subject from a process of its own.
pub fn sample(
    subject: &Running,
    scenario: &Scenario,
    seconds: f64,
    placement: Placement,
) -> io::Result<Sample> {
    let used = || subject.relay().map(cpu::used).transpose();
    let before = used()?;
    let mut command = role(placement.others())?;
    command.args(["load", scenario.name, &seconds.to_string()]).args(&subject.sockets);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let outcome = Outcome::parse(&text)
        .ok_or_else(|| io::Error::other(format!("failed to measure {}: {}", scenario.name, output.status)))?;
    let peak_memory = subject.relay().map(cpu::peak_memory).transpose()?;
    let relay_cpu = match (before, used()?) {
        (Some(before), Some(after)) => Some((after - before).div_f64(outcome.total as f64)),
        _ => None,
    };
    Ok(Sample { outcome, relay_cpu, peak_memory })
}

/// What the process of the load generator does.
pub fn load_role(scenario: &str, seconds: &str, sockets: &[String]) -> io::Result<()> {
    let unknown = || io::Error::other(format!("failed to load: no scenario {scenario} for {seconds} s"));
    let scenario = scenarios::named(scenario).ok_or_else(unknown)?;
    let seconds = seconds.parse().map_err(|_| unknown())?;
    let sockets: Vec<&Path> = sockets.iter().map(Path::new).collect();
    println!("{}", load::run(&scenario, &sockets, seconds)?);
    Ok(())
}

/// The middle of some numbers, the least and the greatest.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Spread {
    pub fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let (least, greatest) = (*numbers.first()?, *numbers.last()?);
        let middle = numbers.len() / 2;
        let median = if numbers.len() % 2 == 1 {
            numbers[middle]
        } else {
            (numbers[middle - 1] + numbers[middle]) / 2.0
        };
        Some(Self { median, least, greatest })
    }
}
