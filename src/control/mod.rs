//! The control socket: its messages, and a client that sends them.
//!
//! Whoever may call an app should not thereby be able to stop the workers, so `status` and `manage` have a socket of
//! their own beside the call socket (EXT-5). The messages are described by `schemas/control-v1.schema.json`; the types
//! here are written by hand and imply the same schema.
//!
//! ```no_run
//! use dirty_arbiter::control::{ControlClient, Operation};
//!
//! let control = ControlClient::new("/run/dirty/arbiter.sock"); // the call socket's path
//! let status = control.status()?;
//! println!("{} workers, {} clients", status.workers.len(), status.arbiter.connections);
//! let result = control.manage(Operation::Scale, Some(4), false)?;
//! assert!(result.success, "{:?}", result.reason);
//! # Ok::<(), dirty_arbiter::control::ControlError>(())
//! ```

mod client;
mod request;
mod result;
#[cfg(feature = "schema")]
mod schema;
mod status;

use std::path::{Path, PathBuf};

use crate::wire::Limits;

pub use client::{ControlClient, ControlError};
pub use request::{ControlRequest, ManageMessage, Operation, StatusMessage};
pub use result::ManageResult;
#[cfg(feature = "schema")]
pub use schema::derived_schema;
pub use status::{
    AppCounters, AppState, AppStatus, ArbiterStatus, Histogram, PoolState, PoolStatus, WorkerExit,
    WorkerState, WorkerStatus,
};

/// What the control socket accepts: its messages are short (EXT-7).
pub const LIMITS: Limits = Limits { max_payload: 64 * 1024, max_depth: 64, allow_non_finite: false };

/// How many connections the control socket accepts at a time (EXT-7).
pub const MAX_CONNECTIONS: usize = 16;

/// The name of the control socket in the private directory beside the call socket (EXT-5).
pub(crate) const SOCKET_NAME: &str = "control";

/// The control socket of the arbiter whose call socket is at `call_socket` (EXT-5).
pub fn control_socket(call_socket: &Path) -> PathBuf {
    let mut directory = call_socket.as_os_str().to_owned();
    directory.push(".d");
    Path::new(&directory).join(SOCKET_NAME)
}
