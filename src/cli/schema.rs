//! `dirty schema`: print a schema.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::exit::Exit;
use crate::check::corpus;

/// Print a JSON Schema, or list them.
///
/// Without a name it lists what there is. dirty-v1 is normative for messages; v1/request and its like are cut from it, one
/// per message type; protocol says who sends what to whom.
#[derive(Args)]
pub(super) struct SchemaArgs {
    /// The schema: dirty-v1, request, transcript, report …
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(args: SchemaArgs) -> ExitCode {
    // Whoever reads this may stop reading: that is no failure.
    let mut out = std::io::stdout().lock();
    let Some(name) = args.name else {
        for (name, _) in corpus::schemas() {
            let _ = writeln!(out, "{name}");
        }
        return Exit::Ok.into();
    };
    let wanted = name.trim_end_matches(".json").trim_end_matches(".schema");
    let found =
        corpus::schemas().find(|(known, _)| *known == wanted || known.strip_prefix("v1/") == Some(wanted));
    match found {
        Some((_, text)) => {
            let _ = out.write_all(text.as_bytes());
            Exit::Ok.into()
        }
        None => {
            let known: Vec<&str> = corpus::schemas().map(|(name, _)| name).collect();
            eprintln!("dirty schema: there is no schema {name:?}: expected one of {}", known.join(", "));
            Exit::Usage.into()
        }
    }
}
