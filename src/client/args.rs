//! Positional arguments, given together.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::message::Hints;
use crate::values::{Hinting, ValueError, encode};

/// All positional arguments of a call: `()`, a tuple, an array, a slice or a `Vec` of serializable values.
///
/// ```
/// # fn demo<A: dirty_arbiter::client::Args>(_: A) {}
/// demo(());
/// demo(("gpt", 3, [0.5, 0.25]));
/// demo(&["all", "of", "one", "type"][..]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of arguments",
    note = "put a single argument into a tuple: `(value,)`"
)]
pub trait Args {
    /// Encodes every argument, and adds its hints.
    ///
    /// # Errors
    /// [`ValueError`] with the place of what cannot be sent.
    fn encode(self, hinting: Hinting, hints: &mut Hints) -> Result<Vec<Box<RawValue>>, ValueError>;
}

/// Encodes the argument at `index`.
pub(super) fn encode_at<T: Serialize + ?Sized>(
    index: usize,
    value: &T,
    hinting: Hinting,
    hints: &mut Hints,
) -> Result<Box<RawValue>, ValueError> {
    encode(value, &format!("/args/{index}"), hinting, hints)
}

impl<T: Serialize> Args for &[T] {
    fn encode(self, hinting: Hinting, hints: &mut Hints) -> Result<Vec<Box<RawValue>>, ValueError> {
        self.iter().enumerate().map(|(index, value)| encode_at(index, value, hinting, hints)).collect()
    }
}

impl<T: Serialize, const N: usize> Args for [T; N] {
    fn encode(self, hinting: Hinting, hints: &mut Hints) -> Result<Vec<Box<RawValue>>, ValueError> {
        self.as_slice().encode(hinting, hints)
    }
}

impl<T: Serialize> Args for Vec<T> {
    fn encode(self, hinting: Hinting, hints: &mut Hints) -> Result<Vec<Box<RawValue>>, ValueError> {
        self.as_slice().encode(hinting, hints)
    }
}

impl Args for () {
    fn encode(self, _: Hinting, _: &mut Hints) -> Result<Vec<Box<RawValue>>, ValueError> {
        Ok(Vec::new())
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))*) => {$(
        impl<$($name: Serialize),+> Args for ($($name,)+) {
            fn encode(self, hinting: Hinting, hints: &mut Hints) -> Result<Vec<Box<RawValue>>, ValueError> {
                Ok(vec![$(encode_at($index, &self.$index, hinting, hints)?),+])
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
