//! The arbiter's end of a slot's connection, by hand.

use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dirty_arbiter::message::DirtyMessage;
use dirty_arbiter::wire::Limits;
use dirty_arbiter::worker::{Host, Setup, Worker};
use serde_json::{Value, json};

/// Long enough that only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection in the arbiter's place.
pub struct Peer(UnixStream);

impl Peer {
    pub fn connect(socket: &Path) -> Peer {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Peer(stream)
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn send_text(&mut self, payload: &str) {
        let length = u32::try_from(payload.len()).unwrap();
        self.send_bytes(&[&length.to_be_bytes(), payload.as_bytes()].concat());
    }

    pub fn send(&mut self, message: Value) {
        self.send_text(&message.to_string());
    }

    /// Sends a request of its own shape: `extra` is added to the message.
    pub fn request(&mut self, id: &str, app: &str, action: &str, args: Value, extra: Value) {
        let mut message = json!({"type": "request", "id": id, "app_path": app, "action": action, "args": args, "kwargs": {}});
        message.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        self.send(message);
    }

    /// The payload of the next frame, which is a message of the protocol.
    pub fn text(&mut self) -> String {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).expect("a frame's header");
        let mut payload = vec![0; u32::from_be_bytes(header) as usize];
        self.0.read_exact(&mut payload).expect("a frame's payload");
        let text = String::from_utf8(payload).unwrap();
        let generous = Limits { max_depth: 10_000, ..Limits::default() };
        DirtyMessage::decode(text.as_bytes(), &generous).unwrap_or_else(|error| panic!("{error}: {text}"));
        text
    }

    pub fn receive(&mut self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// The error that ends the request `id`.
    pub fn error(&mut self, id: &str) -> Value {
        let message = self.receive();
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        message["error"].clone()
    }

    /// Calls an action of the lab and returns its result.
    pub fn call(&mut self, action: &str, args: Value) -> Value {
        self.request("c", "lab:Lab", action, args, json!({}));
        let message = self.receive();
        assert_eq!((&message["type"], &message["id"]), (&json!("response"), &json!("c")), "{message}");
        message["result"].clone()
    }

    /// Calls an action of the lab that fails, and returns the error.
    pub fn fail(&mut self, action: &str, args: Value) -> Value {
        self.request("f", "lab:Lab", action, args, json!({}));
        self.error("f")
    }

    /// Proves that the connection still serves, and that nothing came before.
    pub fn still_serves(&mut self) {
        assert_eq!(self.call("double", json!([21])), json!(42));
    }

    /// Proves that the other end is closed, and that nothing came before.
    pub fn is_closed(&mut self) {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("expected the end of the connection, got {other:?} {byte:?}"),
        }
    }

    pub fn half_close(&self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

/// A worker in this process, with its socket in a directory of its own.
pub struct Running {
    pub worker: Option<Worker>,
    pub socket: PathBuf,
    _directory: tempfile::TempDir,
}

impl Running {
    pub fn start(host: Host, apps: &[&str], threads: usize, limits: Limits) -> Running {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("w.sock");
        let mut setup =
            Setup::new(&socket, apps.iter().copied()).with_threads(NonZeroUsize::new(threads).unwrap());
        setup.limits = limits;
        let worker = host.start(&setup).unwrap();
        Running { worker: Some(worker), socket, _directory: directory }
    }

    pub fn peer(&self) -> Peer {
        Peer::connect(&self.socket)
    }

    pub fn stop(&self) {
        self.worker.as_ref().unwrap().stop();
    }

    pub fn wait(&mut self) {
        self.worker.take().unwrap().wait();
    }
}
