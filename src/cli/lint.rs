//! `dirty lint`: judge transcripts by the house rules.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::exit::Exit;
use super::validate::pointed;
use crate::check::corpus;
use crate::check::lint::{Fault, Linter, fixed};

/// Judge transcripts by the house rules.
///
/// Beyond what `dirty validate` demands: the canonical layout; a title that claims, without modal verbs; an id that is the
/// file's place and was never used before; requirements that exist and bind the judged role; variables that are used;
/// `malformed` exactly where it is true. Exit code 1 when there is any fault.
#[derive(Args)]
pub(super) struct LintArgs {
    /// Transcripts, or directories of them. Without any, the embedded ones.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write the canonical layout into the files.
    #[arg(long, requires = "paths")]
    fix: bool,
}

pub(super) fn run(args: LintArgs) -> ExitCode {
    let mut run = Lint { fix: args.fix, linter: Linter::new(), files: 0, faults: 0, unreadable: 0, fixed: 0 };
    if args.paths.is_empty() {
        for (id, text) in corpus::texts() {
            run.text(&format!("{id}.json"), text.as_bytes());
        }
    }
    for path in &args.paths {
        run.path(path);
    }
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let faults = if run.faults == 0 { "no fault".to_string() } else { plural(run.faults, "fault") };
    let fixed = if run.fixed == 0 { String::new() } else { format!(", {} laid out", run.fixed) };
    eprintln!("{}: {faults}{fixed}", plural(run.files, "transcript"));
    match (run.unreadable, run.faults) {
        (0, 0) => Exit::Ok.into(),
        (0, _) => Exit::Failed.into(),
        _ => Exit::Usage.into(),
    }
}

struct Lint {
    fix: bool,
    linter: Linter,
    files: usize,
    faults: usize,
    unreadable: usize,
    fixed: usize,
}

impl Lint {
    fn path(&mut self, path: &Path) {
        if path.is_dir() {
            return self.directory(path);
        }
        let mut text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) => return self.unreadable(path, &error),
        };
        if self.fix
            && let Ok(fixed) = fixed(&text)
            && fixed.as_bytes() != text
        {
            match std::fs::write(path, &fixed) {
                Ok(()) => {
                    self.fixed += 1;
                    text = fixed.into_bytes();
                }
                Err(error) => self.unreadable(path, &error),
            }
        }
        self.text(&path.display().to_string(), &text);
    }

    fn directory(&mut self, path: &Path) {
        let entries: Result<Vec<_>, _> = std::fs::read_dir(path).and_then(Iterator::collect);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(path, &error),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (inner, kind) = (entry.path(), entry.file_type());
            // Neither links, which may lead in circles, nor what is no transcript.
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                self.directory(&inner);
            } else if kind.is_ok_and(|kind| kind.is_file()) && is_transcript(&inner) {
                self.path(&inner);
            }
        }
    }

    fn text(&mut self, file: &str, text: &[u8]) {
        self.files += 1;
        let faults = &mut self.faults;
        self.linter.lint(file, text, &mut |fault| {
            *faults += 1;
            // Whoever reads this may stop reading; the exit code still says what was found.
            let _ = writeln!(std::io::stdout().lock(), "{}", render(&fault));
        });
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        self.unreadable += 1;
        eprintln!("dirty lint: {}: {error}", path.display());
    }
}

/// Whether a file in a directory is a transcript, and not another of the kit's documents.
fn is_transcript(path: &Path) -> bool {
    let json = path.extension().is_some_and(|extension| extension == "json");
    json && std::fs::read(path)
        .is_ok_and(|text| memchr::memmem::find(&text, b"\"dirty-transcript/").is_some_and(|at| at < 200))
}

fn render(fault: &Fault) -> String {
    let Fault { file, problem, place } = fault;
    pointed(&format!("{file}:{}:{}: {problem}", place.line, place.column), place)
}
