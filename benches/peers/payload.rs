//! The texts that travel: as long as the scenario says, the first eight characters a number, so that none is like another.

const DIGITS: usize = 8;

/// A text of `size` bytes.
pub fn text(size: usize) -> Vec<u8> {
    vec![b'x'; size.max(DIGITS)]
}

/// Puts its number into a text.
pub fn number(text: &mut [u8], number: usize) {
    let mut rest = number;
    for digit in text[..DIGITS].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}
