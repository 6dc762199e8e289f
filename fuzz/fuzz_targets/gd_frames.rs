#![no_main]

#[path = "../src/claims.rs"]
mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::gd_frames(bytes));
