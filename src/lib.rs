#![doc = "dirty-arbiter: see the crate README."]
#[cfg(feature = "worker")]
pub mod apps;
#[cfg(feature = "arbiter")]
pub mod arbiter;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(any(feature = "client", feature = "blocking", feature = "arbiter"))]
pub mod discovery;
pub mod error;
pub mod message;
pub mod wire;

pub use error::DirtyError;
