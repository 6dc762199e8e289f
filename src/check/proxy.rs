//! A proxy between live peers that records all they say (`dirty proxy`).
//!
//! Bytes are passed on as they come and are never held back for a frame to be whole: the record is made beside them.
//! One read is in flight for each direction, so that a peer that does not read stops the one that writes to it, as it
//! would without the proxy. The end of one direction is passed on as such, and the other goes on.

use std::cell::{Cell, RefCell};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::sys::socket::Shutdown;
use nix::sys::stat::{Mode, umask};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::recorder::{Direction, Recorder};
use super::trace_file::Closing;
use crate::message::Role;

/// The most that is read at once, in bytes.
const READ: usize = 64 * 1024;

/// Why a proxy could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Somebody listens there already.
    #[error("failed to listen on {}: another program is listening there; expected a path of its own", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket is in the way.
    #[error("failed to listen on {}: it exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("failed to listen on {}: {source}", path.display())]
    Listen {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The trace can be written no further.
    #[error("failed to write the trace: {0}")]
    Trace(io::Error),
}

/// A listening socket of its owner alone; its file is removed on drop.
#[derive(Debug)]
pub struct ProxySocket {
    path: PathBuf,
    listener: StdListener,
}

impl ProxySocket {
    /// Listens on `path`, with mode 0600 from the first moment on (SEC-1). A socket that nobody listens on is replaced.
    /// It changes the mode mask of the process for a moment: call it before there are other threads.
    ///
    /// # Errors
    /// [`ProxyError`] when the path is taken or the system refuses.
    pub fn bind(path: &Path) -> Result<ProxySocket, ProxyError> {
        let failed = |source| ProxyError::Listen { path: path.to_owned(), source };
        if let Ok(meta) = fs::symlink_metadata(path) {
            if !meta.file_type().is_socket() {
                return Err(ProxyError::NotASocket(path.to_owned()));
            }
            match StdStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    fs::remove_file(path).map_err(failed)?;
                }
                _ => return Err(ProxyError::InUse(path.to_owned())),
            }
        }
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = StdListener::bind(path);
        umask(before);
        let listener = bound.map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(ProxySocket { path: path.to_owned(), listener })
    }
}

impl Drop for ProxySocket {
    fn drop(&mut self) {
        // Best effort: a stale socket is replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// What all connections share.
struct Shared<W: Write> {
    recorder: RefCell<Recorder<W>>,
    /// Why the trace can be written no further.
    failed: RefCell<Option<io::Error>>,
    wake: Notify,
    connector: Role,
    listener: Role,
    connections: Cell<u64>,
}

impl<W: Write> Shared<W> {
    /// Writes to the trace. After a failure there is nothing to write to any more, and [`serve`] ends.
    fn record(&self, write: impl FnOnce(&mut Recorder<W>) -> io::Result<()>) {
        if self.failed.borrow().is_some() {
            return;
        }
        let mut recorder = self.recorder.borrow_mut();
        if let Err(error) = write(&mut recorder).and_then(|()| recorder.flush()) {
            *self.failed.borrow_mut() = Some(error);
            self.wake.notify_one();
        }
    }
}

/// Passes on everything between who connects to `socket` and the `listener` at `to`, and records it, until `stop`
/// is done. Its connections are tasks of the [`tokio::task::LocalSet`] that it has to run in.
///
/// # Errors
/// [`ProxyError`] when the trace can be written no further.
pub async fn serve<W: Write + 'static>(
    socket: &ProxySocket,
    to: &Path,
    listener: Role,
    out: W,
    stop: impl Future<Output = ()>,
) -> Result<(), ProxyError> {
    let failed = |source| ProxyError::Listen { path: socket.path.clone(), source };
    let accepting = socket.listener.try_clone().and_then(UnixListener::from_std).map_err(failed)?;
    let recorder = Recorder::begin(out, listener).map_err(ProxyError::Trace)?;
    let shared = Rc::new(Shared {
        recorder: RefCell::new(recorder),
        failed: RefCell::new(None),
        wake: Notify::new(),
        connector: if listener == Role::Worker { Role::Arbiter } else { Role::Client },
        listener,
        connections: Cell::new(0),
    });
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = shared.wake.notified() => break,
            accepted = accepting.accept() => match accepted {
                Ok((near, _)) => {
                    tasks.spawn_local(connection(Rc::clone(&shared), near, to.to_owned()));
                }
                // Out of descriptors: connections that end give some back.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
    // What is there of unfinished frames is recorded when the tasks are dropped.
    tasks.shutdown().await;
    let failed = shared.failed.borrow_mut().take();
    failed.map_or(Ok(()), |error| Err(ProxyError::Trace(error)))
}

async fn connection<W: Write>(shared: Rc<Shared<W>>, near: UnixStream, to: PathBuf) {
    shared.connections.set(shared.connections.get() + 1);
    let on = format!("c{}", shared.connections.get());
    let mut asks = Side::new(&shared, Direction::new(&on, shared.connector));
    let mut answers = Side::new(&shared, Direction::new(&on, shared.listener));
    asks.record(|direction, recorder| direction.opened(recorder));
    let far = match UnixStream::connect(&to).await {
        Ok(far) => far,
        Err(error) => {
            eprintln!("dirty proxy: {on}: failed to connect to {}: {error}", to.display());
            answers.record(|direction, recorder| direction.closed(Closing::Refused, recorder));
            return;
        }
    };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(asks.pass(near_read, far_write), answers.pass(far_read, near_write));
}

/// One direction of one connection.
struct Side<'a, W: Write> {
    shared: &'a Shared<W>,
    direction: Direction,
}

impl<'a, W: Write> Side<'a, W> {
    fn new(shared: &'a Shared<W>, direction: Direction) -> Side<'a, W> {
        Side { shared, direction }
    }

    fn record(&mut self, write: impl FnOnce(&mut Direction, &mut Recorder<W>) -> io::Result<()>) {
        let direction = &mut self.direction;
        self.shared.record(|recorder| write(direction, recorder));
    }

    /// Passes bytes on until one side ends. They are recorded before they are passed on, so that no answer to them
    /// stands in the trace before them.
    async fn pass(&mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; READ];
        let how = loop {
            match from.read(&mut buffer).await {
                Ok(0) => break Closing::Eof,
                Ok(count) => {
                    self.record(|direction, recorder| direction.bytes(&buffer[..count], recorder));
                    if to.write_all(&buffer[..count]).await.is_err() {
                        // Nobody takes these bytes: the sender learns it as it would have without the proxy.
                        let socket: &UnixStream = from.as_ref();
                        let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), Shutdown::Read);
                        self.record(|direction, recorder| direction.finish(recorder));
                        return;
                    }
                }
                Err(_) => break Closing::Reset,
            }
        };
        self.record(|direction, recorder| direction.closed(how, recorder));
        let _ = to.shutdown().await;
    }
}

impl<W: Write> Drop for Side<'_, W> {
    fn drop(&mut self) {
        self.record(|direction, recorder| direction.finish(recorder));
    }
}
