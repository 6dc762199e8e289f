//! A worker as a process of its own: the contract with the arbiter that started it.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use sd_notify::NotifyState;

use super::Host;
use super::host::BootError;
use super::service::{Control, Worker};
use super::setup::Setup;

/// Exit code of a worker that cannot start (WORK-6).
const BOOT_FAILURE: u8 = 3;

impl Host {
    /// Runs this process as a worker, from its start to its end: what `main` returns.
    ///
    /// The environment says what to do ([`Setup::from_env`]). Call it first in `main`, before any thread is started:
    /// the worker's signals are blocked in all threads but one, which waits for them.
    ///
    /// - Ready: `READY=1` goes to `NOTIFY_SOCKET` when every app is initialised and the socket is listened on
    ///   (WORK-2), and then `WATCHDOG=1` again and again (WORK-8).
    /// - SIGTERM, SIGINT: the running requests are finished, the apps closed, exit code 0 (WORK-4).
    /// - SIGQUIT: dies at once. SIGABRT: writes to stderr what every slot is doing, and aborts (WORK-7).
    /// - SIGUSR1 is ignored: what a worker logs goes to stderr, which is the arbiter's.
    /// - End of standard input: the arbiter is gone, the process exits at once (WORK-5). On Linux it also dies when
    ///   the thread that started it ends.
    /// - It cannot start: the reason goes to stderr, exit code 3 (WORK-6).
    ///
    /// It writes nothing to stdout, and logs through `tracing`; where that goes is the program's choice, made before
    /// the call.
    pub fn run(self) -> ExitCode {
        self.run_behind(|_| Ok(()))
    }

    /// [`run`](Self::run) with something before the worker's socket: `before` may put another path in its place, and
    /// answer for the one that the arbiter has given.
    pub(crate) fn run_behind(self, before: impl FnOnce(&mut PathBuf) -> io::Result<()>) -> ExitCode {
        match run(self, before) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&format!("failed to start: {error}"));
                ExitCode::from(BOOT_FAILURE)
            }
        }
    }
}

fn run(host: Host, before: impl FnOnce(&mut PathBuf) -> io::Result<()>) -> Result<(), BootError> {
    // What `ps -e` and `top` show (LIFE-15); a program without that name works as well.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_name(c"dirty-worker");
    let system = |what: &str| {
        let what = what.to_owned();
        move |source| BootError::System { what, source }
    };
    let mut setup = Setup::from_env()?;
    let control = Control::new(setup.threads);
    start_signals(Arc::clone(&control)).map_err(system("wait for signals"))?;
    before(&mut setup.socket).map_err(system("take another socket"))?;
    start_lifeline().map_err(system("watch standard input"))?;
    start_watchdog().map_err(system("start the watchdog"))?;
    let mut apps = host.boot(&setup, turn_to)?;
    let served = served_apps(&apps.paths(), &setup.apps);
    if control.is_stopping() {
        apps.close();
        return Ok(());
    }
    let worker = Worker::start(apps, &setup, control)?;
    let ready: Vec<NotifyState<'_>> =
        served.as_deref().map(NotifyState::Custom).into_iter().chain([NotifyState::Ready]).collect();
    sd_notify::notify(&ready).map_err(system("tell the arbiter that the worker is ready"))?;
    tracing::debug!(apps = setup.apps.join(","), slots = setup.threads, "ready");
    worker.wait();
    Ok(())
}

/// Tells the arbiter which app this worker is about to load or initialise, or that it is done with them (WORK-17).
fn turn_to(app_path: Option<&str>) {
    let loading = format!("X_DIRTY_LOADING={}", app_path.unwrap_or_default());
    // Without it the arbiter only knows less, should this worker fail.
    let _ = sd_notify::notify(&[NotifyState::Custom(&loading)]);
}

/// What the arbiter must know before it takes the worker for ready: which apps it serves, if not all that it was asked
/// for (WORK-14).
fn served_apps(served: &[&str], asked: &[String]) -> Option<String> {
    let all = asked.iter().all(|app_path| served.contains(&app_path.as_str()));
    (!all).then(|| format!("X_DIRTY_APPS={}", serde_json::json!(served)))
}

/// Takes the signals of the process into a thread that waits for them. Handlers could do next to nothing.
fn start_signals(control: Arc<Control>) -> io::Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGABRT, Signal::SIGUSR1] {
        signals.add(signal);
    }
    // Inherited by every thread that is started from here on.
    signals.thread_block()?;
    spawn("signals", move || {
        loop {
            match signals.wait() {
                Ok(Signal::SIGTERM | Signal::SIGINT) => {
                    control.stop();
                    // The arbiter knows: it sent the signal.
                    let _ = sd_notify::notify(&[NotifyState::Stopping]);
                }
                Ok(Signal::SIGQUIT) => die(Signal::SIGQUIT),
                Ok(Signal::SIGABRT) => {
                    for line in control.describe() {
                        say(&line);
                    }
                    std::process::abort();
                }
                Ok(_) | Err(_) => {}
            }
        }
    })
}

/// Dies of a signal, without a core dump.
fn die(signal: Signal) -> ! {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    let mut signals = SigSet::empty();
    signals.add(signal);
    let _ = signals.thread_unblock();
    let _ = nix::sys::signal::raise(signal);
    // Only if whoever started this process had the signal ignored.
    let _ = nix::sys::signal::raise(Signal::SIGKILL);
    std::process::abort()
}

/// Ends the process when the arbiter is gone, however it went.
fn start_lifeline() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let parent = nix::unistd::getppid();
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        if nix::unistd::getppid() != parent {
            orphaned();
        }
    }
    spawn("lifeline", || {
        let mut ignored = [0; 256];
        loop {
            match io::stdin().read(&mut ignored) {
                Ok(0) => orphaned(),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => orphaned(),
                _ => {}
            }
        }
    })
}

/// Exits at once: nobody is there to finish anything for.
fn orphaned() -> ! {
    say("the arbiter is gone");
    // What other code has registered for the exit gets a moment, and no more.
    let _ = spawn("last", || {
        std::thread::sleep(Duration::from_secs(1));
        die(Signal::SIGKILL);
    });
    std::process::exit(0)
}

/// Shows that the process is alive, if it is asked to.
fn start_watchdog() -> io::Result<()> {
    let Some(period) = sd_notify::watchdog_enabled() else { return Ok(()) };
    spawn("watchdog", move || {
        loop {
            if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
                tracing::warn!(%error, "cannot tell the arbiter that the worker is alive");
            }
            // At least once in every half of the period, with time to spare (WORK-8).
            std::thread::sleep(period / 3);
        }
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Writes a line to stderr, whatever the log's level. A stderr that is gone is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "dirty worker: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_names_its_apps_unless_it_serves_all_that_it_was_asked_for() {
        let asked = ["a:B".to_owned(), "c\"d".to_owned(), "a:B".to_owned()];
        assert_eq!(served_apps(&["a:B", "c\"d"], &asked), None);
        assert_eq!(served_apps(&["c\"d"], &asked).unwrap(), r#"X_DIRTY_APPS=["c\"d"]"#);
        assert_eq!(served_apps(&[], &asked).unwrap(), "X_DIRTY_APPS=[]");
    }
}
