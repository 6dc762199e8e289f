//! The flags that set the settings of `dirty serve`, made from their table.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{Assignment, Environment, Flag, Kind, Origin, SETTINGS, Setting, Sources, Value};

/// The configuration file and the flags.
#[derive(Debug, Args)]
pub(super) struct ConfigurationArgs {
    /// The configuration file, in TOML. Without it: the one that DIRTY_CONFIG names, if any. The environment and flags win
    /// over it. "dirty schema config" describes it, "dirty config" checks it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: SettingFlags,
}

impl ConfigurationArgs {
    /// Where the configuration is read from.
    pub(super) fn sources<'a>(&'a self, environment: &'a Environment) -> Sources<'a> {
        Sources { file: self.config.as_deref(), environment, flags: &self.flags.0 }
    }
}

/// The settings that flags set.
#[derive(Debug)]
struct SettingFlags(Vec<Assignment>);

fn flags() -> impl Iterator<Item = (&'static Setting, &'static Flag)> {
    SETTINGS.iter().filter_map(|setting| Some((setting, setting.flag.as_ref()?)))
}

fn arg(setting: &'static Setting, flag: &'static Flag) -> Arg {
    // A list says itself what it is without any.
    let default = setting.default.filter(|_| !setting.kind.is_list());
    let (short, long) = match default {
        Some(default) => (
            format!("{} [default: {default}]", setting.help),
            format!("{}\n\n[default: {default}]", setting.help),
        ),
        None => (setting.help.to_owned(), setting.help.to_owned()),
    };
    let arg = Arg::new(setting.name)
        .long(flag.long)
        .alias(format!("dirty-{}", flag.long))
        .value_name(flag.value)
        .help(short)
        .long_help(long)
        .action(if setting.kind.is_list() { ArgAction::Append } else { ArgAction::Set })
        .value_parser(parser(setting.kind));
    match setting.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::Choice(_) => arg.ignore_case(true),
        _ => arg,
    }
}

/// Reads a flag's value; of a list, one item.
fn parser(kind: Kind) -> ValueParser {
    let read = move |text: String| kind.read_item(&text);
    match kind {
        Kind::Choice(words) => PossibleValuesParser::new(words).try_map(read).into(),
        _ => clap::builder::StringValueParser::new().try_map(read).into(),
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(flags().map(|(setting, flag)| arg(setting, flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let set = flags().filter_map(|(setting, flag)| {
            let values = matches.get_many::<Value>(setting.name)?.cloned();
            let value = values.reduce(Value::and)?;
            Some(Assignment { setting, value, origin: Origin::Flag(flag.long) })
        });
        Ok(SettingFlags(set.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
