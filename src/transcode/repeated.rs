//! Keys that stand twice in a dict.

use std::collections::HashSet;

use crate::wire::gd::{Token, TokenReader};

/// A key that stands twice in one dict of the value that begins here, which is known to be whole.
///
/// A hint finds its string by the keys around it: with such a key it would be for two values (D-131).
pub(super) fn repeated_key(mut reader: TokenReader<'_>) -> Option<&str> {
    // What is to come in each list and dict, and the keys so far of a dict.
    let mut open: Vec<(u32, Option<HashSet<&str>>)> = Vec::new();
    loop {
        match reader.token().ok()? {
            Token::List(count) => open.push((count, None)),
            Token::Dict(count) => open.push((count, Some(HashSet::new()))),
            _ => {}
        }
        loop {
            let (left, keys) = open.last_mut()?;
            if *left > 0 {
                *left -= 1;
                if let Some(keys) = keys {
                    let key = reader.key().ok()?;
                    if !keys.insert(key) {
                        return Some(key);
                    }
                }
                break;
            }
            open.pop();
        }
    }
}
