//! The hints of a message, arranged as its values are.

use super::escape;
use crate::message::{Hint, Hints};

/// A hint and the JSON Pointer to the string that it is for.
type Leaf<'h> = (&'h str, Hint);

/// Hints in the order of their places.
///
/// What is below one place is a run of neighbours. So however deep a pointer goes, nothing is nested here: a peer
/// cannot make it overflow the stack.
#[derive(Debug, Default)]
pub(crate) struct HintTree<'h> {
    leaves: Vec<Leaf<'h>>,
    /// The length of the pointer to the root.
    root: usize,
}

impl<'h> HintTree<'h> {
    /// The hints at and below the JSON Pointer `at`.
    pub fn new(hints: &'h Hints, at: &str) -> Self {
        let concerns = |pointer: &str| {
            pointer.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut leaves: Vec<Leaf<'h>> = hints
            .iter()
            .map(|(pointer, hint)| (pointer.as_str(), *hint))
            .filter(|(pointer, _)| concerns(pointer))
            .collect();
        leaves.sort_unstable_by(|(one, _), (other, _)| one.split('/').cmp(other.split('/')));
        HintTree { leaves, root: at.len() }
    }

    /// The hints at and below the root, if there are any.
    pub fn root(&self) -> Option<Node<'_>> {
        Node::some(&self.leaves, self.root)
    }
}

/// The hints at and below one place; there is at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'t> {
    leaves: &'t [Leaf<'t>],
    /// The length of the pointer to this place.
    length: usize,
}

impl<'t> Node<'t> {
    fn some(leaves: &'t [Leaf<'t>], length: usize) -> Option<Self> {
        (!leaves.is_empty()).then_some(Node { leaves, length })
    }

    /// What the string here stands for.
    pub fn here(&self) -> Option<Hint> {
        let (pointer, hint) = self.leaves[0];
        (pointer.len() == self.length).then_some(hint)
    }

    /// The hints at and below the member or item called `name`.
    pub fn below(&self, name: &str) -> Option<Node<'t>> {
        let name = escape(name);
        let leaves = self.inner();
        let start = leaves.partition_point(|leaf| self.token(leaf) < &*name);
        let length = leaves[start..].partition_point(|leaf| self.token(leaf) == &*name);
        Node::some(&leaves[start..start + length], self.length + 1 + name.len())
    }

    /// The nodes one step further down.
    pub fn children(&self) -> impl Iterator<Item = Node<'t>> {
        let node = *self;
        node.inner()
            .chunk_by(move |one, other| node.token(one) == node.token(other))
            .map(move |leaves| Node { leaves, length: node.length + 1 + node.token(&leaves[0]).len() })
    }

    /// The pointer to the first string here or below.
    pub fn first(&self) -> &'t str {
        self.leaves[0].0
    }

    /// Every hint with the pointer to its string from this place on.
    pub fn relative(&self) -> impl Iterator<Item = (&'t str, Hint)> {
        let length = self.length;
        self.leaves.iter().map(move |(pointer, hint)| (&pointer[length..], *hint))
    }

    /// The hints below this place.
    fn inner(&self) -> &'t [Leaf<'t>] {
        &self.leaves[usize::from(self.here().is_some())..]
    }

    /// The step from this place towards a string below.
    fn token(&self, leaf: &Leaf<'t>) -> &'t str {
        let way = &leaf.0[self.length + 1..];
        way.split('/').next().unwrap_or(way)
    }
}
