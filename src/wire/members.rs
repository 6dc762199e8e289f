//! The members of one message, read in one pass.

use super::{FrameError, Limits, Member, Summary, scan};

/// The top-level members of a payload, in the order in which they stand in it.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    items: Vec<Member<'a>>,
    summary: Summary,
    limits: Limits,
}

impl<'a> Members<'a> {
    /// Scans `payload`. What is wrong with single members is left to the message layer.
    ///
    /// # Errors
    /// A [`FrameError`] when the payload is too long for `limits`, or is not one JSON object (FRAME-10).
    pub fn read(payload: &'a [u8], limits: &Limits) -> Result<Self, FrameError> {
        if payload.is_empty() {
            return Err(FrameError::Empty);
        }
        if payload.len() > limits.max_payload as usize {
            return Err(FrameError::TooLarge { length: payload.len(), limit: limits.max_payload });
        }
        let mut items = Vec::with_capacity(8);
        let summary = scan(payload, |member| items.push(member))?;
        Ok(Members { items, summary, limits: *limits })
    }

    /// The first member named `name`.
    pub fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.items.iter().find(|member| member.key == name)
    }

    /// All members, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Member<'a>> {
        self.items.iter()
    }

    /// The first name that stands a second time (MSG-6).
    pub fn first_duplicate(&self) -> Option<&str> {
        if self.items.len() <= 32 {
            let repeated = self.items.iter().enumerate();
            return repeated
                .filter(|(index, member)| {
                    self.items[..*index].iter().any(|earlier| earlier.key == member.key)
                })
                .map(|(_, member)| member.key.as_ref())
                .next();
        }
        // Many unknown members: stay linear, whatever a peer sends.
        let mut seen = std::collections::HashSet::with_capacity(self.items.len());
        self.items.iter().map(|member| member.key.as_ref()).find(|key| !seen.insert(*key))
    }

    /// What the scan learned about nesting and non-finite numbers.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The limits under which the payload was read.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}
