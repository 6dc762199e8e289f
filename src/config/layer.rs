//! One source of values.

use super::origin::Origin;
use super::setting::Setting;
use super::value::Value;

/// A value that a source gives to a setting.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}
