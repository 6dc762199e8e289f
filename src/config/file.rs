//! The configuration file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::kind::{Fault, found};
use super::layer::Assignment;
use super::origin::Origin;
use super::setting::{HOOKS_TABLE, SETTINGS, Setting};
use super::suggest::{did_you_mean, nearest};

/// The longest file that is read, in bytes: a configuration is some hundreds.
const MAX_LENGTH: u64 = 1 << 20;

/// Reads the file: every value, or every problem.
pub(super) fn read(path: &Path) -> Result<Vec<Assignment>, Vec<ConfigError>> {
    let file = path.display().to_string();
    let failed = |problem| vec![ConfigError { place: file.clone(), setting: None, problem }];
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|open| open.take(MAX_LENGTH + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(format!("failed to read the configuration: {error}")))?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(failed(format!("expected a configuration of at most {MAX_LENGTH} bytes, found more")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = line_of(error.as_bytes(), valid);
        let problem = "expected UTF-8 text, found bytes that are none".to_owned();
        vec![ConfigError { place: format!("{file}:{line}"), setting: None, problem }]
    })?;
    parse(file, &text)
}

/// Reads the text of a file of that name: every value, or every problem.
pub(super) fn parse(file: String, text: &str) -> Result<Vec<Assignment>, Vec<ConfigError>> {
    Reader { file, text }.read()
}

/// The line in which the byte at `offset` stands, from 1.
fn line_of(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// The parser sorts by name; people read by line.
fn by_line(mut errors: Vec<(usize, ConfigError)>) -> Vec<ConfigError> {
    errors.sort_by_key(|(offset, _)| *offset);
    errors.into_iter().map(|(_, error)| error).collect()
}

struct Reader<'a> {
    file: String,
    text: &'a str,
}

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

impl Reader<'_> {
    fn read(&self) -> Result<Vec<Assignment>, Vec<ConfigError>> {
        let (table, faults) = DeTable::parse_recoverable(self.text);
        if !faults.is_empty() {
            // What was recovered from broken text is a guess; problems of guesses would mislead.
            let error = |fault: toml::de::Error| {
                let offset = fault.span().map_or(0, |span| span.start);
                let problem = format!("not TOML: {}", fault.message().replace('\n', "; "));
                (offset, self.error(None, Fault { offset, problem }))
            };
            return Err(by_line(faults.into_iter().map(error).collect()));
        }
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for (name, value) in table.get_ref() {
            match (name.get_ref().as_ref(), value.get_ref()) {
                (HOOKS_TABLE, DeValue::Table(hooks)) => {
                    hooks.iter().for_each(|entry| self.entry(true, entry, &mut values, &mut errors));
                }
                (HOOKS_TABLE, other) => {
                    let problem = format!("expected a table, [{HOOKS_TABLE}], found {}", found(other));
                    let offset = value.span().start;
                    errors
                        .push((offset, self.error(Some(HOOKS_TABLE.to_owned()), Fault { offset, problem })));
                }
                _ => self.entry(false, (name, value), &mut values, &mut errors),
            }
        }
        if errors.is_empty() { Ok(values) } else { Err(by_line(errors)) }
    }

    fn entry(
        &self,
        in_hooks: bool,
        (name, value): Entry<'_, '_>,
        values: &mut Vec<Assignment>,
        errors: &mut Vec<(usize, ConfigError)>,
    ) {
        let offset = name.span().start;
        let known = SETTINGS.iter().find(|it| it.is_hook == in_hooks && it.name == name.get_ref().as_ref());
        let Some(setting) = known else {
            let path = if in_hooks {
                format!("{HOOKS_TABLE}.{}", name.get_ref())
            } else {
                name.get_ref().to_string()
            };
            let problem = format!("unknown setting{}", hint(in_hooks, name.get_ref()));
            errors.push((offset, self.error(Some(path), Fault { offset, problem })));
            return;
        };
        match setting.kind.read_toml(value) {
            Ok(value) => {
                let line = line_of(self.text.as_bytes(), offset);
                let origin = Origin::File { file: self.file.clone(), line };
                values.push(Assignment { setting, value, origin });
            }
            Err(faults) => {
                errors.extend(
                    faults.into_iter().map(|fault| (fault.offset, self.error(Some(setting.path()), fault))),
                );
            }
        }
    }

    fn error(&self, setting: Option<String>, fault: Fault) -> ConfigError {
        let line = line_of(self.text.as_bytes(), fault.offset);
        ConfigError { place: format!("{}:{line}", self.file), setting, problem: fault.problem }
    }
}

/// What may have been meant by an unknown name.
fn hint(in_hooks: bool, name: &str) -> String {
    let elsewhere = |setting: &&Setting| setting.is_hook != in_hooks && setting.name == name;
    match SETTINGS.iter().find(elsewhere) {
        Some(_) if in_hooks => "; it belongs at the top, before the first table".to_owned(),
        Some(setting) => format!("; it belongs in the table, as {}", setting.path()),
        None => {
            let here =
                SETTINGS.iter().filter(|setting| setting.is_hook == in_hooks).map(|setting| setting.name);
            let table = (!in_hooks).then_some(HOOKS_TABLE);
            let hint = did_you_mean(name, here.chain(table));
            let there = || nearest(name, SETTINGS.iter().map(|setting| setting.name));
            if hint.is_empty() {
                there().map_or(hint, |near| format!("; did you mean {near}?"))
            } else {
                hint
            }
        }
    }
}
