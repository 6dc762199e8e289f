//! Arrays and objects.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::key::Key;
use super::{Encoder, Fault, Segment, raw};

type Done = Result<(), Fault>;

/// An array or object that has been opened.
pub(crate) struct Compound<'e> {
    encoder: &'e mut Encoder,
    /// The path's length outside, and inside but for the index or name of the element.
    outside: usize,
    inside: usize,
    elements: usize,
    close: &'static [u8],
}

impl<'e> Compound<'e> {
    fn open(
        encoder: &'e mut Encoder,
        tag: Option<&str>,
        bracket: u8,
        close: &'static [u8],
    ) -> Result<Self, Fault> {
        let outside = encoder.path.len();
        if let Some(tag) = tag {
            encoder.tag(tag)?;
        }
        encoder.enter(bracket)?;
        let inside = encoder.path.len();
        Ok(Compound { encoder, outside, inside, elements: 0, close })
    }

    pub(super) fn array(encoder: &'e mut Encoder) -> Result<Self, Fault> {
        Self::open(encoder, None, b'[', b"]")
    }

    pub(super) fn object(encoder: &'e mut Encoder) -> Result<Self, Fault> {
        Self::open(encoder, None, b'{', b"}")
    }

    pub(super) fn tagged_array(encoder: &'e mut Encoder, tag: &str) -> Result<Self, Fault> {
        Self::open(encoder, Some(tag), b'[', b"]}")
    }

    pub(super) fn tagged_object(encoder: &'e mut Encoder, tag: &str) -> Result<Self, Fault> {
        Self::open(encoder, Some(tag), b'{', b"}}")
    }

    /// Text that is JSON already: its one field goes out as it is.
    pub(super) fn raw(encoder: &'e mut Encoder) -> Self {
        let at = encoder.path.len();
        Compound { encoder, outside: at, inside: at, elements: 0, close: b"" }
    }

    /// Writes what stands between elements, and leaves the path at the array or object itself.
    fn next(&mut self) -> Done {
        self.encoder.path.truncate(self.inside);
        if self.elements > 0 {
            self.encoder.push(b",")?;
        }
        self.elements += 1;
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let written = value.serialize(&mut *self.encoder);
        self.encoder.broken |= written.is_err();
        written
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let index = self.elements;
        self.next()?;
        self.encoder.path.push(Segment::Index(index));
        self.value(value)
    }

    fn name(&mut self, write: impl FnOnce(&mut Encoder) -> Done) -> Done {
        self.next()?;
        let start = self.encoder.buffer.len();
        let written = write(self.encoder);
        self.encoder.broken |= written.is_err();
        written?;
        self.encoder.path.push(Segment::Member(start, self.encoder.buffer.len()));
        self.encoder.push(b":")
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        if name == raw::TOKEN {
            return value.serialize(raw::Text(self.encoder));
        }
        self.name(|encoder| encoder.string(name))?;
        self.value(value)
    }

    fn finish(self) -> Done {
        self.encoder.path.truncate(self.outside);
        self.encoder.push(self.close)
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident),*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Fault;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.element(value)
            }
            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}
elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Fault;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.field(name, value)
            }
            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}
fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.name(|encoder| key.serialize(Key(encoder)))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}
