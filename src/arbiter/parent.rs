//! The process that started the arbiter, and its end (LIFE-17).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::unistd::{Pid, getppid};
use tokio::sync::oneshot;

/// How often the parent is looked for where the system has no event for its end.
const POLL: Duration = Duration::from_secs(1);

/// Watches the process that is this one's parent now; the receiver hears of its end.
///
/// PR_SET_PDEATHSIG would not do: it tells of the end of the *thread* that started this process.
pub(super) fn watch() -> io::Result<oneshot::Receiver<()>> {
    let parent = getppid();
    let process = descriptor(parent);
    let (gone, news) = oneshot::channel();
    // A thread, for it waits in the kernel until the end of the parent, which may never come.
    std::thread::Builder::new().name("parent".to_owned()).spawn(move || {
        // A number may belong to another process by the time it is opened: then this process has another parent already.
        if let Ok(process) = process
            && getppid() == parent
        {
            wait_for_end(&process);
        }
        // At once if that has told it, else from time to time: there may be no event, or no permission to wait for it.
        while getppid() == parent {
            std::thread::sleep(POLL);
        }
        let _ = gone.send(());
    })?;
    Ok(news)
}

/// A descriptor that becomes readable when the process ends.
#[cfg(target_os = "linux")]
fn descriptor(process: Pid) -> io::Result<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    // 0 is a parent outside of this process's namespace.
    let process = Pid::from_raw(process.as_raw()).ok_or(io::ErrorKind::NotFound)?;
    Ok(pidfd_open(process, PidfdFlags::empty())?)
}

#[cfg(not(target_os = "linux"))]
fn descriptor(_: Pid) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits for the end of a process; returns early if the system does not let it wait.
fn wait_for_end(process: &OwnedFd) {
    use std::os::fd::AsFd as _;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let mut events = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    while poll(&mut events, PollTimeout::NONE) == Err(Errno::EINTR) {}
}
