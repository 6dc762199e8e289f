//! `dirty golden`: the embedded transcripts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::exit::Exit;
use crate::check::corpus;
use crate::check::transcript::role_named;
use crate::message::Role;

/// List, show or export the golden transcripts.
#[derive(Args)]
pub(super) struct GoldenArgs {
    #[command(subcommand)]
    command: GoldenCommand,
}

#[derive(Subcommand)]
enum GoldenCommand {
    /// List the transcripts: id, whom they can judge, and what they claim.
    List {
        /// Only those that judge this role: client, arbiter or worker.
        #[arg(long, value_name = "ROLE", value_parser = role_named)]
        role: Option<Role>,
        /// Only those that prove this requirement.
        #[arg(long, value_name = "ID")]
        proves: Option<String>,
    },
    /// Print a transcript.
    Show {
        /// Its id.
        id: String,
    },
    /// Write all transcripts, the description of the format and the matcher's vectors to a directory.
    Export {
        /// The directory; it is made if it does not exist.
        directory: PathBuf,
    },
}

pub(super) fn run(args: GoldenArgs) -> ExitCode {
    match args.command {
        GoldenCommand::List { role, proves } => list(role, proves.as_deref()),
        GoldenCommand::Show { id } => show(&id),
        GoldenCommand::Export { directory } => match export(&directory) {
            Ok(count) => {
                eprintln!("{count} files in {}", directory.display());
                Exit::Ok.into()
            }
            Err(error) => {
                eprintln!("dirty golden: failed to write to {}: {error}", directory.display());
                Exit::Failed.into()
            }
        },
    }
}

fn list(role: Option<Role>, proves: Option<&str>) -> ExitCode {
    let transcripts = match corpus::transcripts() {
        Ok(transcripts) => transcripts,
        Err(error) => {
            eprintln!("dirty golden: {error}");
            return Exit::Failed.into();
        }
    };
    let wanted = transcripts.iter().filter(|it| {
        role.is_none_or(|role| it.judges(role))
            && proves.is_none_or(|id| it.proves.iter().any(|proved| proved == id))
    });
    let wanted: Vec<_> = wanted.collect();
    let width = wanted.iter().map(|it| it.id.len()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for it in wanted {
        let roles: Vec<&str> = it.roles.iter().map(|role| role.as_str()).collect();
        // Whoever reads this may stop reading: that is no failure.
        let _ = writeln!(out, "{:<width$}  {:<21}  {}", it.id, roles.join(","), it.title);
    }
    Exit::Ok.into()
}

fn show(id: &str) -> ExitCode {
    match corpus::texts().find(|(known, _)| *known == id) {
        Some((_, text)) => {
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            Exit::Ok.into()
        }
        None => {
            let hint = corpus::similar(id).map_or_else(String::new, |id| format!("; did you mean {id}?"));
            eprintln!("dirty golden: there is no transcript {id:?}{hint} `dirty golden list` lists them");
            Exit::Usage.into()
        }
    }
}

fn export(directory: &Path) -> std::io::Result<usize> {
    let files = corpus::golden_files();
    for (path, text) in files {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(files.len())
}
