//! Finds the JSON Pointer of a place in a message's text: only needed to say what is wrong with it.

use super::read::push_token;
use crate::wire::{self, Member};

/// A pointer is cut at the last level that fits, in bytes: names come from the peer and can be long.
const LONGEST: usize = 256;

/// The pointer of the value at byte `offset` of the payload.
pub(super) fn at_offset(members: &[Member<'_>], offset: usize) -> String {
    let holder = members.iter().rev().find(|member| member.offset <= offset);
    holder.and_then(|member| locate(member, offset - member.offset)).unwrap_or_default()
}

/// An open array or object, and where in it the walk is.
enum Open<'a> {
    /// The message itself, at the member of this name.
    Message(&'a str),
    /// At this index.
    Array(usize),
    /// At the member of this name, still in quotes and with its escapes.
    Object(&'a str),
}

/// Walks the tokens of a member's value up to the one at byte `offset` of it, without recursion.
fn locate(member: &Member<'_>, offset: usize) -> Option<String> {
    let text = member.value;
    let bytes = text.as_bytes();
    let mut open: Vec<Open<'_>> = vec![Open::Message(&member.key)];
    let mut name_next = false;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        if start >= offset {
            return Some(pointer(&open));
        }
        match bytes[start] {
            b'{' => {
                open.push(Open::Object(""));
                name_next = true;
            }
            b'[' => open.push(Open::Array(0)),
            b'}' | b']' => {
                open.pop();
                name_next = false;
            }
            b',' => match open.last_mut() {
                Some(Open::Array(index)) => *index += 1,
                _ => name_next = true,
            },
            b'"' => {
                at = string_end(bytes, at);
                if let (true, Some(Open::Object(name))) = (name_next, open.last_mut()) {
                    *name = &text[start..at];
                    name_next = false;
                }
            }
            // White space, a colon, or a character of a number or literal.
            _ => {}
        }
    }
    None
}

/// Behind the closing quote of the string whose body starts at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(step) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += step;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn pointer(open: &[Open<'_>]) -> String {
    let mut pointer = String::new();
    for level in open {
        let whole = pointer.len();
        match level {
            Open::Message(name) => push_token(&mut pointer, name),
            Open::Array(index) => push_token(&mut pointer, &index.to_string()),
            Open::Object(name) => match wire::unescape(name) {
                Ok(name) => push_token(&mut pointer, &name),
                // Such a name has no place in a pointer: stop at the object that has it.
                Err(_) => return pointer,
            },
        }
        if pointer.len() > LONGEST {
            pointer.truncate(whole);
            break;
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Limits, Members};

    fn members(text: &str) -> Vec<Member<'_>> {
        Members::read(text.as_bytes(), &Limits::default()).unwrap().iter().cloned().collect()
    }

    #[test]
    fn offsets_lead_to_values() {
        let text = r#"{"a": [1, {"b/~\"": [[], "x,]", NaN]}], "c": {"d": true}, "e": -Infinity}"#;
        for (needle, expected) in [
            ("1,", "/a/0"),
            ("[[", "/a/1/b~1~0\""),
            ("NaN", "/a/1/b~1~0\"/2"),
            ("true", "/c/d"),
            ("-Inf", "/e"),
        ] {
            assert_eq!(at_offset(&members(text), text.find(needle).unwrap()), expected, "{needle}");
        }
    }

    #[test]
    fn pointers_stay_short_and_whole() {
        let text = format!(r#"{{"a":{{"b":{{"{}":NaN}}}}}}"#, "n".repeat(300));
        assert_eq!(at_offset(&members(&text), text.find("NaN").unwrap()), "/a/b");
        let deep = format!(r#"{{"a":{}NaN{}}}"#, "[".repeat(600), "]".repeat(600));
        assert_eq!(at_offset(&members(&deep), deep.find("NaN").unwrap()).len(), 256);
    }
}
