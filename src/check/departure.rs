//! What a SHOULD asks for: a subject may do without it, and is told that it does.

use super::matcher::{Mismatch, match_message};
use super::template::{Bindings, Template};
use super::value::Value;

/// The members of a message that only a SHOULD asks for. A transcript that proves one of these requirements shows the
/// members, and passes without them.
const RECOMMENDED: [(&str, &[&str]); 1] =
    [("MSG-13", &["/error/details/pointer", "/error/details/requirement"])];

/// A departure from a SHOULD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The requirement.
    pub requirement: &'static str,
    /// The step, from 1.
    pub step: usize,
    /// What would have been better.
    pub mismatch: Mismatch,
}

/// Matches a message as [`match_message`] does, but for what only a SHOULD of `proves` asks for: that is reported to
/// `departed`.
pub(super) fn match_but_for(
    template: &Template,
    value: &Value,
    bindings: &mut Bindings,
    proves: &[String],
    departed: &mut dyn FnMut(&'static str, Mismatch),
) -> Result<(), Mismatch> {
    let Err(mismatch) = match_message(template, value, bindings) else { return Ok(()) };
    let at = mismatch.pointer.as_str();
    let found =
        RECOMMENDED.iter().find(|(id, members)| proves.iter().any(|it| it == id) && members.contains(&at));
    let (Some((requirement, _)), Some(rest)) = (found, template.without(at)) else { return Err(mismatch) };
    match_but_for(&rest, value, bindings, proves, departed)?;
    departed(requirement, mismatch);
    Ok(())
}
