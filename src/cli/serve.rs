//! `dirty serve`: run the arbiter.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::config::refuse;
use super::exit::Exit;
use super::logging::{self, LogFile};
use super::sabotage;
use super::setting_flags::ConfigurationArgs;
use super::title;
use crate::arbiter::{Arbiter, ArbiterConfig, ArbiterError, CommandHooks};
use crate::check::sabotage::Saboteur;
use crate::config::{self, ConfigErrors, Environment, Hosts, Loaded, Settings};
use crate::message::Role;

/// Run an arbiter and its worker processes until SIGTERM.
///
/// Prints one line, "listening on SOCKET", once clients can connect. Calls that arrive before the workers are ready wait
/// for them. SIGTERM and SIGINT finish what was accepted (a second one hurries), SIGQUIT ends at once. SIGUSR1
/// reopens the log file.
#[derive(Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Break one rule of the protocol on purpose, to test clients against. `dirty sabotage list` shows the names.
    ///
    /// The arbiter itself is honest and listens elsewhere: a relay on the socket makes the mistakes. Commands such as
    /// `dirty status` do not reach an arbiter behind it.
    #[arg(long, value_name = "NAME", value_parser = sabotage::arbiter, help_heading = "Testing")]
    sabotage: Option<&'static Saboteur>,
}

pub(super) fn run(args: ServeArgs) -> ExitCode {
    title::take("dirty-arbiter");
    close_inherited();
    let loaded = hosts().and_then(|hosts| {
        let (loaded, arbiter) = load(&args, &hosts)?;
        let log_file = logging::start(&loaded.log).map_err(|error| loaded.log_file_error(&error))?;
        Ok((loaded, arbiter, log_file, hosts))
    });
    match loaded.and_then(|(loaded, arbiter, log_file, hosts)| {
        warn(&loaded);
        let hooks = loaded.hooks(&hosts);
        let saboteur = args.sabotage;
        serve(arbiter, reloader(args, loaded.settings, hooks.clone(), hosts), hooks, log_file, saboteur)
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

/// The worker hosts: this program, and the Python that it was installed with, if it was. Found once, since the file may be
/// replaced while it runs.
fn hosts() -> Result<Hosts, ServeError> {
    let itself = std::env::current_exe().map_err(system("find this program"))?;
    let beside = itself.with_file_name("python3");
    let python = if beside.exists() { beside.into() } else { "python3".into() };
    Ok(Hosts { built_in: vec![itself.into(), "worker".into()], python })
}

/// Reads the configuration, as a whole or not at all.
fn load(args: &ServeArgs, hosts: &Hosts) -> Result<(Loaded, ArbiterConfig), ConfigErrors> {
    let environment = Environment::of_process();
    let loaded = config::load(&args.configuration.sources(&environment))?;
    loaded.check_hooks_file()?;
    let arbiter = loaded.arbiter(hosts)?;
    Ok((loaded, arbiter))
}

/// Reads the configuration again whenever it is called, as a whole or not at all (LIFE-3). What only a restart changes stays
/// as `running` has it, and the log says so.
fn reloader(
    args: ServeArgs,
    running: Settings,
    hooks: CommandHooks,
    hosts: Hosts,
) -> impl Fn() -> Result<ArbiterConfig, String> + 'static {
    move || {
        let environment = Environment::of_process();
        let sources = args.configuration.sources(&environment);
        // One line of the log, however many problems.
        let on_a_line = |errors: ConfigErrors| errors.to_string().replace('\n', "; ");
        let (loaded, kept) = config::reload(&sources, &running).map_err(on_a_line)?;
        loaded.check_hooks_file().map_err(on_a_line)?;
        let arbiter = loaded.arbiter(&hosts).map_err(on_a_line)?;
        hooks.replace(&loaded.hooks(&hosts));
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
    mut config: ArbiterConfig,
    reload: impl Fn() -> Result<ArbiterConfig, String> + 'static,
    hooks: CommandHooks,
    log_file: Option<Arc<LogFile>>,
    saboteur: Option<&'static Saboteur>,
) -> Result<(), ServeError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(system("start the event loop"))?;
    let _context = runtime.enter();
    let summary = summary(&config);
    let place = saboteur.map(|saboteur| sabotage::Place::take(saboteur, &mut config.socket));
    let place = place.transpose().map_err(system("make room for a saboteur"))?;
    let mut arbiter = Arbiter::bind(config)?.with_reload(reload).with_hooks(hooks);
    if let Some(file) = log_file {
        arbiter = arbiter.on_reopen_logs(move || file.reopen());
    }
    // Whoever started us may not read this; that is no reason to stop.
    let relay = place.map(|place| place.relay(Role::Arbiter)).transpose();
    let relay = relay.map_err(system("listen in the place of the arbiter"))?;
    let socket = relay.as_ref().map_or(arbiter.socket(), |relay| relay.socket());
    let line = format!("listening on {}\n", socket.display());
    let _ = std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes());
    tracing::info!("{summary}");
    Ok(runtime.block_on(arbiter.run())?)
}

fn summary(config: &ArbiterConfig) -> String {
    let apps: Vec<&str> = config.pool.apps.iter().map(|app| app.app_path.as_str()).collect();
    let pool = &config.pool;
    format!("serving {} with {} workers of {} slots", apps.join(", "), pool.workers, pool.threads)
}
