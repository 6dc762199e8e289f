//! The lock on a socket's path: a file in the private directory beside it, and that directory's coming and going.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::socket::{SocketError, private_dir};

/// The name of the lock file in the private directory.
const NAME: &str = "lock";
/// How often arbiters that end may remove what is about to be locked. Each time, one of them has come to its end.
const TRIES: usize = 100;

/// Creates the private directory of a socket's path and takes its lock (SEC-3).
pub(super) fn take(path: &Path, directory: &Path) -> Result<Flock<File>, SocketError> {
    let io = |action| move |source| SocketError::Io { path: path.to_owned(), action, source };
    for _ in 0..TRIES {
        if let Some(mut lock) = try_to_take(path, directory)? {
            let number = format!("{}\n", std::process::id());
            let write =
                lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(number.as_bytes()));
            write.map_err(io("cannot write its lock file"))?;
            return Ok(lock);
        }
    }
    Err(io("cannot lock its lock file")(io::Error::other("it is removed again and again")))
}

/// Removes the private directory. To be called by who has its lock: the lock file goes last, and from then on the path, and a
/// directory that is made anew, may be another's.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != NAME {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_file(directory.join(NAME))?;
    fs::remove_dir(directory)
}

/// `None` if the lock, or what it is in, was removed meanwhile by an arbiter that ended.
fn try_to_take(path: &Path, directory: &Path) -> Result<Option<Flock<File>>, SocketError> {
    let io = |action| move |source| SocketError::Io { path: path.to_owned(), action, source };
    match private_dir().create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io("cannot create its private directory")(error));
        }
        _ => (),
    }
    let meta =
        still_there(fs::symlink_metadata(directory)).map_err(io("cannot read its private directory"))?;
    let Some(meta) = meta else { return Ok(None) };
    let own = meta.is_dir() && meta.uid() == nix::unistd::geteuid().as_raw();
    if !own {
        let error = io::Error::new(io::ErrorKind::AlreadyExists, "not a directory of this user");
        return Err(io("cannot use its private directory")(error));
    }
    still_there(fs::set_permissions(directory, fs::Permissions::from_mode(0o700)))
        .map_err(io("cannot make its directory private"))?;
    let name = directory.join(NAME);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let Some(file) = still_there(options.open(&name)).map_err(io("cannot open its lock file"))? else {
        return Ok(None);
    };
    let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            return Err(SocketError::InUse { path: path.to_owned(), pid: text.trim().parse().ok() });
        }
        Err((_, errno)) => return Err(io("cannot lock its lock file")(errno.into())),
    };
    // An arbiter that ended may have removed the file after it was opened: then another makes a new one, and locks that.
    let locked = lock.metadata().map_err(io("cannot read its lock file"))?;
    let named = still_there(fs::symlink_metadata(&name)).map_err(io("cannot read its lock file"))?;
    let same = named.is_some_and(|named| (named.dev(), named.ino()) == (locked.dev(), locked.ino()));
    Ok(same.then_some(lock))
}

/// What was found, or `None` if there was nothing.
fn still_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// Threads stand for processes: a lock belongs to the opened file.
    #[test]
    fn a_path_has_one_holder_however_many_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let (path, directory) = (folder.path().join("d.sock"), folder.path().join("d.sock.d"));
        let (start, held, taken) = (Barrier::new(8), AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..500 {
                        match take(&path, &directory) {
                            Ok(_lock) => {
                                assert!(!held.swap(true, Ordering::SeqCst), "two hold it");
                                let files =
                                    ["call", "control", "w1", "w2", "n1"].map(|name| directory.join(name));
                                files.iter().for_each(|file| fs::write(file, "").unwrap());
                                std::thread::yield_now();
                                assert!(files.iter().all(|file| file.exists()), "another has removed them");
                                assert!(held.swap(false, Ordering::SeqCst), "another has held it");
                                taken.fetch_add(1, Ordering::SeqCst);
                                // Another may be in the directory before it is removed.
                                let _ = remove(&directory);
                            }
                            Err(SocketError::InUse { .. }) => std::thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
        });
        assert!(taken.load(Ordering::SeqCst) > 0);
        let lock = take(&path, &directory).unwrap();
        assert!(matches!(take(&path, &directory), Err(SocketError::InUse { pid: Some(_), .. })));
        remove(&directory).unwrap();
        drop(lock);
        assert!(!directory.exists());
    }
}
