//! Where the arbiter's socket is: the same search for every command and client.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variables that name the socket, first match wins.
pub const SOCKET_VARIABLES: [&str; 2] = ["DIRTY_SOCKET", "GUNICORN_DIRTY_SOCKET"];

/// No socket was named anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no socket path: give one as an argument, or set DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET or XDG_RUNTIME_DIR \
     (for $XDG_RUNTIME_DIR/dirty/arbiter.sock)"
)]
pub struct DiscoveryError;

/// The socket's path: `argument`, else `DIRTY_SOCKET`, else `GUNICORN_DIRTY_SOCKET`, else
/// `$XDG_RUNTIME_DIR/dirty/arbiter.sock`. Empty variables count as unset.
///
/// # Errors
/// [`DiscoveryError`] when none of them is set.
pub fn socket_path(argument: Option<&Path>) -> Result<PathBuf, DiscoveryError> {
    find(argument, |name| std::env::var_os(name))
}

fn find(
    argument: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, DiscoveryError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    argument
        .map(Path::to_owned)
        .or_else(|| SOCKET_VARIABLES.iter().find_map(|name| set(name)))
        .or_else(|| set("XDG_RUNTIME_DIR").map(|directory| directory.join("dirty/arbiter.sock")))
        .ok_or(DiscoveryError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(argument: Option<&str>, set: &[(&str, &str)]) -> Result<PathBuf, DiscoveryError> {
        let variable =
            |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        find(argument.map(Path::new), variable)
    }

    #[test]
    fn the_argument_wins_then_ours_then_gunicorns_then_the_runtime_directory() {
        let all =
            [("DIRTY_SOCKET", "/1"), ("GUNICORN_DIRTY_SOCKET", "/2"), ("XDG_RUNTIME_DIR", "/run/user/1")];
        assert_eq!(found(Some("/0"), &all), Ok("/0".into()));
        assert_eq!(found(None, &all), Ok("/1".into()));
        assert_eq!(found(None, &all[1..]), Ok("/2".into()));
        assert_eq!(found(None, &all[2..]), Ok("/run/user/1/dirty/arbiter.sock".into()));
        assert_eq!(found(None, &[]), Err(DiscoveryError));
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let empty = [("DIRTY_SOCKET", ""), ("GUNICORN_DIRTY_SOCKET", "/2")];
        assert_eq!(found(None, &empty), Ok("/2".into()));
    }
}
