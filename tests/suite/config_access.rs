//! Who may open the call socket: its mode, its group, and the users that are served.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::served::{Served, dirty};

/// The user and the group that own nothing.
const NOBODY: u32 = 65_534;

/// The user `daemon`, which every system has, and its group. It is a member of that by the user database.
fn daemon() -> (u32, u32) {
    let daemon = User::from_name("daemon").unwrap().expect("a user daemon");
    (daemon.uid.as_raw(), daemon.gid.as_raw())
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn permissions(path: &Path) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.mode() & 0o7777, meta.gid())
}

/// A copy of the program where every user can run it.
struct Client {
    program: PathBuf,
    _directory: tempfile::TempDir,
}

impl Client {
    fn new() -> Client {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("dirty");
        // Copied by another process: a descriptor open for writing could be inherited by a child of another test's thread,
        // and a program that is being written cannot be run.
        assert!(
            Command::new("cp").arg(env!("CARGO_BIN_EXE_dirty")).arg(&program).status().unwrap().success()
        );
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Client { program, _directory: directory }
    }

    /// Calls the arbiter as another user; `run` is what precedes the program.
    fn call(&self, served: &Served, uid: u32, gid: u32) -> Output {
        let mut command = Command::new(&self.program);
        command.uid(uid).gid(gid);
        call(command, served)
    }

    /// The same with a supplementary group.
    fn call_with_group(&self, served: &Served, uid: u32, gid: u32, group: u32) -> Output {
        let mut command = Command::new("setpriv");
        let [uid, gid, group] =
            [("reuid", uid), ("regid", gid), ("groups", group)].map(|(name, id)| format!("--{name}={id}"));
        command.args([uid, gid, group]).arg(&self.program);
        call(command, served)
    }
}

fn call(mut command: Command, served: &Served) -> Output {
    command
        .current_dir("/")
        .args(["call", "fixture:App", "echo", "1", "--socket"])
        .arg(&served.socket)
        .output()
        .unwrap()
}

/// Lets everybody pass the test's own directory, but not the one that the arbiter makes.
fn open_the_way(served: &Served) {
    let directory = served.socket.parent().unwrap().parent().unwrap();
    fs::set_permissions(directory, Permissions::from_mode(0o711)).unwrap();
}

fn is_served(output: &Output) -> bool {
    output.status.success()
}

/// Whether it could not even connect.
fn is_kept_out(output: &Output) -> bool {
    !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("no permission to connect")
}

/// Whether it could connect, and the arbiter hung up.
fn is_refused(output: &Output) -> bool {
    !output.status.success() && !is_kept_out(output)
}

#[test]
fn the_socket_is_usable_after_dropping_privileges_when_its_group_is_set() {
    if !is_root() {
        return;
    }
    let client = Client::new();
    let (daemon, its_group) = daemon();
    let closed = Served::start(&[]);
    open_the_way(&closed);
    assert!(is_kept_out(&client.call(&closed, NOBODY, NOBODY)), "by default, the socket is its owner's");
    let served = Served::start(&["--socket-group", "65534"]);
    open_the_way(&served);
    let output = client.call(&served, NOBODY, NOBODY);
    assert!(is_served(&output), "{output:?}");
    // Whoever has the group, as a process does that was told to, is a member of it.
    let output = client.call(&served, daemon, NOBODY);
    assert!(is_served(&output), "{output:?}");
    let output = client.call(&served, daemon, its_group);
    assert!(is_kept_out(&output), "{output:?}");
    let run = served.socket.parent().unwrap();
    assert_eq!(permissions(&served.socket), (0o660, NOBODY));
    assert_eq!(permissions(run), (0o710, NOBODY), "a directory that the arbiter made");
    assert_eq!(
        permissions(&served.socket.with_extension("sock.d")).0,
        0o700,
        "the workers' sockets are nobody's business"
    );
}

#[test]
fn members_of_the_group_are_served_by_the_word_of_the_user_database() {
    if !is_root() {
        return;
    }
    let client = Client::new();
    let (daemon, its_group) = daemon();
    let mut served = Served::start(&["--socket-group", &its_group.to_string()]);
    open_the_way(&served);
    let output = client.call_with_group(&served, daemon, NOBODY, its_group);
    assert!(is_served(&output), "{output:?}");
    let output = client.call_with_group(&served, NOBODY, NOBODY, its_group);
    assert!(is_refused(&output), "{output:?}");
    served.signal(Signal::SIGTERM);
    let log = served.log();
    assert!(log.contains("refused a connection of another user (SEC-2) uid=65534"), "{log}");
}

#[test]
fn users_that_are_named_are_served_and_others_are_not() {
    if !is_root() {
        return;
    }
    let client = Client::new();
    let served = Served::start(&["--allow-user", "daemon", "--allow-user", "12345", "--socket-mode", "0666"]);
    open_the_way(&served);
    fs::set_permissions(served.socket.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(permissions(&served.socket).0, 0o666);
    for uid in [daemon().0, 12_345, 0] {
        let output = client.call(&served, uid, NOBODY);
        assert!(is_served(&output), "{uid}: {output:?}");
    }
    let output = client.call(&served, NOBODY, NOBODY);
    assert!(is_refused(&output), "{output:?}");
}

#[test]
fn the_socket_appears_with_its_mode_and_group_and_is_not_changed_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("d.sock");
    let watch = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    watch.add_watch(directory.path(), AddWatchFlags::IN_ALL_EVENTS).unwrap();
    let mut command = dirty();
    command.args(["serve", "--workers", "1", "--socket-mode", "0620", "--socket"]).arg(&socket);
    if is_root() {
        command.args(["--socket-group", "65534"]);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let group = if is_root() { NOBODY } else { nix::unistd::getegid().as_raw() };
    let found = permissions(&socket);
    let events = watch.read_events().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    assert_eq!(found, (0o620, group));
    let of_the_socket = events.iter().filter(|event| event.name.as_deref() == socket.file_name());
    let kinds: Vec<AddWatchFlags> = of_the_socket.map(|event| event.mask).collect();
    assert_eq!(kinds, [AddWatchFlags::IN_CREATE], "made once, and neither its mode nor its owner changed");
}

#[test]
fn a_group_that_cannot_enter_the_directory_is_a_warning() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let closed = directory.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let warning = format!(
        "the socket's group 65534 may not be able to enter directory {}, which has mode 0700",
        closed.display()
    );
    for (socket, warnings) in
        [(closed.join("d.sock"), 1), (closed.join("made/d.sock"), 1), (directory.join("d.sock"), 0)]
    {
        let mut command = dirty();
        command.args(["serve", "--workers", "1", "--socket-group", "65534", "--socket"]).arg(&socket);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // It has said it by now, and it need not end in order.
        child.kill().unwrap();
        let log = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert_eq!(log.matches(&warning).count(), warnings, "{log}");
        assert_eq!(log.matches("may not be able to enter").count(), warnings, "{log}");
    }
}
