//! `dirty promote`: make a transcript of a trace.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::exit::Exit;
use crate::check::promote::{Promotion, promote};
use crate::check::trace_file::TraceFile;
use crate::check::transcript::role_named;
use crate::message::Role;

/// Make a transcript of a trace.
///
/// Ids become variables; process numbers, UUIDs, times and the texts of errors are expected to be alike, everything else
/// as it was. The transcript is written to stdout. Its title is for its author to write, and `proves` to complete:
/// `dirty lint` says what is left to do, `dirty replay` plays it.
#[derive(Args)]
pub(super) struct PromoteArgs {
    /// A trace of `dirty proxy`, or - for standard input.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// The transcript's id, AREA/NAME. Without it recorded/ and the file's name.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Whom it judges: arbiter, worker or client. May be repeated. Without it what listened.
    #[arg(long, value_name = "ROLE", value_parser = role_named)]
    role: Vec<Role>,
    /// A requirement that it proves. May be repeated.
    #[arg(long, value_name = "ID")]
    proves: Vec<String>,
}

pub(super) fn run(args: PromoteArgs) -> ExitCode {
    let failed = |problem: &dyn std::fmt::Display, exit: Exit| {
        eprintln!("dirty promote: {problem}");
        ExitCode::from(exit)
    };
    let name = args.trace.display().to_string();
    let text = match read(&args.trace) {
        Ok(text) => text,
        Err(error) => return failed(&format!("{name}: cannot be read: {error}"), Exit::Usage),
    };
    let trace = match TraceFile::parse(&name, &text) {
        Ok(trace) => trace,
        Err(error) => return failed(&error, Exit::Usage),
    };
    let id = args.id.unwrap_or_else(|| format!("recorded/{}", words(&args.trace)));
    match promote(&trace, &Promotion { id, roles: args.role, proves: args.proves }) {
        Ok(text) => {
            // Whoever reads this may stop reading: that is no failure.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            Exit::Ok.into()
        }
        Err(error) => failed(&error, Exit::Failed),
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(path)
}

/// The name of a file in the letters of an id.
fn words(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.collect::<Vec<_>>().join("-");
    if words.is_empty() { "trace".to_string() } else { words }
}
