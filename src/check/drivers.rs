//! Drivers for the Rust clients of this crate.

use std::future::Future;
use std::path::Path;
use std::thread;

use serde_json::value::RawValue;
use tokio::runtime;
use tokio::sync::oneshot;

use super::client::{CallEvents, ClientDriver, ClientEvent, ClientUnderTest};
use super::transcript::{ApiCall, Method};
use super::value::{Object, Value};
use crate::client::{self, Call, blocking};
use crate::error::DirtyError;
use crate::message::{DirtyMessage, ErrorType};

/// Drives [`client::Client`], each on a thread with a tokio runtime of its own.
#[derive(Debug, Default, Clone, Copy)]
pub struct AsyncDriver;

/// Drives [`blocking::Client`], each call on a thread of its own.
#[derive(Debug, Default, Clone, Copy)]
pub struct BlockingDriver;

impl ClientDriver for AsyncDriver {
    fn name(&self) -> &str {
        "the async Rust client"
    }

    fn lacks(&self, feature: &str) -> bool {
        // What is reported is the raw text of values.
        feature == "hints"
    }

    fn open(&mut self, socket: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
        let failed = |error: std::io::Error| format!("failed to start a tokio runtime: {error}");
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        // Ends when the client under test is dropped.
        thread::spawn(move || runtime.block_on(stopped));
        Ok(Box::new(AsyncClient { client: client::Client::connect(socket), runtime: handle, _stop: stop }))
    }
}

struct AsyncClient {
    client: client::Client,
    runtime: runtime::Handle,
    _stop: oneshot::Sender<()>,
}

impl ClientUnderTest for AsyncClient {
    fn start(&mut self, call: &ApiCall, events: CallEvents) -> Result<(), String> {
        let prepared = prepare(self.client.call(&call.app_path, &call.action), call);
        let call = call.clone();
        self.runtime.spawn(finish(events.clone(), async move {
            if call.method == Method::Execute {
                return Ok(value(&prepared?.execute::<Box<RawValue>>().await?));
            }
            let mut stream = prepared?.stream::<Box<RawValue>>().await?;
            let mut left = call.take;
            while left != Some(0) {
                let Some(item) = stream.next().await else { break };
                events.report(ClientEvent::Yields(value(&item?)));
                left = left.map(|left| left - 1);
            }
            Ok(Value::Null)
        }));
        Ok(())
    }
}

async fn finish(events: CallEvents, call: impl Future<Output = Result<Value, DirtyError>>) {
    events.report(last(call.await));
}

impl ClientDriver for BlockingDriver {
    fn name(&self) -> &str {
        "the blocking Rust client"
    }

    fn lacks(&self, feature: &str) -> bool {
        // What is reported is the raw text of values.
        feature == "hints"
    }

    fn open(&mut self, socket: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
        Ok(Box::new(BlockingClient(blocking::Client::connect(socket))))
    }
}

struct BlockingClient(blocking::Client);

impl ClientUnderTest for BlockingClient {
    fn start(&mut self, call: &ApiCall, events: CallEvents) -> Result<(), String> {
        let prepared = prepare(self.0.call(&call.app_path, &call.action), call);
        let call = call.clone();
        // Ends with its call, at the latest when the replay closes the connection.
        thread::spawn(move || {
            let outcome = (|| {
                if call.method == Method::Execute {
                    return Ok(value(&prepared?.execute::<Box<RawValue>>()?));
                }
                let items = prepared?.stream::<Box<RawValue>>()?;
                let take = call.take.map_or(usize::MAX, |take| usize::try_from(take).unwrap_or(usize::MAX));
                for item in items.take(take) {
                    events.report(ClientEvent::Yields(value(&item?)));
                }
                Ok(Value::Null)
            })();
            events.report(last(outcome));
        });
        Ok(())
    }
}

/// Puts the arguments of a call together.
fn prepare<C>(mut prepared: Call<C>, call: &ApiCall) -> Result<Call<C>, DirtyError> {
    if let Some(limit) = call.timeout {
        prepared = prepared.timeout(limit);
    }
    for argument in &call.args {
        prepared = prepared.arg(raw(argument)?)?;
    }
    for (name, argument) in &call.kwargs {
        prepared = prepared.kwarg(name.lossy(), raw(argument)?)?;
    }
    Ok(prepared)
}

fn raw(value: &Value) -> Result<Box<RawValue>, DirtyError> {
    RawValue::from_string(value.to_string()).map_err(|error| DirtyError::general(error.to_string()))
}

/// What the caller got, as the kit's value. A client that hands out something that is no JSON is not conforming, and
/// no template matches the text that stands for it here.
fn value(raw: &RawValue) -> Value {
    Value::parse(raw.get().as_bytes()).unwrap_or_else(|error| Value::string(format!("{error}: {raw}")))
}

/// The last event of a call.
fn last(outcome: Result<Value, DirtyError>) -> ClientEvent {
    let error = match outcome {
        Ok(value) => return ClientEvent::Returns(value),
        Err(error) => error,
    };
    let error_type = match error.error_type() {
        // An error of a type that Rust code cannot match is a plain DirtyError to it (ERR-2).
        ErrorType::Other(_) => ErrorType::DirtyError.as_str().to_string(),
        known => known.as_str().to_string(),
    };
    let message = error.message().to_string();
    // Through the encoder: the details as they would stand on the wire.
    let text = DirtyMessage::from(error.into_message(None)).encode();
    let details = Value::parse(&text).ok().and_then(|it| it.get("error")?.get("details").cloned());
    let details = details.unwrap_or_else(|| Value::Object(Object::new()));
    ClientEvent::Raises { error_type, message, details }
}
