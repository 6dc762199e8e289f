#![doc = "dirty-arbiter: see the crate README."]
pub mod wire;
