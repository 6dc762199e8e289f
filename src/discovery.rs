//! Where the arbiter's socket is: the same search for every command and client.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variables that name the socket, first match wins.
pub const SOCKET_VARIABLES: [&str; 2] = ["DIRTY_SOCKET", "GUNICORN_DIRTY_SOCKET"];

/// The variable that names the directory in which the socket is looked for last, as `dirty/arbiter.sock`.
pub(crate) const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

/// No socket was named anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no socket path: none was given as an argument{}; give one, or set DIRTY_SOCKET",
    self.looked_at.iter().map(Looked::to_string).collect::<String>()
)]
pub struct DiscoveryError {
    /// The environment variables that were looked at, in order.
    pub looked_at: Vec<Looked>,
}

/// An environment variable that names no socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Its name.
    pub variable: &'static str,
    /// Whether it is set, but empty.
    pub empty: bool,
}

impl std::fmt::Display for Looked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, ", {} is {}", self.variable, if self.empty { "empty" } else { "not set" })
    }
}

/// The socket's path: `argument`, else `DIRTY_SOCKET`, else `GUNICORN_DIRTY_SOCKET`, else
/// `$XDG_RUNTIME_DIR/dirty/arbiter.sock`. Empty variables count as unset.
///
/// # Errors
/// [`DiscoveryError`] when none of them is set.
pub fn socket_path(argument: Option<&Path>) -> Result<PathBuf, DiscoveryError> {
    find_socket(argument, |name| std::env::var_os(name))
}

/// [`socket_path`], with any source of environment variables.
///
/// # Errors
/// [`DiscoveryError`] when none of them is set.
pub fn find_socket(
    argument: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, DiscoveryError> {
    if let Some(path) = argument {
        return Ok(path.to_owned());
    }
    let mut looked_at = Vec::new();
    for name in SOCKET_VARIABLES.into_iter().chain([RUNTIME_DIRECTORY]) {
        match variable(name) {
            Some(value) if !value.is_empty() => {
                let path = PathBuf::from(value);
                return Ok(if name == RUNTIME_DIRECTORY { path.join("dirty/arbiter.sock") } else { path });
            }
            value => looked_at.push(Looked { variable: name, empty: value.is_some() }),
        }
    }
    Err(DiscoveryError { looked_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(argument: Option<&str>, set: &[(&str, &str)]) -> Result<PathBuf, DiscoveryError> {
        let variable =
            |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        find_socket(argument.map(Path::new), variable)
    }

    #[test]
    fn the_argument_wins_then_ours_then_gunicorns_then_the_runtime_directory() {
        let all =
            [("DIRTY_SOCKET", "/1"), ("GUNICORN_DIRTY_SOCKET", "/2"), ("XDG_RUNTIME_DIR", "/run/user/1")];
        assert_eq!(found(Some("/0"), &all), Ok("/0".into()));
        assert_eq!(found(None, &all), Ok("/1".into()));
        assert_eq!(found(None, &all[1..]), Ok("/2".into()));
        assert_eq!(found(None, &all[2..]), Ok("/run/user/1/dirty/arbiter.sock".into()));
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let empty = [("DIRTY_SOCKET", ""), ("GUNICORN_DIRTY_SOCKET", "/2")];
        assert_eq!(found(None, &empty), Ok("/2".into()));
    }

    #[test]
    fn the_error_lists_what_was_looked_at() {
        assert_eq!(
            found(None, &[("GUNICORN_DIRTY_SOCKET", "")]).unwrap_err().to_string(),
            "no socket path: none was given as an argument, DIRTY_SOCKET is not set, GUNICORN_DIRTY_SOCKET is \
             empty, XDG_RUNTIME_DIR is not set; give one, or set DIRTY_SOCKET"
        );
    }
}
