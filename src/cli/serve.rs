//! `dirty serve`: run the arbiter.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::config::refuse;
use super::exit::Exit;
use super::logging::{self, LogFile};
use super::setting_flags::ConfigurationArgs;
use super::title;
use crate::arbiter::{Arbiter, ArbiterConfig, ArbiterError};
use crate::config::{self, ConfigErrors, Environment, Loaded, Settings};

/// Run an arbiter and its worker processes until SIGTERM.
///
/// Prints one line, "listening on SOCKET", once clients can connect. Calls that arrive before the workers are ready wait
/// for them. SIGTERM and SIGINT finish what was accepted (a second one hurries), SIGQUIT ends at once. SIGUSR1
/// reopens the log file.
#[derive(Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    configuration: ConfigurationArgs,
}

pub(super) fn run(args: ServeArgs) -> ExitCode {
    title::take("dirty-arbiter");
    close_inherited();
    let loaded = built_in_worker().and_then(|built_in| {
        let (loaded, arbiter) = load(&args, &built_in)?;
        let log_file = logging::start(&loaded.log).map_err(|error| loaded.log_file_error(&error))?;
        Ok((loaded, arbiter, log_file, built_in))
    });
    match loaded.and_then(|(loaded, arbiter, log_file, built_in)| {
        warn(&loaded);
        serve(arbiter, reloader(args, loaded.settings, built_in), log_file)
    }) {
        Ok(()) => Exit::Ok.into(),
        Err(ServeError::Configuration(errors)) => refuse("dirty serve", &errors),
        Err(error) => {
            eprintln!("dirty serve: {error}");
            match error {
                ServeError::Arbiter(ArbiterError::Hook { .. }) => Exit::Failed.into(),
                _ => Exit::Unreachable.into(),
            }
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
    Configuration(#[from] ConfigErrors),
    #[error("failed to {action}: {source}")]
    System { action: &'static str, source: std::io::Error },
}

fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> ServeError {
    move |source| ServeError::System { action, source }
}

/// The command that starts the built-in worker host: this program. Found once, since the file may be replaced while it runs.
fn built_in_worker() -> Result<Vec<OsString>, ServeError> {
    let itself = std::env::current_exe().map_err(system("find this program"))?;
    Ok(vec![itself.into(), "worker".into()])
}

/// Reads the configuration, as a whole or not at all.
fn load(args: &ServeArgs, built_in: &[OsString]) -> Result<(Loaded, ArbiterConfig), ConfigErrors> {
    let environment = Environment::of_process();
    let loaded = config::load(&args.configuration.sources(&environment))?;
    let arbiter = loaded.arbiter(built_in.to_vec())?;
    Ok((loaded, arbiter))
}

/// Reads the configuration again whenever it is called, as a whole or not at all (LIFE-3). What only a restart changes stays
/// as `running` has it, and the log says so.
fn reloader(
    args: ServeArgs,
    running: Settings,
    built_in: Vec<OsString>,
) -> impl Fn() -> Result<ArbiterConfig, String> + 'static {
    move || {
        let environment = Environment::of_process();
        let sources = args.configuration.sources(&environment);
        // One line of the log, however many problems.
        let on_a_line = |errors: ConfigErrors| errors.to_string().replace('\n', "; ");
        let (loaded, kept) = config::reload(&sources, &running).map_err(on_a_line)?;
        let arbiter = loaded.arbiter(built_in.clone()).map_err(on_a_line)?;
        warn(&loaded);
        if !kept.is_empty() {
            tracing::warn!(
                "{}: the configuration has changed, which takes effect at a restart",
                kept.join(", ")
            );
        }
        Ok(arbiter)
    }
}

fn warn(loaded: &Loaded) {
    loaded.warnings.iter().for_each(|warning| tracing::warn!("configuration: {warning}"));
}

fn serve(
    config: ArbiterConfig,
    reload: impl Fn() -> Result<ArbiterConfig, String> + 'static,
    log_file: Option<Arc<LogFile>>,
) -> Result<(), ServeError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(system("start the event loop"))?;
    let _context = runtime.enter();
    let summary = summary(&config);
    let mut arbiter = Arbiter::bind(config)?.with_reload(reload);
    if let Some(file) = log_file {
        arbiter = arbiter.on_reopen_logs(move || file.reopen());
    }
    // Whoever started us may not read this; that is no reason to stop.
    let line = format!("listening on {}\n", arbiter.socket().display());
    let _ = std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes());
    tracing::info!("{summary}");
    Ok(runtime.block_on(arbiter.run())?)
}

fn summary(config: &ArbiterConfig) -> String {
    let apps: Vec<&str> = config.pool.apps.iter().map(|app| app.app_path.as_str()).collect();
    let pool = &config.pool;
    format!("serving {} with {} workers of {} slots", apps.join(", "), pool.workers, pool.threads)
}
