//! `dirty config`: what the configuration is, and whether it is one.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, json};

use super::exit::Exit;
use super::setting_flags::ConfigurationArgs;
use crate::config::{self, ConfigErrors, Environment, HOOKS_TABLE, Loaded, Origin, Settings, Sources};

/// Show or check the configuration of "dirty serve".
///
/// A value is taken from the flags, else from the environment (DIRTY_WORKERS for dirty_workers), else from the configuration
/// file, else it is the default.
#[derive(Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    Show(ShowArgs),
    Check(CheckArgs),
}

/// Print every setting's value, and where it comes from.
///
/// The output is itself a configuration file.
#[derive(Args)]
struct ShowArgs {
    /// Print one JSON object: a member for each setting, with its value and origin.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: ConfigurationArgs,
}

/// Print every problem of a configuration file, one a line, or "ok".
///
/// It is read together with the environment, as "dirty serve" reads it. Exit code 78 if there is a problem.
#[derive(Args)]
struct CheckArgs {
    /// The file. Without it: the one that DIRTY_CONFIG names, if any.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(args: ConfigArgs) -> ExitCode {
    let environment = Environment::of_process();
    match args.command {
        ConfigCommand::Show(args) => match config::load(&args.configuration.sources(&environment)) {
            Ok(loaded) => {
                show(&loaded, args.json);
                Exit::Ok.into()
            }
            Err(errors) => refuse("dirty config show", &errors),
        },
        ConfigCommand::Check(args) => {
            let sources = Sources { file: args.file.as_deref(), environment: &environment, flags: &[] };
            check(config::load(&sources))
        }
    }
}

/// Says every problem on standard error.
pub(super) fn refuse(command: &str, errors: &ConfigErrors) -> ExitCode {
    errors.0.iter().for_each(|error| eprintln!("{command}: {error}"));
    Exit::Configuration.into()
}

fn check(loaded: Result<Loaded, ConfigErrors>) -> ExitCode {
    // Whoever reads this may stop reading: that is no failure.
    let mut out = std::io::stdout().lock();
    match loaded {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(|warning| drop(writeln!(out, "warning: {warning}")));
            let _ = writeln!(out, "ok");
            Exit::Ok.into()
        }
        Err(errors) => {
            let _ = writeln!(out, "{errors}");
            Exit::Configuration.into()
        }
    }
}

fn show(loaded: &Loaded, as_json: bool) {
    loaded.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let text = if as_json { json(&loaded.settings) } else { toml(&loaded.settings) };
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// One object: hooks by their path, such as `dirty_hooks.dirty_post_fork`.
fn json(settings: &Settings) -> String {
    let members: Map<String, serde_json::Value> = settings
        .iter()
        .map(|(setting, value, origin)| {
            let value = value.map(|value| value.to_json());
            (setting.path(), json!({ "value": value, "origin": origin_json(origin) }))
        })
        .collect();
    // A map of JSON values is JSON.
    serde_json::to_string_pretty(&members).unwrap_or_default() + "\n"
}

fn origin_json(origin: &Origin) -> serde_json::Value {
    match origin {
        Origin::Default => json!({ "layer": "default" }),
        Origin::Implied(setting) => json!({ "layer": "default", "with": setting }),
        Origin::File { file, line } => json!({ "layer": "file", "file": file, "line": line }),
        Origin::Variable(name) => json!({ "layer": "environment", "variable": name }),
        Origin::Flag(long) => json!({ "layer": "flag", "flag": format!("--{long}") }),
    }
}

/// A configuration file, with the origins as comments.
fn toml(settings: &Settings) -> String {
    let mut lines = Vec::new();
    for (setting, value, origin) in settings.iter() {
        let line = match value {
            Some(value) => format!("{} = {}", setting.name, value.to_toml()),
            None => format!("# {} =", setting.name),
        };
        let comment = if value.is_some() { origin.to_string() } else { "not set".to_owned() };
        lines.push((setting.is_hook, line, comment));
    }
    let width = lines.iter().map(|(_, line, _)| line.chars().count()).filter(|width| *width <= 60).max();
    let mut text = String::new();
    let mut in_hooks = false;
    for (is_hook, line, comment) in lines {
        if is_hook && !in_hooks {
            text.push_str(&format!("\n[{HOOKS_TABLE}]\n"));
        }
        in_hooks = is_hook;
        // A file's name may hold any character; a comment must stay on its line.
        let comment: String = comment.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        text.push_str(&format!("{line:width$}  # {comment}\n", width = width.unwrap_or(0)));
    }
    text
}
