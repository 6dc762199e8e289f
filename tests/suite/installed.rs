//! Packages of other languages for the tests, installed under the target directory on first use.
//!
//! Nothing here skips: a machine without the language or its package index fails the test and says what is missing.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};

/// The folder `name` below `target/installed`, in which `install` has been run for these `versions`, by whoever came
/// first.
///
/// The stamp is written last, so an interrupted installation is begun again. The lock keeps those who test at the same
/// time, in this process or another, out of each other's way; the kernel drops it with its holder.
pub fn installed(name: &str, versions: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("installed");
    fs::create_dir_all(&all).unwrap();
    let lock = OpenOptions::new().create(true).append(true).open(all.join(format!("{name}.lock"))).unwrap();
    let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    let (folder, stamp) = (all.join(name), all.join(format!("{name}.stamp")));
    if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == versions) {
        return folder;
    }
    let _ = fs::remove_file(&stamp);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    install(&folder);
    fs::write(&stamp, versions).unwrap();
    folder
}

/// Runs a command that has to succeed, and gives what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("this test needs {command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out
}
