//! `dirty serve` as a process under test, and a peer that speaks to it byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running arbiter in a directory of its own; killed on drop.
pub struct Served {
    child: Child,
    pub socket: PathBuf,
    log: Arc<Mutex<String>>,
    logs: Option<std::thread::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

/// The `dirty` program, without the variables that would lead it to another arbiter or be its settings.
pub fn dirty() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirty"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DIRTY_")) {
        command.env_remove(name);
    }
    command.env_remove("GUNICORN_DIRTY_SOCKET").env_remove("XDG_RUNTIME_DIR");
    command
}

impl Served {
    /// Starts an arbiter with these arguments and waits until it listens.
    pub fn start(arguments: &[&str]) -> Served {
        Served::start_by(dirty(), arguments)
    }

    /// The same by a command that goes on to run `dirty` with the arguments that it is given.
    pub fn start_by(mut command: Command, arguments: &[&str]) -> Served {
        Served::start_with(|socket| {
            command.arg("serve").arg("--socket").arg(socket).args(arguments);
            command
        })
    }

    /// Starts an arbiter by the command for its socket and waits until it listens.
    pub fn start_with(command: impl FnOnce(&Path) -> Command) -> Served {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("run/d.sock");
        let mut command = command(&socket);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let written = Arc::clone(&log);
        let logs = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut served = Served { child, socket, log, logs: Some(logs), _directory: directory };
        if line.trim_end() != format!("listening on {}", served.socket.display()) {
            let _ = served.child.kill();
            panic!("not listening but {line:?}: {}", served.log());
        }
        served
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the arbiter's end", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    /// What it logged; only after its end.
    pub fn log(&mut self) -> String {
        self.wait();
        if let Some(logs) = self.logs.take() {
            logs.join().unwrap();
        }
        self.log_so_far()
    }

    /// What it has logged.
    pub fn log_so_far(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged this.
    pub fn logs(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || self.log_so_far().contains(text));
    }

    pub fn connect(&self) -> Peer {
        Peer::connect(&self.socket)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that writes and reads frames by hand.
pub struct Peer(pub UnixStream);

impl Peer {
    pub fn connect(socket: &Path) -> Peer {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Peer(stream)
    }

    /// Sends a payload as one frame.
    pub fn send(&mut self, payload: &str) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(payload.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    /// Sends a request to the fixture app; `rest` is what follows the action, such as `"args":[1],"kwargs":{}`.
    pub fn request(&mut self, id: &str, action: &str, rest: &str) {
        self.send(&format!(
            r#"{{"type":"request","id":"{id}","app_path":"fixture:App","action":"{action}",{rest}}}"#
        ));
    }

    /// The next frame's payload; `None` at the end of the connection.
    pub fn receive_text(&mut self) -> Option<String> {
        let mut header = [0; 4];
        if let Err(error) = self.0.read_exact(&mut header) {
            assert!(
                matches!(
                    error.kind(),
                    std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset
                ),
                "no frame: {error}"
            );
            return None;
        }
        let mut payload = vec![0; u32::from_be_bytes(header) as usize];
        self.0.read_exact(&mut payload).unwrap();
        Some(String::from_utf8(payload).unwrap())
    }

    pub fn receive(&mut self) -> Value {
        let text = self.receive_text().expect("the connection ended");
        serde_json::from_str(&text).unwrap()
    }

    /// Calls the fixture app and returns the one message that answers.
    pub fn call(&mut self, action: &str, args: &str) -> Value {
        self.request("call", action, &format!(r#""args":{args},"kwargs":{{}}"#));
        self.receive()
    }
}

/// Waits until `condition` holds, and says what did not come.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The shell's words for waiting until a file is there; its directory's end is an end too, so that nothing outlives a test.
pub fn waits_for(file: &Path) -> String {
    let (path, directory) = (file.display(), file.parent().unwrap().display());
    format!("until test -e {path} || ! test -d {directory}; do sleep 0.01; done")
}

/// Whether a process runs (a zombie does not).
pub fn is_alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
