//! The configuration of `dirty serve`: defaults, a TOML file, the environment and flags, one over the other.
//!
//! Every value keeps its [`Origin`], so that an error, and `dirty config show`, can say where it comes from (LIFE-9). A
//! configuration is read as a whole or not at all, and every problem of it is reported at once (LIFE-10).

mod app_entry;
mod arbiter;
mod checks;
mod environment;
mod error;
mod file;
mod kind;
mod layer;
mod load;
mod log;
mod origin;
mod setting;
mod settings;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use arbiter::Hosts;
pub(crate) use environment::Environment;
pub(crate) use error::ConfigErrors;
pub(crate) use kind::Kind;
pub(crate) use layer::Assignment;
pub(crate) use load::{Loaded, Sources, load, reload};
pub(crate) use log::{LogFormat, LogSettings};
pub(crate) use origin::Origin;
pub(crate) use setting::{Flag, HOOKS_TABLE, SETTINGS, Setting};
pub(crate) use settings::Settings;
pub(crate) use value::Value;
