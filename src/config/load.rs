//! Loading a configuration: from its sources to what the arbiter is told.

use std::path::{Path, PathBuf};

use super::arbiter::Hosts;
use super::checks;
use super::environment::{CONFIG, Environment};
use super::error::{ConfigError, ConfigErrors};
use super::file;
use super::layer::Assignment;
use super::log::LogSettings;
use super::origin::Origin;
use super::setting::{Key, SETTINGS, Setting};
use super::settings::Settings;
use super::value::Value;
use crate::arbiter::{ArbiterConfig, CommandHooks, SocketAccess};
use crate::discovery::{self, DiscoveryError};

/// Where a configuration is read from, besides the defaults: each over the one before it.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// The configuration file; `None` for the one that `DIRTY_CONFIG` names, if any.
    pub file: Option<&'a Path>,
    /// The environment.
    pub environment: &'a Environment,
    /// The flags.
    pub flags: &'a [Assignment],
}

/// The values in effect, and what they mean.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The value of every setting, with its origin.
    pub settings: Settings,
    /// What is logged, how, and where.
    pub log: LogSettings,
    /// What is allowed, and probably not meant.
    pub warnings: Vec<String>,
    access: SocketAccess,
    /// Why no socket is named, if none is.
    socket_sought: Option<DiscoveryError>,
}

/// Reads a configuration, as a whole or not at all.
///
/// # Errors
/// Every problem of every source (LIFE-10).
pub(crate) fn load(sources: &Sources<'_>) -> Result<Loaded, ConfigErrors> {
    let mut settings = Settings::defaults();
    let mut errors = Vec::new();
    let named = sources.environment.get(CONFIG).map(PathBuf::from);
    if let Some(path) = sources.file.or(named.as_deref()) {
        match file::read(path) {
            Ok(values) => settings.put(values),
            Err(problems) => errors.extend(problems),
        }
    }
    let environment = sources.environment.read();
    settings.put(environment.values);
    errors.extend(environment.errors);
    settings.put(sources.flags.iter().cloned());
    let socket_sought = seek_socket(&mut settings, sources.environment).err();
    checks::imply_mode(&mut settings);
    finish(settings, socket_sought, environment.warnings, errors)
}

/// Reads a configuration again while `running` is in effect: what only a restart changes stays as it is. Returns the names
/// of the settings that differ and were kept.
///
/// # Errors
/// Every problem of every source: then nothing changes (LIFE-3).
pub(crate) fn reload(
    sources: &Sources<'_>,
    running: &Settings,
) -> Result<(Loaded, Vec<&'static str>), ConfigErrors> {
    let Loaded { mut settings, socket_sought, warnings, .. } = load(sources)?;
    let kept = settings.keep_fixed(running);
    let loaded = finish(settings, socket_sought, Vec::new(), Vec::new())?;
    // The warnings are about what was read, and hold at the restart.
    Ok((Loaded { warnings, ..loaded }, kept))
}

/// Looks for the socket in the usual places, if no setting names one.
fn seek_socket(settings: &mut Settings, environment: &Environment) -> Result<(), DiscoveryError> {
    let setting: &'static Setting = &SETTINGS[Key::Socket as usize];
    if settings.value(Key::Socket).is_none() {
        let path = discovery::find_socket(None, |name| environment.get(name))?;
        let used = discovery::SOCKET_VARIABLES.into_iter().find(|name| environment.get(name).is_some());
        let origin = Origin::Variable(used.unwrap_or(discovery::RUNTIME_DIRECTORY).to_owned());
        // A path that is no UTF-8 is not found either: a setting is a text.
        settings.put(path.to_str().map(|path| Assignment {
            setting,
            value: Value::Text(path.to_owned()),
            origin,
        }));
    }
    Ok(())
}

fn finish(
    settings: Settings,
    socket_sought: Option<DiscoveryError>,
    mut warnings: Vec<String>,
    mut errors: Vec<ConfigError>,
) -> Result<Loaded, ConfigErrors> {
    let access = checks::socket_access(&settings, &mut errors);
    checks::repeated_apps(&settings, &mut errors);
    if !errors.is_empty() {
        return Err(ConfigErrors(errors));
    }
    warnings.extend(checks::warnings(&settings));
    Ok(Loaded { log: settings.log(), settings, warnings, access, socket_sought })
}

impl Loaded {
    /// What the arbiter is told.
    ///
    /// # Errors
    /// Nothing names a socket.
    pub fn arbiter(&self, hosts: &Hosts) -> Result<ArbiterConfig, ConfigErrors> {
        match self.settings.text(Key::Socket) {
            Some(socket) => Ok(self.settings.arbiter(socket, self.access.clone(), hosts)),
            None => {
                let place = SETTINGS[Key::Socket as usize].path();
                let sought = self.socket_sought.as_ref();
                let problem =
                    sought.map_or_else(|| "the path found is not UTF-8".to_owned(), ToString::to_string);
                Err(ConfigErrors(vec![ConfigError { place, setting: None, problem }]))
            }
        }
    }

    /// What is run at points of the life cycle.
    pub fn hooks(&self, hosts: &Hosts) -> CommandHooks {
        self.settings.hooks(hosts)
    }

    /// Checks that the hooks file can be read. What it says is Python's business.
    ///
    /// # Errors
    /// It cannot (LIFE-19).
    pub fn check_hooks_file(&self) -> Result<(), ConfigErrors> {
        let Some(path) = self.settings.path(Key::HooksFile) else { return Ok(()) };
        let problem = match std::fs::metadata(&path) {
            // Not a pipe, for instance: it is read again for every worker.
            Ok(file) if !file.is_file() => format!("expected a file, found that {path:?} is none (LIFE-19)"),
            Ok(_) => match std::fs::File::open(&path) {
                Ok(_) => return Ok(()),
                Err(error) => format!("failed to open {path:?}: {error} (LIFE-19)"),
            },
            Err(error) => format!("failed to open {path:?}: {error} (LIFE-19)"),
        };
        Err(ConfigErrors(vec![checks::error(&self.settings, Key::HooksFile, problem)]))
    }

    /// The error that says that the log file cannot be opened.
    pub fn log_file_error(&self, error: &std::io::Error) -> ConfigErrors {
        let path = self.settings.text(Key::LogFile).unwrap_or_default();
        let problem = format!("failed to open {path:?} for appending: {error}");
        ConfigErrors(vec![checks::error(&self.settings, Key::LogFile, problem)])
    }
}
