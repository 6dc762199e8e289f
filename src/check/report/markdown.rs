//! The report for a page: GitHub's Markdown.

use std::fmt::Write as _;

use super::{Status, counts, entries, human, verdict_text};
use crate::check::requirements::Requirements;
use crate::check::run::{Run, Verdict};
use crate::check::transcript::Level;

/// The report as Markdown.
pub fn markdown(run: &Run, requirements: &Requirements) -> String {
    let mut out = format!("# {}: {}\n\n", cell(&run.subject), verdict_text(run));
    let role = run.role;
    let _ = writeln!(
        out,
        "`dirty check {role}`, version {}, {}.\n",
        env!("CARGO_PKG_VERSION"),
        human::time(run.duration)
    );
    out.push_str(
        "| level | adds | passed | failed | known | skipped | not run |\n|---|---|---|---|---|---|---|\n",
    );
    for level in Level::ALL {
        let c = run.counts_of(level);
        let (name, adds) = (level.name(), level.adds());
        let _ = writeln!(
            out,
            "| {name} | {adds} | {} | {} | {} | {} | {} |",
            c.passed, c.failed, c.known, c.skipped, c.not_run
        );
    }
    let entries = entries(run, requirements);
    let counted = counts(&entries).into_iter().filter(|(_, count)| *count > 0);
    let counted: Vec<String> =
        counted.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
    let _ = writeln!(out, "\n{} requirements: {}.", entries.len(), counted.join(", "));
    section(
        &mut out,
        "Failed",
        run,
        |verdict| matches!(verdict, Verdict::Failed(_)),
        |verdict| match verdict {
            Verdict::Failed(failure) => failure.to_string(),
            _ => String::new(),
        },
    );
    section(
        &mut out,
        "Known failures",
        run,
        |verdict| matches!(verdict, Verdict::Known { .. }),
        |verdict| match verdict {
            Verdict::Known { failure, reason } => format!("{failure} (known: {reason})"),
            _ => String::new(),
        },
    );
    section(
        &mut out,
        "Skipped",
        run,
        |verdict| matches!(verdict, Verdict::Skipped { .. }),
        |verdict| match verdict {
            Verdict::Skipped { lacks } => format!("needs {lacks}"),
            _ => String::new(),
        },
    );
    section(
        &mut out,
        "Not run",
        run,
        |verdict| matches!(verdict, Verdict::NotRun { .. }),
        |verdict| match verdict {
            Verdict::NotRun { reason } => reason.clone(),
            _ => String::new(),
        },
    );
    let stale = run.stale();
    if !stale.is_empty() {
        out.push_str("\n## Stale entries of the baseline\n\n| transcript | reason given |\n|---|---|\n");
        for known in stale {
            let _ = writeln!(out, "| `{}` | {} |", known.transcript, cell(&known.reason));
        }
    }
    let shown = entries.iter().filter(|it| matches!(it.status, Status::Failed | Status::Departed));
    let shown: Vec<_> = shown.collect();
    if !shown.is_empty() {
        out.push_str("\n## Requirements that were not kept\n\n| id | level | what it says | shown by |\n|---|---|---|---|\n");
        for entry in shown {
            let by: Vec<String> = entry.failed.iter().map(|id| format!("`{id}`")).collect();
            let requirement = entry.requirement;
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                requirement.id,
                requirement.level,
                cell(&requirement.text),
                by.join(" ")
            );
        }
    }
    out
}

fn section(
    out: &mut String,
    title: &str,
    run: &Run,
    fits: impl Fn(&Verdict) -> bool,
    says: impl Fn(&Verdict) -> String,
) {
    let played: Vec<_> = run.played.iter().filter(|it| fits(&it.verdict)).collect();
    if played.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {title}\n\n| transcript | claim | what was seen |\n|---|---|---|");
    for it in played {
        let said = crate::check::value::excerpt(&says(&it.verdict), 400);
        let _ =
            writeln!(out, "| `{}` | {} | {} |", it.transcript.id, cell(&it.transcript.title), cell(&said));
    }
}

/// Text for a cell of a table: nothing in it is markup.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\n' => out.push_str("<br>"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '\\' | '[' | ']' | '$' | '~' | '#' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}
