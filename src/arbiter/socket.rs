//! The socket's place in the file system: private, never stolen, cleaned up.
//!
//! Next to the socket `S` stands the directory `S.d` (0700) with a lock file and the workers' sockets. Who holds the lock
//! owns the path; the kernel drops the lock with its holder, however that ends, so a stale socket is told from a live one
//! without guessing (SEC-3, SEC-4).
//!
//! The socket is bound in the private directory and linked to its place once it has its group and mode, so that nobody can
//! connect before (SEC-8).

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;
use nix::sys::stat::{Mode, umask};

use super::access::SocketAccess;
use super::lock;
use crate::control::control_socket;

/// The longest path that fits a socket address, in bytes.
const MAX_PATH: usize = 107;
/// What a worker's socket and notify socket add to the path of `S.d`, at the most.
const WORKER_SUFFIX: usize = "/n18446744073709551615".len();

/// Why a socket cannot be opened. Nothing was changed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another arbiter lives on this path.
    #[error("failed to listen on {path}: an arbiter{} is already serving there (SEC-3)", holder(pid))]
    InUse {
        /// The path.
        path: PathBuf,
        /// Its process, if it left its number.
        pid: Option<u32>,
    },
    /// Some other program listens on this path.
    #[error("failed to listen on {path}: another program is listening there (SEC-3)")]
    ForeignListener {
        /// The path.
        path: PathBuf,
    },
    /// The path is taken by something that is no socket.
    #[error("failed to listen on {path}: it exists and is not a socket; remove it or choose another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Others could replace the socket.
    #[error(
        "failed to listen on {path}: directory {directory} has mode {mode:04o}, so other users can replace the socket; \
         use a directory that only its owner may write to (SEC-7)"
    )]
    SharedDirectory {
        /// The path.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The path does not fit a socket address.
    #[error("failed to listen on {path}: the path has {length} bytes, at most {limit} fit a socket address")]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length, in bytes.
        length: usize,
        /// The longest that fits.
        limit: usize,
    },
    /// The system refused.
    #[error("failed to listen on {path}: {action}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// A listening socket and the private directory beside it. Dropping it removes both.
#[derive(Debug)]
pub(super) struct OwnedSocket {
    path: PathBuf,
    directory: PathBuf,
    _lock: Flock<File>,
}

impl OwnedSocket {
    /// Takes the path and listens on it, for those who have `access`.
    pub fn bind(path: &Path, access: &SocketAccess) -> Result<(Self, UnixListener), SocketError> {
        let io = |action| move |source| SocketError::Io { path: path.to_owned(), action, source };
        let limit = MAX_PATH - ".d".len() - WORKER_SUFFIX;
        let length = path.as_os_str().len();
        if length > limit {
            return Err(SocketError::PathTooLong { path: path.to_owned(), length, limit });
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        create_directories(parent, access.group).map_err(io("cannot create its directory"))?;
        let mode = fs::metadata(parent).map_err(io("cannot read its directory"))?.mode() & 0o7777;
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return Err(SocketError::SharedDirectory {
                path: path.to_owned(),
                directory: parent.to_owned(),
                mode,
            });
        }
        if fs::symlink_metadata(path).is_ok_and(|meta| !meta.file_type().is_socket()) {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        let mut directory = path.as_os_str().to_owned();
        directory.push(".d");
        let directory = PathBuf::from(directory);
        let lock = lock::take(path, &directory)?;
        if UnixStream::connect(path).is_ok() {
            return Err(SocketError::ForeignListener { path: path.to_owned() });
        }
        // The lock is ours: whoever left these is dead.
        remove_sockets(&directory).map_err(io("cannot clean up after an earlier arbiter"))?;
        remove_if_there(path).map_err(io("cannot remove the stale socket"))?;
        let unpublished = directory.join("call");
        let listener = bind_private(&unpublished).map_err(io("cannot bind"))?;
        open_to(&unpublished, access).map_err(io("cannot give it its group and mode"))?;
        // Unlike a rename, a link never replaces what somebody else has put there in the meantime.
        fs::hard_link(&unpublished, path).map_err(io("cannot put it in its place"))?;
        remove_if_there(&unpublished).map_err(io("cannot remove its first name"))?;
        if let Some(group) = access.group {
            warn_of_closed_directories(parent, group);
        }
        Ok((OwnedSocket { path: path.to_owned(), directory, _lock: lock }, listener))
    }

    /// Listens on the control socket, in the private directory (EXT-5).
    pub fn bind_control(&self) -> Result<UnixListener, SocketError> {
        let path = control_socket(&self.path);
        bind_private(&path).map_err(|source| SocketError::Io {
            path,
            action: "cannot bind the control socket",
            source,
        })
    }

    /// A path for a socket in the private directory.
    pub fn private_path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        // Best effort: what cannot be removed now is removed at the next start.
        let _ = remove_if_there(&self.path);
        let _ = lock::remove(&self.directory);
    }
}

/// What makes a directory for its owner alone.
pub(super) fn private_dir() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Makes the directories that are missing: for their owner alone, or passable for a group (SEC-1, SEC-8).
fn create_directories(directory: &Path, group: Option<u32>) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directories(parent, group)?;
    }
    match private_dir().create(directory) {
        // Somebody else has just made it: its mode is theirs to choose.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => return Ok(()),
        made => made?,
    }
    if group.is_some() {
        chown(directory, None, group)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o710))?;
    }
    Ok(())
}

/// The group can connect only if it can pass every directory on the way.
fn warn_of_closed_directories(parent: &Path, group: u32) {
    let Ok(absolute) = std::path::absolute(parent) else { return };
    for directory in absolute.ancestors() {
        let Ok(meta) = fs::metadata(directory) else { continue };
        let passable = if meta.gid() == group { meta.mode() & 0o010 } else { meta.mode() & 0o001 };
        if passable == 0 {
            let (directory, mode) = (directory.display(), meta.mode() & 0o7777);
            tracing::warn!(
                "the socket's group {group} may not be able to enter directory {directory}, which has mode {mode:04o}"
            );
        }
    }
}

fn remove_sockets(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_socket() {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives the socket its group and its mode. It still stands in the private directory, where nobody can connect (SEC-8).
fn open_to(socket: &Path, access: &SocketAccess) -> io::Result<()> {
    if access.group.is_some() {
        chown(socket, None, access.group)?;
    }
    fs::set_permissions(socket, fs::Permissions::from_mode(access.mode))
}

/// Binds with mode 0600 from the first moment on.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
