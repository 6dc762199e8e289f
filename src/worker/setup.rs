//! What a worker is to do: the environment that the arbiter starts it with (WORK-1).

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::wire::Limits;

/// What a worker is to do. Of a program of its own the environment says it; see [`Setup::from_env`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Setup {
    /// Where to listen.
    pub socket: PathBuf,
    /// The apps to load, in this order.
    pub apps: Vec<String>,
    /// Those of the apps that the configuration gives to this worker: it loads them whatever their class says (WORK-14).
    pub fixed_apps: Vec<String>,
    /// The worker's place in the pool, from 0.
    pub seat: usize,
    /// The number of slots: how many requests run at once.
    pub threads: NonZeroUsize,
    /// How long a call may take; for the apps' information, the arbiter enforces it. `None` for no limit.
    pub timeout: Option<Duration>,
    /// What is accepted and sent.
    pub limits: Limits,
}

/// What is wrong with the environment of a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A variable is not there.
    #[error("{0} is not set: an arbiter starts this program and says what to do (WORK-1)")]
    Missing(&'static str),
    /// A variable has a value that cannot be.
    #[error("{name} is {value:?}: expected {expected} (WORK-1)")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it could be.
        expected: &'static str,
    },
}

impl Setup {
    /// One slot, no limit on time, the usual limits on messages.
    pub fn new(socket: impl Into<PathBuf>, apps: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Setup {
            socket: socket.into(),
            apps: apps.into_iter().map(Into::into).collect(),
            fixed_apps: Vec::new(),
            seat: 0,
            threads: NonZeroUsize::MIN,
            timeout: None,
            limits: Limits::default(),
        }
    }

    /// The same with so many slots.
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// Reads the environment: `DIRTY_WORKER_SOCKET`, `DIRTY_APPS`, `DIRTY_FIXED_APPS`, `DIRTY_SEAT`, `DIRTY_THREADS`,
    /// `DIRTY_TIMEOUT`, and the limits of an arbiter that has others than the usual ones, `DIRTY_MAX_FRAME` and `DIRTY_MAX_DEPTH`.
    ///
    /// # Errors
    /// A [`SetupError`] that names the variable.
    pub fn from_env() -> Result<Self, SetupError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, SetupError> {
        let socket = get(SOCKET).filter(|path| !path.is_empty()).ok_or(SetupError::Missing(SOCKET))?;
        let apps = get(APPS).ok_or(SetupError::Missing(APPS))?;
        let apps = read(APPS, apps, "a JSON array of app paths", |text| {
            serde_json::from_str::<Vec<String>>(text).ok().filter(|apps| !apps.is_empty())
        })?;
        let fixed_apps = get(FIXED_APPS).map(|value| {
            read(FIXED_APPS, value, "a JSON array of app paths", |text| {
                serde_json::from_str::<Vec<String>>(text).ok()
            })
        });
        let seat =
            get(SEAT).map(|value| read(SEAT, value, "a place in the pool, from 0", |text| text.parse().ok()));
        let number = |name, expected| {
            let parse = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
            get(name).map(|value| read(name, value, expected, parse)).transpose()
        };
        let threads = number(THREADS, "a number of slots, at least 1")?;
        let timeout = get(TIMEOUT).map(|value| {
            read(TIMEOUT, value, "a number of seconds, 0 for no limit", |text| {
                Duration::try_from_secs_f64(text.parse().ok()?).ok()
            })
        });
        let usual = Limits::default();
        let max_payload = number(MAX_FRAME, "a number of bytes, at least 1")?.unwrap_or(usual.max_payload);
        let max_depth = number(MAX_DEPTH, "a number of levels, at least 1")?;
        Ok(Setup {
            socket: socket.into(),
            apps,
            fixed_apps: fixed_apps.transpose()?.unwrap_or_default(),
            seat: seat.transpose()?.unwrap_or_default(),
            threads: threads.and_then(|n| NonZeroUsize::new(n as usize)).unwrap_or(NonZeroUsize::MIN),
            timeout: timeout.transpose()?.filter(|limit| !limit.is_zero()),
            limits: Limits {
                max_payload,
                max_depth: max_depth.map_or(usual.max_depth, |n| n as usize),
                ..usual
            },
        })
    }
}

const SOCKET: &str = "DIRTY_WORKER_SOCKET";
const APPS: &str = "DIRTY_APPS";
const FIXED_APPS: &str = "DIRTY_FIXED_APPS";
const SEAT: &str = "DIRTY_SEAT";
const THREADS: &str = "DIRTY_THREADS";
const TIMEOUT: &str = "DIRTY_TIMEOUT";
const MAX_FRAME: &str = "DIRTY_MAX_FRAME";
const MAX_DEPTH: &str = "DIRTY_MAX_DEPTH";

fn read<T>(
    name: &'static str,
    value: OsString,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SetupError> {
    value.to_str().and_then(parse).ok_or_else(|| {
        let value = value.to_string_lossy().into_owned();
        SetupError::Invalid { name, value, expected }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(variables: &[(&str, &str)]) -> Result<Setup, SetupError> {
        let least = [(SOCKET, "/run/w.sock"), (APPS, r#"["a:B"]"#)];
        Setup::from_variables(|name| {
            let all = variables.iter().chain(&least);
            all.filter(|(key, _)| *key == name).map(|(_, value)| value.into()).next()
        })
    }

    #[test]
    fn the_least_environment_is_a_socket_and_an_app() {
        let setup = setup(&[]).unwrap();
        assert_eq!((setup.socket.to_str(), setup.apps), (Some("/run/w.sock"), vec!["a:B".to_owned()]));
        assert_eq!((setup.threads.get(), setup.timeout, setup.limits), (1, None, Limits::default()));
    }

    #[test]
    fn every_variable_is_read() {
        let all = [
            (APPS, r#"["a:B","é/c"]"#),
            (FIXED_APPS, r#"["é/c"]"#),
            (SEAT, "3"),
            (THREADS, "7"),
            (TIMEOUT, "1.5"),
            (MAX_FRAME, "1000"),
            (MAX_DEPTH, "64"),
        ];
        let setup = setup(&all).unwrap();
        assert_eq!(setup.apps, ["a:B", "é/c"]);
        assert_eq!((setup.fixed_apps, setup.seat), (vec!["é/c".to_owned()], 3));
        assert_eq!((setup.threads.get(), setup.timeout), (7, Some(Duration::from_millis(1500))));
        assert_eq!(setup.limits, Limits { max_payload: 1000, max_depth: 64, ..Limits::default() });
    }

    #[test]
    fn a_timeout_of_zero_is_none() {
        assert_eq!(setup(&[(TIMEOUT, "0")]).unwrap().timeout, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            (SOCKET, ""),
            (APPS, ""),
            (APPS, "[]"),
            (APPS, "[1]"),
            (APPS, "a:B"),
            (FIXED_APPS, "a:B"),
            (SEAT, "-1"),
            (THREADS, "0"),
            (THREADS, "-1"),
            (THREADS, "many"),
            (TIMEOUT, "-1"),
            (TIMEOUT, "NaN"),
            (MAX_FRAME, "0"),
            (MAX_DEPTH, ""),
        ];
        for (name, value) in wrong {
            let message = setup(&[(name, value)]).unwrap_err().to_string();
            assert!(message.starts_with(name) && message.contains("WORK-1"), "{name}={value}: {message}");
        }
    }
}
