//! Writing apps in Rust, and running them as a worker.
//!
//! An app is a type with state and actions. A worker program names its apps and calls [`Host::run`]; the arbiter
//! starts it (`dirty serve --worker-command ./my-worker --app ml:MLApp`), and clients call the actions.
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//!
//! use dirty_arbiter::worker::{Actions, AppResult, DirtyApp, Host};
//! use serde::Serialize;
//!
//! #[derive(Default)]
//! struct MlApp {
//!     models: Mutex<HashMap<String, Model>>,
//! }
//!
//! impl DirtyApp for MlApp {
//!     /// Called once at worker startup.
//!     fn init(&mut self) -> AppResult<()> {
//!         self.load_model("base-model".to_owned())?;
//!         Ok(())
//!     }
//!
//!     fn actions(actions: &mut Actions<Self>) {
//!         actions.call("load_model", ["name"], Self::load_model);
//!         actions.call("inference", ["model_name", "input_text"], Self::inference);
//!         actions.iter("generate", ["prompt", "limit"], Self::generate);
//!         actions.call_async("fetch", ["name"], Self::fetch);
//!     }
//!
//!     /// Cleanup on shutdown.
//!     fn close(&mut self) {
//!         self.models.get_mut().unwrap().clear();
//!     }
//! }
//!
//! #[derive(Serialize)]
//! struct Loaded {
//!     loaded: bool,
//!     name: String,
//! }
//!
//! impl MlApp {
//!     /// Load a model into memory.
//!     fn load_model(&self, name: String) -> AppResult<Loaded> {
//!         let model = Model::load(&name)?;
//!         self.models.lock().unwrap().insert(name.clone(), model);
//!         Ok(Loaded { loaded: true, name })
//!     }
//!
//!     /// Run inference on a loaded model.
//!     fn inference(&self, model_name: String, input_text: String) -> AppResult<String> {
//!         let models = self.models.lock().unwrap();
//!         let model = models.get(&model_name).ok_or_else(|| format!("Model not loaded: {model_name}"))?;
//!         Ok(model.predict(&input_text))
//!     }
//!
//!     /// Streaming: yields tokens.
//!     fn generate(&self, prompt: String, limit: Option<usize>) -> impl Iterator<Item = String> {
//!         let tokens: Vec<String> = prompt.split(' ').map(str::to_owned).collect();
//!         tokens.into_iter().take(limit.unwrap_or(100))
//!     }
//!
//!     /// Async actions run on tokio, and end at once when their call is cancelled.
//!     async fn fetch(&self, name: String) -> AppResult<usize> {
//!         tokio::time::sleep(std::time::Duration::from_millis(10)).await;
//!         Ok(name.len())
//!     }
//! }
//! # struct Model;
//! # impl Model {
//! #     fn load(_name: &str) -> std::io::Result<Model> { Ok(Model) }
//! #     fn predict(&self, input: &str) -> String { input.to_uppercase() }
//! # }
//!
//! fn main() -> std::process::ExitCode {
//!     Host::new().app("ml:MLApp", MlApp::default).run()
//! }
//! ```
//!
//! # What may go wrong
//!
//! | in the app | the caller receives |
//! |---|---|
//! | an action returns `Err`, or an item of its stream is one | `DirtyAppError` with its text (CALL-7, STREAM-3) |
//! | an action panics | the same, with the panic's text; the worker lives |
//! | an argument is missing, unknown, doubled or of the wrong type | `DirtyAppError` that names the parameter |
//! | a result holds NaN or an infinity | `DirtyAppError` with the place, or the value if the caller accepts hints (ERR-7) |
//! | a result holds [`Bytes`] | the same (VAL-7) |
//! | a result does not fit into a frame | `DirtyAppError` (ERR-8) |
//! | `init()` fails | nothing: the worker exits with code 3 (WORK-6) |
//! | an action never returns | `DirtyTimeoutError` from the arbiter, which then replaces the worker (TIME-5) |
//!
//! # How it runs
//!
//! A worker has a thread for each slot. The thread reads a request, runs the action, and writes the reply; items of
//! a stream are written as they come, and a reader that does not keep up holds up the stream, and nothing else.
//! Asynchronous actions run on a tokio runtime that belongs to the slot.

mod actions;
mod app;
mod call;
mod encode;
mod exchange;
mod failure;
mod function;
mod hints;
mod host;
mod inbox;
mod params;
mod process;
mod service;
mod setup;
mod slot;

pub use crate::values::{AnyValue, Bytes};
pub use actions::Actions;
pub use app::{AppError, AppResult, DirtyApp};
pub use call::Call;
pub use function::{Fallible, Function, Outcome, Parameters, Plain, WholeCall};
pub use host::{BootError, Host};
pub use service::Worker;
pub use setup::{Setup, SetupError};
