//! A scripted arbiter: a thread that reads and writes literal payloads on a real socket.
//!
//! In a payload, `$1` to `$9` stand for ids: bound by the first payload that is expected with them, the same from
//! then on.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing here takes long; a test that hangs is a failure with a line number.
const PATIENCE: Duration = Duration::from_secs(20);

/// When nothing was taken for so long, the client has stopped reading.
const QUIET: Duration = Duration::from_millis(200);

/// The listening side.
pub struct Listener {
    listener: UnixListener,
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Listener { listener }
    }
}

impl Listener {
    /// The next connection.
    pub fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { stream, ids: Default::default(), rest: Vec::new() }
    }
}

/// A script that runs in a thread of its own.
pub struct Script<T = ()> {
    path: PathBuf,
    thread: JoinHandle<T>,
    directory: tempfile::TempDir,
}

impl<T: Send + 'static> Script<T> {
    /// Listens, and runs `script`.
    pub fn run(script: impl FnOnce(&Listener) -> T + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arbiter.sock");
        let listener = Listener { listener: UnixListener::bind(&path).unwrap() };
        let thread = std::thread::spawn(move || script(&listener));
        Script { path, thread, directory }
    }

    /// The socket's path.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Waits for the script's end, and fails if it failed.
    pub fn finish(self) -> T {
        let result = match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        drop(self.directory);
        result
    }
}

/// One connection, seen from the arbiter.
pub struct Peer {
    stream: UnixStream,
    ids: [Option<String>; 10],
    /// What the client has not taken yet.
    rest: Vec<u8>,
}

impl Peer {
    /// Reads one frame, as the specification says: a length, then as many bytes.
    pub fn read(&mut self) -> String {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).unwrap();
        let mut payload = vec![0; u32::from_be_bytes(header) as usize];
        self.stream.read_exact(&mut payload).unwrap();
        String::from_utf8(payload).unwrap()
    }

    /// Waits until there is something to read, and leaves it there.
    pub fn wait_for_bytes(&self) {
        use nix::sys::socket::{MsgFlags, recv};
        use std::os::fd::AsRawFd;
        assert_eq!(recv(self.stream.as_raw_fd(), &mut [0; 1], MsgFlags::MSG_PEEK), Ok(1));
    }

    /// Reads one frame, which must be exactly `payload`.
    #[track_caller]
    pub fn expect(&mut self, payload: &str) {
        let got = self.read();
        let mut rest = got.as_str();
        let mut pieces = payload.split('$');
        let first = pieces.next().unwrap();
        rest = rest.strip_prefix(first).unwrap_or_else(|| panic!("expected {payload}\n     got {got}"));
        for piece in pieces {
            let number = piece[..1].parse::<usize>().unwrap();
            let id = &rest[..rest.find('"').unwrap()];
            let bound = self.ids[number].get_or_insert_with(|| id.to_owned());
            assert_eq!(bound, id, "${number} in {payload}\n     got {got}");
            rest = rest[id.len()..]
                .strip_prefix(&piece[1..])
                .unwrap_or_else(|| panic!("expected {payload}\n     got {got}"));
        }
        assert_eq!(rest, "", "after {payload}");
    }

    /// Sends a frame.
    pub fn send(&mut self, payload: &str) {
        let payload = self.bound(payload);
        self.send_raw(&frame(payload.as_bytes()));
    }

    /// Sends a frame as far as the client takes it. If it does not take all of it, for a while, returns false; the rest
    /// goes before what is sent next.
    pub fn send_unless_blocked(&mut self, payload: &str) -> bool {
        let bytes = frame(self.bound(payload).as_bytes());
        self.stream.set_write_timeout(Some(QUIET)).unwrap();
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(more) => written += more,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        self.rest = bytes[written..].to_vec();
        self.rest.is_empty()
    }

    /// Sends a frame; says whether the client still takes it.
    pub fn try_send(&mut self, payload: &str) -> bool {
        let payload = self.bound(payload);
        self.stream.write_all(&frame(payload.as_bytes())).is_ok()
    }

    /// Sends bytes.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.rest);
        self.stream.write_all(&rest).unwrap();
        self.stream.write_all(bytes).unwrap();
    }

    /// Ends the sending side.
    pub fn stop_sending(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Waits for the client to close the connection, without another byte.
    #[track_caller]
    pub fn expect_close(&mut self) {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            other => panic!("expected the client to close, got {other:?}"),
        }
    }

    /// The id that `$number` was bound to.
    pub fn id(&self, number: usize) -> &str {
        self.ids[number].as_deref().unwrap()
    }

    /// Lets `$number` be bound anew.
    pub fn forget(&mut self, number: usize) {
        self.ids[number] = None;
    }

    /// Answers one request for `a:B` `echo` with its one argument.
    #[track_caller]
    pub fn echo_one(&mut self, argument: &str) {
        self.forget(9);
        self.expect(&format!(
            r#"{{"type":"request","id":"$9","app_path":"a:B","action":"echo","args":[{argument}],"kwargs":{{}}}}"#
        ));
        self.send(&format!(r#"{{"type":"response","id":"$9","result":{argument}}}"#));
    }

    fn bound(&self, payload: &str) -> String {
        let mut pieces = payload.split('$');
        let mut text = pieces.next().unwrap().to_owned();
        for piece in pieces {
            text.push_str(self.id(piece[..1].parse().unwrap()));
            text.push_str(&piece[1..]);
        }
        text
    }
}

/// A frame around any bytes.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    [&u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload].concat()
}
