//! What `ps` shows of the long-running commands (LIFE-15).

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Names the process that has executed itself under its title: whatever becomes of the title, it does not do that again.
/// No setting, so it does not begin like one.
const TITLED: &str = "_DIRTY_TITLED";

/// Gives this process a title: the first word of its command line, which `ps aux` shows, and its short name, which
/// `ps -e` and `top` show. Without unsafe code the command line can only be set by executing a program, so the process
/// executes itself, once. If that fails, the name is all that is missing.
///
/// To be called before anything is done: it would be done twice.
pub(super) fn take(title: &str) {
    let pid = std::process::id().to_string();
    if std::env::var_os(TITLED).as_deref() != Some(OsStr::new(&pid))
        && let Ok(program) = std::env::current_exe()
    {
        let mut arguments = std::env::args_os();
        arguments.next();
        // Returns only if it fails.
        let _ = Command::new(program).arg0(title).args(arguments).env(TITLED, &pid).exec();
    }
    #[cfg(target_os = "linux")]
    {
        let short = title.split(' ').next().unwrap_or(title);
        let _ = std::ffi::CString::new(short).map(|name| nix::sys::prctl::set_name(&name));
    }
}
