#![doc = "dirty-arbiter: see the crate README."]
#[cfg(feature = "arbiter")]
pub mod arbiter;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod wire;
