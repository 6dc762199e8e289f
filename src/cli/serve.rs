//! `dirty serve`: run the arbiter.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::logging;
use crate::apps;
use crate::arbiter::core::AppAllocation;
use crate::arbiter::{AppSpecError, Arbiter, ArbiterConfig, ArbiterError, Compat};
use crate::wire::Limits;

/// Run an arbiter and its worker processes until SIGTERM.
///
/// Prints one line, "listening on SOCKET", once clients can connect. Calls that arrive before the workers are ready wait
/// for them. SIGTERM and SIGINT finish what was accepted (a second one hurries), SIGQUIT ends at once.
#[derive(Args)]
pub(super) struct ServeArgs {
    /// An app to serve, "module:Class", or "module:Class:N" to load it in N workers only. May be repeated. Without any,
    /// the built-in fixture:App and demo:LLM are served.
    #[arg(long = "app", alias = "dirty-app", value_name = "SPEC", value_parser = app_spec)]
    apps: Vec<AppAllocation>,
    /// How many worker processes.
    #[arg(long, alias = "dirty-workers", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: u32,
    /// Requests that each worker runs at a time.
    #[arg(long, alias = "dirty-threads", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Limit of a call, and of each pause in a stream, in seconds; 0 for none.
    #[arg(long, alias = "dirty-timeout", value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    timeout: Duration,
    /// How long a graceful shutdown may take, in seconds.
    #[arg(long, alias = "dirty-graceful-timeout", value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    graceful_timeout: Duration,
    /// How long a request may wait for a free worker, in seconds; 0 for ever.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    queue_timeout: Duration,
    /// How long a worker may take to start, in seconds; 0 for ever.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    boot_timeout: Duration,
    /// How long a worker may take to give up a request that was told to end, in seconds, before it is replaced.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    cancel_grace: Duration,
    /// Requests that may wait per app.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    queue: usize,
    /// Client connections at a time.
    #[arg(long, value_name = "N", default_value_t = 4_096)]
    max_connections: usize,
    /// The longest message, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::DEFAULT_MAX_PAYLOAD, value_parser = clap::value_parser!(u32).range(65_536..=1_073_741_824))]
    max_frame: u32,
    /// The deepest nesting of a message.
    #[arg(long, value_name = "LEVELS", default_value_t = Limits::DEFAULT_MAX_DEPTH as u32, value_parser = clap::value_parser!(u32).range(64..=65_536))]
    max_depth: u32,
    /// Where to listen. Without it: DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET, or $XDG_RUNTIME_DIR/dirty/arbiter.sock.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The shell command that starts a worker, instead of the built-in host. It replaces the shell: to set a variable, use
    /// "env NAME=VALUE command".
    #[arg(long, value_name = "COMMAND")]
    worker_command: Option<String>,
    /// Follow the habits of another arbiter where it differs from the specification.
    #[arg(long, value_enum, value_name = "NAME")]
    compat: Option<CompatName>,
    #[command(flatten)]
    logging: logging::LoggingArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum CompatName {
    Gunicorn,
}

fn app_spec(text: &str) -> Result<AppAllocation, AppSpecError> {
    text.parse()
}

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = "expected a number of seconds, 0 or more";
    let seconds: f64 = text.parse().map_err(|_| expected.to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| expected.to_owned())
}

pub(super) fn run(args: ServeArgs) -> ExitCode {
    close_inherited();
    args.logging.start();
    match serve(args) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            eprintln!("dirty serve: {error}");
            Exit::Unreachable.into()
        }
    }
}

/// Closes every descriptor but the standard three that the starting process left open. Workers would inherit them, and a
/// peer of a socket among them would never see its end. Everything opened from here on is close-on-exec.
fn close_inherited() {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // One of them was the listing itself, which is closed already.
        let _ = nix::unistd::close(number);
    }
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Arbiter(#[from] ArbiterError),
    #[error(transparent)]
    Discovery(#[from] crate::discovery::DiscoveryError),
    #[error("failed to {action}: {source}")]
    System { action: &'static str, source: std::io::Error },
}

fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let system = |action| move |source| ServeError::System { action, source };
    let config = configuration(args)?;
    let summary = summary(&config);
    let arbiter = Arbiter::bind(config).map_err(ArbiterError::from)?;
    // Whoever started us may not read this; that is no reason to stop.
    let line = format!("listening on {}\n", arbiter.socket().display());
    let _ = std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes());
    tracing::info!("{summary}");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(system("start the event loop"))?;
    Ok(runtime.block_on(arbiter.run())?)
}

fn configuration(args: ServeArgs) -> Result<ArbiterConfig, ServeError> {
    let socket = crate::discovery::socket_path(args.socket.as_deref())?;
    let worker_command: Vec<OsString> = match args.worker_command {
        // The shell splits the words; `exec` leaves no shell between the arbiter and its worker.
        Some(command) => vec!["/bin/sh".into(), "-c".into(), format!("exec {command}").into()],
        None => {
            let itself = std::env::current_exe();
            let itself =
                itself.map_err(|source| ServeError::System { action: "find this program", source })?;
            vec![itself.into(), "worker".into()]
        }
    };
    let mut config = ArbiterConfig::new(socket, worker_command);
    config.max_connections = args.max_connections;
    config.compat = args.compat.map_or(Compat::Strict, |CompatName::Gunicorn| Compat::Gunicorn);
    config.limits = Limits {
        max_payload: args.max_frame,
        max_depth: args.max_depth as usize,
        allow_non_finite: config.compat == Compat::Gunicorn,
    };
    let pool = &mut config.pool;
    pool.apps = args.apps;
    if pool.apps.is_empty() {
        let built_in = apps::BUILT_IN.iter();
        pool.apps = built_in.map(|path| AppAllocation::everywhere(*path)).collect();
    }
    pool.workers = args.workers as usize;
    pool.threads = args.threads;
    pool.timeout = args.timeout;
    pool.queue_timeout = args.queue_timeout;
    pool.boot_timeout = args.boot_timeout;
    pool.cancel_grace = args.cancel_grace;
    pool.graceful_timeout = args.graceful_timeout;
    pool.queue = args.queue;
    Ok(config)
}

fn summary(config: &ArbiterConfig) -> String {
    let apps: Vec<&str> = config.pool.apps.iter().map(|app| app.app_path.as_str()).collect();
    let pool = &config.pool;
    format!("serving {} with {} workers of {} slots", apps.join(", "), pool.workers, pool.threads)
}
