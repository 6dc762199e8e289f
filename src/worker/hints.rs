//! Where the arguments of a request stand, and their hints.

use std::fmt;

use crate::message::{Hints, RequestMessage};
use crate::values::{HintTree, NAMES_NOTHING, Node, ValueError, escape};

/// Where an argument stands in its request. It shows as the JSON Pointer to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'n> {
    Position(usize),
    Name(&'n str),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Position(index) => write!(f, "/args/{index}"),
            Place::Name(name) => write!(f, "/kwargs/{}", escape(name)),
        }
    }
}

/// The hints of a request, each of which names a string in its arguments that is what the hint says (VAL-5).
#[derive(Default)]
pub(super) struct ArgumentHints<'r>(HintTree<'r>);

impl<'r> ArgumentHints<'r> {
    /// Reads and checks the hints of a request.
    ///
    /// # Errors
    /// [`ValueError`] with the pointer of a hint that does not fit.
    pub(super) fn read(request: &'r RequestMessage) -> Result<Self, ValueError> {
        let Some(hints) = request.hints.as_ref().filter(|hints| !hints.is_empty()) else {
            return Ok(ArgumentHints::default());
        };
        every_argument_exists(request, hints)?;
        let hints = ArgumentHints(HintTree::new(hints, ""));
        for (index, value) in request.args.iter().enumerate() {
            hints.of(Place::Position(index)).map_or(Ok(()), |node| node.check(value))?;
        }
        for (name, value) in &request.kwargs {
            hints.of(Place::Name(name)).map_or(Ok(()), |node| node.check(value))?;
        }
        Ok(hints)
    }

    /// The hints in the argument at `place`. Most requests have none.
    pub(super) fn of(&self, place: Place<'_>) -> Option<Node<'_>> {
        let root = self.0.root()?;
        match place {
            Place::Position(index) => root.below("args")?.below(&index.to_string()),
            Place::Name(name) => root.below("kwargs")?.below(name),
        }
    }
}

/// Checks that every pointer leads to, or into, an argument.
fn every_argument_exists(request: &RequestMessage, hints: &Hints) -> Result<(), ValueError> {
    let exists = |pointer: &str| {
        let mut tokens = pointer.split('/');
        match (tokens.next(), tokens.next(), tokens.next()) {
            (Some(""), Some("args"), Some(token)) => token
                .parse::<usize>()
                .is_ok_and(|index| index < request.args.len() && index.to_string() == token),
            (Some(""), Some("kwargs"), Some(token)) => {
                let name = token.replace("~1", "/").replace("~0", "~");
                escape(&name) == token && request.kwargs.contains_key(&name)
            }
            _ => false,
        }
    };
    match hints.keys().find(|pointer| !exists(pointer)) {
        Some(pointer) => Err(ValueError { pointer: pointer.clone(), problem: NAMES_NOTHING.to_owned() }),
        None => Ok(()),
    }
}
