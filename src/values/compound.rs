//! Arrays and objects that are being written.

use serde::ser::{self, Serialize};

use super::encode::{Problem, Writer, Written};

/// An array or object that is being written.
pub(super) struct Compound<'w> {
    pub writer: &'w mut Writer,
    pub close: &'static str,
    /// Items or members written so far.
    pub index: usize,
    /// How much of the pointer belongs to this value and is taken back at its end, in bytes.
    pub tokens: usize,
    /// The name of the member whose value comes next.
    pub name: String,
    /// Whether this is a `RawValue`, whose only field is its text.
    pub raw: bool,
}

impl Compound<'_> {
    fn comma(&mut self) {
        if self.index > 0 {
            self.writer.out.push(',');
        }
        self.index += 1;
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.comma();
        self.writer.below(&(self.index - 1).to_string(), value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        if self.raw {
            return self.writer.display(AsDisplay(value));
        }
        self.comma();
        self.writer.member(name, value)
    }

    fn finish(self) -> Written {
        self.writer.out.push_str(self.close);
        let here = self.writer.pointer.len() - self.tokens;
        self.writer.pointer.truncate(here);
        Ok(())
    }
}

/// Shows a value that serializes as a string: `fmt::Formatter` is a serializer too.
struct AsDisplay<'v, T: ?Sized>(&'v T);

impl<T: Serialize + ?Sized> std::fmt::Display for AsDisplay<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.serialize(f)
    }
}

macro_rules! sequences {
    ($($trait:ident::$function:ident),*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Problem;
            fn $function<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.item(value)
            }
            fn end(self) -> Written {
                self.finish()
            }
        }
    )*};
}
sequences!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Problem;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
                self.field(name, value)
            }
            fn end(self) -> Written {
                self.finish()
            }
        }
    )*};
}
structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Problem;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        use std::fmt::Write;
        // A formatter takes what can be a name, strings, numbers and variants, and refuses everything else.
        self.name.clear();
        write!(self.name, "{}", AsDisplay(key))
            .map_err(|_| Problem("the names of an object must be strings or numbers".to_owned()))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.comma();
        let name = std::mem::take(&mut self.name);
        self.writer.member(&name, value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}
