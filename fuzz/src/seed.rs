//! Writes the seed corpora: `cargo run --manifest-path fuzz/Cargo.toml --bin seed`.

use std::fs;
use std::path::Path;

mod seeds;

fn main() -> std::io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let payloads = seeds::payloads(&fuzz.join(".."));
    for target in ["frames", "head", "message"] {
        let corpus = fuzz.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for (number, payload) in payloads.iter().enumerate() {
            let seed = if target == "frames" { framed(payload) } else { payload.clone() };
            fs::write(corpus.join(format!("golden-{number:04}")), seed)?;
        }
    }
    let frames = seeds::gd_frames(&fuzz.join(".."));
    for target in ["gd_frames", "gd_transcode"] {
        let corpus = fuzz.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for (number, frame) in frames.iter().enumerate() {
            let seed = if target == "gd_frames" { [&[7][..], frame].concat() } else { frame.clone() };
            fs::write(corpus.join(format!("vector-{number:04}")), seed)?;
        }
    }
    println!("{} seeds for each target of json/1, {} for each of gd/1", payloads.len(), frames.len());
    Ok(())
}

/// A split of 7 bytes, then the payload as a frame.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    [&[7][..], &length.to_be_bytes(), payload].concat()
}
