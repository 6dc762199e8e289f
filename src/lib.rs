#![doc = "dirty-arbiter: see the crate README."]
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod wire;
