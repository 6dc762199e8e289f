//! The generated file as a whole, the message enum and the enum of message types.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use super::model::{Def, Model, Shape};
use super::{members, values};

/// Doc comments are wrapped to this many characters.
const DOC_WIDTH: usize = 105;

pub fn file(model: &Model) -> TokenStream {
    let messages = model.messages.iter().filter_map(|name| model.def(name));
    let messages: Vec<Variant<'_>> = messages.filter_map(Variant::of).collect();
    let message = message(model, &messages);
    let message_type = message_type(&messages);
    let defs = model.defs.iter().map(|def| match &def.shape {
        Shape::Struct(of) => members::emit(model, def, of),
        Shape::Text { min, max } => values::text(def, *min, *max),
        Shape::Open(names) => values::open(def, names),
        Shape::Closed(names) => values::closed(def, names),
        Shape::Number { .. } => values::number(def),
        Shape::Map(item) => values::map(def, item),
        // Kept as raw text, a type that is there already.
        Shape::Any => TokenStream::new(),
    });
    quote! {
        use indexmap::IndexMap;
        use serde_json::value::RawValue;

        use super::read::{self, Object, Read, Rule, Value};
        use super::values::{number_type, text_type};
        use super::write;

        #message
        #message_type
        #(#defs)*
    }
}

/// One message: its variant, its struct, the value of its `type`, and its documentation.
struct Variant<'a> {
    variant: Ident,
    name: Ident,
    tag: &'a str,
    doc: TokenStream,
}

impl<'a> Variant<'a> {
    fn of(def: &'a Def) -> Option<Self> {
        let Shape::Struct(of) = &def.shape else { return None };
        let variant = format_ident!("{}", def.name.strip_suffix("Message").unwrap_or(&def.name));
        Some(Variant {
            variant,
            name: format_ident!("{}", def.name),
            tag: of.tag.as_deref()?,
            doc: doc(&def.doc),
        })
    }
}

fn message(model: &Model, messages: &[Variant<'_>]) -> TokenStream {
    let title = format_ident!("{}", model.title);
    let about = doc(&model.doc);
    let docs = messages.iter().map(|message| &message.doc);
    let variants: Vec<_> = messages.iter().map(|message| &message.variant).collect();
    let names: Vec<_> = messages.iter().map(|message| &message.name).collect();
    let tags = messages.iter().map(|message| message.tag);
    let id = messages.iter().map(|message| {
        let variant = &message.variant;
        match &model.def(&message.name.to_string()).map(|def| &def.shape) {
            Some(Shape::Struct(of)) if members::has_nullable_id(of) => {
                quote!(#title::#variant(message) => message.id.as_ref())
            }
            _ => quote!(#title::#variant(message) => Some(&message.id)),
        }
    });
    quote! {
        #about
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(tag = "type"))]
        pub enum #title {
            #(#docs #[cfg_attr(feature = "schema", schemars(rename = #tags))] #variants(#names),)*
        }

        impl #title {
            /// The type of the message.
            pub fn message_type(&self) -> MessageType {
                match self {
                    #(#title::#variants(_) => MessageType::#variants,)*
                }
            }

            /// The id of the request that the message is about; `None` only for an error whose id is null.
            pub fn request_id(&self) -> Option<&RequestId> {
                match self {
                    #(#id,)*
                }
            }

            pub(super) fn read(kind: MessageType, object: &Object<'_, '_>) -> Read<Self> {
                match kind {
                    #(MessageType::#variants => #names::read(object).map(#title::#variants),)*
                }
            }

            pub(super) fn check_as(kind: MessageType, object: &Object<'_, '_>) -> Read<()> {
                match kind {
                    #(MessageType::#variants => #names::check(object),)*
                }
            }

            pub(super) fn write(&self, out: &mut Vec<u8>) {
                match self {
                    #(#title::#variants(message) => message.write(out),)*
                }
            }
        }
    }
}

fn message_type(messages: &[Variant<'_>]) -> TokenStream {
    let docs = messages.iter().map(|message| &message.doc);
    let variants: Vec<_> = messages.iter().map(|message| &message.variant).collect();
    let tags: Vec<_> = messages.iter().map(|message| message.tag).collect();
    let count = messages.len();
    quote! {
        /// The types of messages (MSG-1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MessageType {
            #(#docs #variants,)*
        }

        impl MessageType {
            /// All types, in the order of the schema.
            pub const ALL: [MessageType; #count] = [#(MessageType::#variants,)*];

            /// The value of the member `type`.
            pub fn as_str(self) -> &'static str {
                match self {
                    #(MessageType::#variants => #tags,)*
                }
            }

            /// The type with this value of the member `type`.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    #(#tags => Some(MessageType::#variants),)*
                    _ => None,
                }
            }
        }
    }
}

/// A description as doc comments.
pub fn doc(description: &str) -> TokenStream {
    let mut lines = vec![String::new()];
    for word in description.split_whitespace() {
        let full = lines.last().is_some_and(|line| line.len() + 1 + word.len() > DOC_WIDTH);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    quote!(#(#[doc = #lines])*)
}
