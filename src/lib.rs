#![doc = "dirty-arbiter: see the crate README."]
#[cfg(feature = "arbiter")]
pub mod arbiter;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod error;
pub mod message;
pub mod wire;

pub use error::DirtyError;
