//! What became of a `manage` message.

use serde::{Deserialize, Serialize};

use super::Operation;

/// The answer to a `manage` message (EXT-9, EXT-10, EXT-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ManageResult {
    /// Whether what was asked for is done, or of a reload or drain that is not waited for, begun. If not, nothing was
    /// changed.
    pub success: bool,
    /// The operation that was asked for.
    pub operation: Operation,
    /// The count that was asked for, in worker processes; only of `add`, `remove` and `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32", extend("maximum" = u32::MAX)))]
    pub requested: Option<u32>,
    /// How many worker processes the pool is meant to have now.
    pub target_workers: u64,
    /// How many worker processes there are now, those that start and those that end included.
    pub total_workers: u64,
    /// Only of `reload`: the generation of workers that it brings, 1 for the first reload; `None` while it waits for the end
    /// of another reload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub generation: Option<u64>,
    /// Why not, in words; only without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub reason: Option<String>,
}

impl ManageResult {
    /// The success of an operation on a pool of that many workers.
    pub fn done(operation: Operation, target_workers: u64, total_workers: u64) -> Self {
        ManageResult {
            success: true,
            operation,
            requested: None,
            target_workers,
            total_workers,
            generation: None,
            reason: None,
        }
    }

    /// The same without success, for a reason.
    pub fn but(self, reason: impl Into<String>) -> Self {
        ManageResult { success: false, reason: Some(reason.into()), ..self }
    }
}
