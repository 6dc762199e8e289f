//! `dirty validate`: judge messages, frames, vectors and transcripts in files.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use clap::Args;

use super::exit::Exit;
use crate::check::validate::{Excerpt, Finding, Position, is_judged, validate};

/// Judge messages, transcripts and vectors in files.
///
/// A file holds one JSON document (a message, a golden transcript, a vector of schemas/vectors) or messages, one per
/// line. Every fault is reported on stdout with its place, what was expected, and the requirement that says so; the
/// rest of the file is judged all the same. Exit code 1 when there was any.
#[derive(Args)]
pub(super) struct ValidateArgs {
    /// Files; directories, of which the .json, .jsonl and .ndjson files are judged; or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The files hold frames as they are on the wire: a 4-byte length and a payload, again and again.
    #[arg(long)]
    frames: bool,
}

pub(super) fn run(args: ValidateArgs) -> ExitCode {
    let mut tally = Tally::default();
    for path in &args.paths {
        tally.path(path, args.frames);
    }
    let Tally { files, judged, findings, unreadable } = tally;
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let faults = if findings == 0 { "no fault".to_string() } else { plural(findings, "fault") };
    eprintln!("{} in {}: {faults}", plural(judged, "document"), plural(files, "file"));
    match (unreadable, findings) {
        (0, 0) => Exit::Ok.into(),
        (0, _) => Exit::Failed.into(),
        _ => Exit::Usage.into(),
    }
}

#[derive(Default)]
struct Tally {
    files: usize,
    judged: usize,
    findings: usize,
    unreadable: usize,
}

impl Tally {
    fn path(&mut self, path: &Path, frames: bool) {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            match std::io::stdin().lock().read_to_end(&mut bytes) {
                Ok(_) => self.bytes("standard input", &bytes, frames),
                Err(error) => self.unreadable(path, &error),
            }
        } else if path.is_dir() {
            self.directory(path, frames);
        } else {
            match std::fs::read(path) {
                Ok(bytes) => self.bytes(&path.display().to_string(), &bytes, frames),
                Err(error) => self.unreadable(path, &error),
            }
        }
    }

    fn directory(&mut self, path: &Path, frames: bool) {
        let entries: Result<Vec<_>, _> = std::fs::read_dir(path).and_then(Iterator::collect);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(path, &error),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            // Neither links, which may lead in circles, nor pipes, which may never end.
            let kind = entry.file_type();
            let (directory, file) = kind.map_or((false, false), |kind| (kind.is_dir(), kind.is_file()));
            let inner = entry.path();
            if directory || file && (frames || is_judged(&inner)) {
                self.path(&inner, frames);
            }
        }
    }

    fn bytes(&mut self, file: &str, bytes: &[u8], frames: bool) {
        self.files += 1;
        let findings = &mut self.findings;
        self.judged += validate(file, bytes, frames, &mut |finding| {
            *findings += 1;
            // Whoever reads this may stop reading; the exit code still says what was found.
            let _ = writeln!(std::io::stdout().lock(), "{}", render(&finding));
        });
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        self.unreadable += 1;
        eprintln!("dirty validate: {}: cannot be read: {error}", path.display());
    }
}

fn render(finding: &Finding) -> String {
    let place = match finding.position {
        None => finding.file.clone(),
        Some(Position::Line(line)) => format!("{}:{line}", finding.file),
        Some(Position::Frame(number, offset)) => {
            format!("{}: frame {number} (at byte {offset})", finding.file)
        }
    };
    let line = format!("{place}: {}", finding.problem);
    finding.text.as_ref().map_or_else(|| line.clone(), |excerpt| pointed(&line, excerpt))
}

/// A fault with the line that it is in, and a mark under its place.
pub(super) fn pointed(line: &str, excerpt: &Excerpt) -> String {
    let length = excerpt.text[excerpt.offset..].chars().next().map_or(0, char::len_utf8);
    let span = excerpt.offset..excerpt.offset + length;
    let snippet = Snippet::source(excerpt.text.as_str())
        .line_start(excerpt.line)
        .annotation(AnnotationKind::Primary.span(span).label(format!("column {}", excerpt.column)));
    let group = Level::ERROR.no_name().secondary_title(line).element(snippet);
    Renderer::plain().render(&[group]).trim_start_matches(": ").to_string()
}
