//! The fuzzer's claims, run over mutated golden payloads: the short and stable form of `fuzz/`.

use std::fs;
use std::path::Path;

use proptest::test_runner::{RngAlgorithm, TestRng};
use rand::{Rng, RngExt};

#[path = "../../fuzz/src/claims.rs"]
mod claims;
#[path = "../../fuzz/src/seeds.rs"]
mod seeds;

const ROUNDS: usize = 60_000;

/// Bytes that mean something to a parser.
const MEANINGFUL: &[u8] = b"{}[]\",:\\u0Nn-Ie.\x00\x7f\xff \n";

fn mutate(seed: &[u8], others: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, MEANINGFUL[random.random_range(0..MEANINGFUL.len())]),
            3 => bytes.truncate(at),
            4 => {
                let other = &others[random.random_range(0..others.len())];
                let from = random.random_range(0..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let end = (at + random.random_range(0..20)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

fn run(target: &str, claim: fn(&[u8])) {
    let seeds = seeds::payloads(root());
    assert!(seeds.len() > 200, "the corpus is missing");
    run_on(target, claim, &seeds);
}

fn run_gd(target: &str, claim: fn(&[u8]), prefix: &[u8]) {
    let seeds: Vec<_> = seeds::gd_frames(root()).iter().map(|frame| [prefix, frame].concat()).collect();
    assert!(seeds.len() > 120, "the vectors are missing");
    run_on(target, claim, &seeds);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run_on(target: &str, claim: fn(&[u8]), seeds: &[Vec<u8>]) {
    seeds.iter().for_each(|seed| claim(seed));
    for entry in fs::read_dir(root().join("fuzz/regressions").join(target)).into_iter().flatten().flatten() {
        claim(&fs::read(entry.path()).unwrap());
    }
    // Seeded: a failure is found again, and its input is printed by the claim that it breaks.
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for _ in 0..ROUNDS {
        let seed = &seeds[random.random_range(0..seeds.len())];
        if seed.len() < 2_000 {
            claim(&mutate(seed, seeds, &mut random));
        }
    }
}

#[test]
fn frames_are_the_same_at_any_split() {
    run("frames", claims::frames);
}

#[test]
fn the_head_scanner_agrees_with_the_full_decoder() {
    run("head", claims::head);
}

#[test]
fn what_decodes_survives_encoding() {
    run("message", claims::message);
}

#[test]
fn frames_of_both_codecs_are_the_same_at_any_split() {
    run_gd("gd_frames", claims::gd_frames, &[7]);
}

#[test]
fn what_crosses_the_codecs_stays_within_the_limits_and_comes_back() {
    run_gd("gd_transcode", claims::gd_transcode, &[]);
}
