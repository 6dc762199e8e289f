//! What settings say together: accounts that must exist, and combinations that do not do what they seem to.

use std::collections::BTreeSet;

use nix::unistd::{Group, User};

use super::error::ConfigError;
use super::origin::Origin;
use super::setting::{Key, SETTINGS};
use super::settings::Settings;
use super::value::Account;
use crate::arbiter::SocketAccess;

/// Write permission on a socket is what connecting takes.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// An error about a setting, at the place where its value comes from.
pub(super) fn error(settings: &Settings, key: Key, problem: String) -> ConfigError {
    ConfigError {
        place: settings.origin(key).to_string(),
        setting: Some(SETTINGS[key as usize].path()),
        problem,
    }
}

fn warning(settings: &Settings, key: Key, problem: &str) -> String {
    error(settings, key, problem.to_owned()).to_string()
}

/// Who may open the socket, with every name looked up.
pub(super) fn socket_access(settings: &Settings, errors: &mut Vec<ConfigError>) -> SocketAccess {
    let group = settings.account(Key::SocketGroup).and_then(|account| {
        let found =
            id_of(account, "group", |name| Ok(Group::from_name(name)?.map(|group| group.gid.as_raw())));
        found.map_err(|problem| errors.push(error(settings, Key::SocketGroup, problem))).ok()
    });
    let users = settings.accounts(Key::AllowedUsers).iter().filter_map(|account| {
        let found = id_of(account, "user", |name| Ok(User::from_name(name)?.map(|user| user.uid.as_raw())));
        found.map_err(|problem| errors.push(error(settings, Key::AllowedUsers, problem))).ok()
    });
    let users = users.collect();
    SocketAccess { mode: settings.mode(Key::SocketMode), group, users }
}

fn id_of(
    account: &Account,
    what: &str,
    look_up: impl Fn(&str) -> nix::Result<Option<u32>>,
) -> Result<u32, String> {
    match account {
        Account::Id(id) => Ok(*id),
        Account::Name(name) => match look_up(name) {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Err(format!("expected a {what} of this system, found {name:?}, which is none")),
            Err(error) => Err(format!("failed to look up the {what} {name:?}: {error}")),
        },
    }
}

/// An app that is there twice: which of the two counts?
pub(super) fn repeated_apps(settings: &Settings, errors: &mut Vec<ConfigError>) {
    let mut seen = BTreeSet::new();
    for app in settings.apps() {
        if !seen.insert(&app.app_path) {
            errors.push(error(
                settings,
                Key::Apps,
                format!("expected every app once, found {} twice", app.app_path),
            ));
        }
    }
}

/// What is allowed, and probably not meant.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let workers = settings.integer(Key::Workers);
    for app in settings.apps() {
        if let Some(wanted) = app.workers.filter(|wanted| *wanted as u64 > workers) {
            let problem =
                format!("{} asks for {wanted} workers, and dirty_workers is {workers}", app.app_path);
            warnings.push(warning(settings, Key::Apps, &problem));
        }
    }
    let mode = settings.mode(Key::SocketMode);
    let has_group = settings.account(Key::SocketGroup).is_some();
    let has_users = !settings.accounts(Key::AllowedUsers).is_empty();
    if has_group && mode & GROUP_WRITES == 0 {
        let problem = format!("with mode {mode:04o} the members of dirty_socket_group cannot connect");
        warnings.push(warning(settings, Key::SocketMode, &problem));
    }
    if has_users && !has_group && mode & OTHERS_WRITE == 0 {
        let problem = format!("with mode {mode:04o} and no dirty_socket_group, other users cannot connect");
        warnings.push(warning(settings, Key::AllowedUsers, &problem));
    }
    if !has_users && mode & OTHERS_WRITE != 0 {
        let problem =
            "other users can connect, and are refused (SEC-2) unless dirty_allowed_users names them";
        warnings.push(warning(settings, Key::SocketMode, problem));
    }
    warnings
}

/// The mode of a socket whose group is set: useless, if the group may not connect.
pub(super) fn imply_mode(settings: &mut Settings) {
    let setting = &SETTINGS[Key::SocketMode as usize];
    if settings.account(Key::SocketGroup).is_some() && *settings.origin(Key::SocketMode) == Origin::Default {
        let value = super::value::Value::Mode(0o660);
        let origin = Origin::Implied(SETTINGS[Key::SocketGroup as usize].name);
        settings.put([super::layer::Assignment { setting, value, origin }]);
    }
}
