//! Arrays and objects that are being written.

use serde::ser::{self, Serialize};

use super::encode::Problem;
use super::name::NameWriter;
use super::writer::{Step, Writer, Written};

/// An array or object that is being written.
pub(crate) struct Compound<'w> {
    writer: &'w mut Writer,
    close: &'static str,
    /// Items or members begun so far.
    count: usize,
    /// The path's length outside, and inside but for the index or name of the item or member.
    outside: usize,
    inside: usize,
    /// Whether this is a `RawValue`, whose only field is its text.
    raw: bool,
}

impl<'w> Compound<'w> {
    /// Opens an array or object; the value of an enum's variant stands in `{"variant": …}`, as in `serde_json`.
    pub fn open(
        writer: &'w mut Writer,
        variant: Option<&str>,
        open: &'static str,
        close: &'static str,
    ) -> Result<Self, Problem> {
        let outside = writer.path.len();
        if let Some(variant) = variant {
            writer.tag(variant)?;
        }
        writer.enter(open)?;
        let inside = writer.path.len();
        Ok(Compound { writer, close, count: 0, outside, inside, raw: false })
    }

    pub fn raw(writer: &'w mut Writer) -> Self {
        let here = writer.path.len();
        Compound { writer, close: "", count: 0, outside: here, inside: here, raw: true }
    }

    /// Writes what stands before the next item or member, with the path at the array or object itself.
    fn comma(&mut self) -> Written {
        self.writer.path.truncate(self.inside);
        self.count += 1;
        if self.count > 1 { self.writer.push(",") } else { Ok(()) }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let written = self.comma();
        self.writer.note(written)?;
        self.writer.path.push(Step::Index(self.count - 1));
        self.writer.value(value)
    }

    fn name(&mut self, write: impl FnOnce(&mut Writer) -> Written) -> Written {
        let written = self.comma().and_then(|()| {
            let start = self.writer.out.len();
            write(self.writer)?;
            let end = self.writer.out.len();
            self.writer.push(":")?;
            self.writer.path.push(Step::Member(start, end));
            Ok(())
        });
        self.writer.note(written)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        if self.raw {
            let written = self.writer.raw(value);
            return self.writer.note(written);
        }
        self.name(|writer| writer.text(name))?;
        self.writer.value(value)
    }

    fn finish(self) -> Written {
        self.writer.path.truncate(self.outside);
        self.writer.push(self.close)
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
        self.name(|writer| key.serialize(NameWriter(writer)))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.writer.value(value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}
