//! Decoding of JSON string tokens.

use std::borrow::Cow;

/// A string escapes half of a surrogate pair: legal JSON, but no Unicode text (VAL-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("lone surrogate escape at offset {offset} of the string: it is no Unicode text (VAL-8)")]
pub struct LoneSurrogate {
    /// Byte offset of the escape in the token.
    pub offset: usize,
}

/// Decodes a string token, quotes included, that [`scan`](super::scan) has accepted; without escapes it borrows.
///
/// # Errors
/// [`LoneSurrogate`] when the token has no meaning as Unicode text.
pub fn unescape(token: &str) -> Result<Cow<'_, str>, LoneSurrogate> {
    let body = token.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(token);
    let Some(first) = memchr::memchr(b'\\', body.as_bytes()) else { return Ok(Cow::Borrowed(body)) };
    let mut out = String::with_capacity(body.len());
    let mut at = 0;
    let mut next = Some(first);
    while let Some(escape) = next {
        out.push_str(&body[at..escape]);
        let (character, length) =
            decode_escape(&body[escape..]).ok_or(LoneSurrogate { offset: escape + 1 })?;
        out.push(character);
        at = escape + length;
        next = memchr::memchr(b'\\', &body.as_bytes()[at..]).map(|found| at + found);
    }
    out.push_str(&body[at..]);
    Ok(Cow::Owned(out))
}

/// The character that the escape at the start of `text` stands for, and the escape's length in bytes.
fn decode_escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = unicode_unit(text)?;
            if let Some(character) = char::from_u32(unit) {
                return Some((character, 6));
            }
            let low = unicode_unit(text.get(6..)?)?;
            let pair = char::decode_utf16([u16::try_from(unit).ok()?, u16::try_from(low).ok()?]).next()?;
            return pair.ok().map(|character| (character, 12));
        }
        other => char::from(*other),
    };
    Some((simple, 2))
}

/// The value of a `\uXXXX` at the start of `text`.
fn unicode_unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}
