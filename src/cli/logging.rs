//! The log of `dirty serve`: to standard error, or to a file that can be opened again.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::{LogFormat, LogSettings};

/// A log file, open for appending.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: RwLock<Arc<File>>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<LogFile> {
        Ok(LogFile { path: path.to_owned(), file: RwLock::new(Arc::new(append_to(path)?)) })
    }

    fn writer(&self) -> Arc<File> {
        Arc::clone(&self.file.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the path again, after somebody has moved the file away (LIFE-4). If it cannot be opened, the old file stays in
    /// use and says why.
    pub(super) fn reopen(&self) {
        match append_to(&self.path) {
            Ok(file) => {
                *self.file.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(file);
                tracing::info!("reopened the log file");
            }
            Err(error) => tracing::error!(
                "failed to reopen the log file {}: {error}; the old file stays in use (LIFE-4)",
                self.path.display()
            ),
        }
    }
}

/// Opens a file for appending. Others cannot read it if it is new: what workers write is in it.
fn append_to(path: &Path) -> io::Result<File> {
    // Of a pipe nobody reads from, an error is to be had, and not a wait without end.
    let non_blocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(non_blocking).open(path)
}

/// Starts the log of this process. Returns its file, if it has one.
pub(super) fn start(settings: &LogSettings) -> io::Result<Option<Arc<LogFile>>> {
    let file = settings.file.as_deref().map(LogFile::open).transpose()?.map(Arc::new);
    let (writer, colours) = match &file {
        Some(file) => {
            let file = Arc::clone(file);
            (BoxMakeWriter::new(move || file.writer()), false)
        }
        None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(settings.level))
        // They would be told on standard error, which panics when nobody reads that any more.
        .log_internal_errors(false)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false);
    match settings.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(file)
}
