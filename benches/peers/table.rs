//! The table: what was measured, as medians, and as ratios to the floor within each round.

use std::fmt::Write as _;

use crate::measuring::{Sample, Spread};
use crate::scenarios::Scenario;
use crate::subjects::OURS;

/// The samples of one subject in one scenario, a sample a round.
pub struct Row {
    pub subject: String,
    pub samples: Vec<Sample>,
}

/// The columns.
pub const HEADER: &str = "\
| scenario | subject | per second | p50 µs | p99 µs | relay CPU µs | relay peak MiB | rate / floor | CPU / floor | gate | target |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// The rows of one scenario. Ratios are medians of those of the rounds, with the least and the greatest.
pub fn rows(scenario: &Scenario, rows: &[Row]) -> String {
    let floor = rows.iter().find(|row| row.subject == "floor");
    let mut text = String::new();
    for row in rows {
        let median = |value: &dyn Fn(&Sample) -> Option<f64>| {
            Spread::of(row.samples.iter().filter_map(value).collect()).map(|spread| spread.median)
        };
        let ratio = |value: &dyn Fn(&Sample) -> Option<f64>| {
            let pairs = row.samples.iter().zip(&floor?.samples);
            Spread::of(pairs.filter_map(|(own, floor)| Some(value(own)? / value(floor)?)).collect())
        };
        let rate = |sample: &Sample| Some(sample.outcome.rate);
        let cpu = |sample: &Sample| Some(sample.relay_cpu?.as_secs_f64() * 1e6);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            scenario.name,
            row.subject,
            number(median(&rate)),
            number(median(&|sample| Some(sample.outcome.p50.as_secs_f64() * 1e6))),
            number(median(&|sample| Some(sample.outcome.p99.as_secs_f64() * 1e6))),
            number(median(&cpu)),
            number(median(&|sample| Some(sample.peak_memory? as f64 / 1024.0))),
            spread(ratio(&rate)),
            spread(ratio(&cpu)),
            judged(&row.subject, scenario.gate, ratio(&rate)),
            judged(&row.subject, scenario.target, ratio(&rate)),
        );
    }
    text
}

/// Whether our arbiter is as fast as it has to be; others are not judged.
fn judged(subject: &str, wanted: f64, rate: Option<Spread>) -> String {
    match rate.filter(|_| subject == OURS) {
        None => String::new(),
        Some(rate) if rate.median >= wanted => format!("≥ {wanted} met"),
        Some(_) => format!("≥ {wanted} **missed**"),
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

fn spread(value: Option<Spread>) -> String {
    value.map_or("–".to_owned(), |spread| {
        format!("{:.2} ({:.2}–{:.2})", spread.median, spread.least, spread.greatest)
    })
}
