//! A running worker: its slots, and how it is stopped.

use std::io;
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::host::{Apps, BootError};
use super::setup::Setup;
use super::slot::Slot;
use crate::message::RequestMessage;

/// Stack of a slot's thread, in bytes: as much as a main thread has.
const STACK: usize = 8 * 1024 * 1024;

/// A worker that runs inside this process, made by [`Host::start`](super::Host::start).
///
/// Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Worker {
    control: Arc<Control>,
    apps: Option<Arc<Apps>>,
    slots: Vec<JoinHandle<()>>,
    socket: PathBuf,
}

impl Worker {
    pub(super) fn start(apps: Apps, setup: &Setup, control: Arc<Control>) -> Result<Worker, BootError> {
        let listener = Arc::new(listen(&setup.socket)?);
        let apps = Arc::new(apps);
        // From here on an early return stops what has been started.
        let mut worker = Worker {
            control: Arc::clone(&control),
            apps: Some(Arc::clone(&apps)),
            slots: Vec::new(),
            socket: setup.socket.clone(),
        };
        control.listen_with(Arc::clone(&listener));
        for number in 0..setup.threads.get() {
            let slot = Slot::new(number, Arc::clone(&apps), Arc::clone(&control), setup);
            let (listener, control) = (Arc::clone(&listener), Arc::clone(&control));
            let thread = std::thread::Builder::new().name(format!("slot-{}", number + 1)).stack_size(STACK);
            let thread = thread.spawn(move || accept(&listener, &control, slot));
            worker
                .slots
                .push(thread.map_err(|source| BootError::System { what: "start a slot".into(), source })?);
        }
        Ok(worker)
    }

    /// Tells the worker to end: it accepts nothing more and finishes the requests it has.
    pub fn stop(&self) {
        self.control.stop();
    }

    /// Waits until the worker has been told to end and has finished its requests, then closes the apps and removes
    /// the socket.
    pub fn wait(mut self) {
        for slot in self.slots.drain(..) {
            if slot.join().is_err() {
                tracing::error!("a slot of the worker panicked");
            }
        }
        // The slots had the only other references.
        if let Some(apps) = self.apps.take().as_mut().and_then(Arc::get_mut) {
            apps.close();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.control.stop();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Listens on a socket that nobody but this user can connect to (SEC-1).
fn listen(path: &Path) -> Result<UnixListener, BootError> {
    let bound = UnixListener::bind(path).and_then(|listener| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    bound.map_err(|source| BootError::System { what: format!("listen on {}", path.display()), source })
}

/// Serves one connection after the other on a slot, until the worker is told to end.
fn accept(listener: &UnixListener, control: &Control, mut slot: Slot) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => slot.serve(stream),
            Err(_) if control.is_stopping() => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
                // Descriptors or memory are short: others must give some back first.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Stops a worker, from any thread and at any time of its life.
#[derive(Debug)]
pub(super) struct Control {
    stopping: AtomicBool,
    listener: OnceLock<Arc<UnixListener>>,
    slots: Vec<Mutex<SlotState>>,
}

#[derive(Debug, Default)]
struct SlotState {
    connection: Option<UnixStream>,
    running: Option<(Instant, Arc<RequestMessage>)>,
}

impl SlotState {
    /// Lets the slot come to the end of what has arrived: it reads that, and then the end of the connection.
    /// Replies can still be written.
    fn hang_up(&self) {
        if let Some(connection) = &self.connection {
            // Fails only if the other end was quicker.
            let _ = connection.shutdown(Shutdown::Read);
        }
    }
}

impl Control {
    pub(super) fn new(slots: NonZeroUsize) -> Arc<Self> {
        let slots = (0..slots.get()).map(|_| Mutex::default()).collect();
        Arc::new(Control { stopping: AtomicBool::new(false), listener: OnceLock::new(), slots })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Idle slots end at once, busy ones after their request. What has arrived already is still served: the arbiter
    /// could not know better when it sent it.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for slot in &self.slots {
            let slot = lock(slot);
            if slot.running.is_none() {
                slot.hang_up();
            }
        }
        self.close_listener();
    }

    fn listen_with(&self, listener: Arc<UnixListener>) {
        // A control controls one worker, which listens once.
        let _ = self.listener.set(listener);
        if self.is_stopping() {
            self.close_listener();
        }
    }

    /// Wakes the slots that wait for a connection.
    fn close_listener(&self) {
        if let Some(listener) = self.listener.get() {
            let _ = nix::sys::socket::shutdown(listener.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        }
    }

    pub(super) fn connected(&self, slot: usize, connection: UnixStream) {
        let mut slot = lock(&self.slots[slot]);
        slot.connection = Some(connection);
        if self.is_stopping() {
            slot.hang_up();
        }
    }

    pub(super) fn disconnected(&self, slot: usize) {
        lock(&self.slots[slot]).connection = None;
    }

    pub(super) fn began(&self, slot: usize, request: Arc<RequestMessage>) {
        lock(&self.slots[slot]).running = Some((Instant::now(), request));
    }

    pub(super) fn ended(&self, slot: usize) {
        let mut slot = lock(&self.slots[slot]);
        slot.running = None;
        if self.is_stopping() {
            slot.hang_up();
        }
    }

    /// What every slot is doing, a line each.
    pub(super) fn describe(&self) -> Vec<String> {
        let describe = |(index, slot): (usize, &Mutex<SlotState>)| {
            let number = index + 1;
            // Whoever holds the lock may be what has gone wrong.
            let Ok(slot) = slot.try_lock() else { return format!("slot {number}: unknown") };
            match &slot.running {
                None => format!("slot {number}: idle"),
                Some((since, request)) => format!(
                    "slot {number}: {} of {}, request {}, for {:.3} s",
                    request.action,
                    request.app_path,
                    request.id,
                    since.elapsed().as_secs_f64()
                ),
            }
        };
        self.slots.iter().enumerate().map(describe).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No change in here can be left half done.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
