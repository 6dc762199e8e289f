//! The types of single values, and how members use them.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::Ident;

use super::emit::doc;
use super::model::{Def, Model, Shape};

/// What a reader expects, in words, to complete "expected …".
pub fn expected(model: &Model, name: &str) -> String {
    match model.def(name).map(|def| &def.shape) {
        Some(Shape::Struct(_) | Shape::Map(_)) => "an object".to_owned(),
        Some(Shape::Text { min, max }) => expected_text(*min, *max),
        Some(Shape::Open(_)) => "a string".to_owned(),
        Some(Shape::Closed(names)) => {
            let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
            quoted.join(" or ")
        }
        Some(Shape::Number { min, exclusive, max }) => expected_number(*min, *exclusive, *max),
        Some(Shape::Any) | None => "a value".to_owned(),
    }
}

fn expected_text(min: u64, max: u64) -> String {
    if min == 0 {
        format!("a string of at most {max} characters")
    } else {
        format!("a string of {min} to {max} characters")
    }
}

fn expected_number(min: u64, exclusive: bool, max: u64) -> String {
    if exclusive {
        format!("a number above {min}, up to {max}")
    } else {
        format!("a number from {min} to {max}")
    }
}

/// A path or closure that reads (or, with `check`, only judges) a value of the definition.
pub fn access(model: &Model, name: &str, check: bool) -> TokenStream {
    let ident = format_ident!("{name}");
    match model.def(name).map(|def| &def.shape) {
        Some(Shape::Any) if check => quote!(read::check_raw),
        Some(Shape::Any) => quote!(read::raw),
        Some(Shape::Map(item)) => {
            let expected = expected(model, item);
            let item = access(model, item, check);
            quote!(|value| read::map(value, #expected, #item))
        }
        _ if check => quote!(#ident::check),
        _ => quote!(#ident::read),
    }
}

/// The expression that writes `value`, a reference, to `out`.
pub fn write(model: &Model, name: &str, out: &TokenStream, value: &TokenStream) -> TokenStream {
    match model.def(name).map(|def| &def.shape) {
        Some(Shape::Any) => quote!(write::raw(#out, #value)),
        Some(Shape::Map(item)) => {
            let item = write(model, item, &quote!(out), &quote!(item));
            quote!(write::map(#out, #value, |out, item| #item))
        }
        _ => {
            let ident = format_ident!("{name}");
            quote!(#ident::write(#value, #out))
        }
    }
}

/// A string with a bounded length: a newtype.
pub fn text(def: &Def, min: u64, max: u64) -> TokenStream {
    let (name, about, expected) = (format_ident!("{}", def.name), doc(&def.doc), expected_text(min, max));
    let min_length = (min > 0).then(|| {
        let min = Literal::u64_unsuffixed(min);
        quote!("minLength" = #min,)
    });
    let (min, max) = (Literal::u64_unsuffixed(min), Literal::u64_unsuffixed(max));
    quote! {
        #about
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "schema",
            derive(schemars::JsonSchema),
            schemars(extend(#min_length "maxLength" = #max))
        )]
        pub struct #name(pub(super) String);

        text_type!(#name, #min, #max, #expected);
    }
}

/// A number with a range: a newtype.
pub fn number(def: &Def) -> TokenStream {
    let Shape::Number { min, exclusive, max } = def.shape else { return TokenStream::new() };
    let (name, about) = (format_ident!("{}", def.name), doc(&def.doc));
    let expected = expected_number(min, exclusive, max);
    let (low, high) = (Literal::f64_unsuffixed(min as f64), Literal::f64_unsuffixed(max as f64));
    let (min, max) = (Literal::u64_unsuffixed(min), Literal::u64_unsuffixed(max));
    let (keyword, condition) = if exclusive {
        ("exclusiveMinimum", quote!(value > #low && value <= #high))
    } else {
        ("minimum", quote!((#low..=#high).contains(&value)))
    };
    quote! {
        #about
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        #[cfg_attr(
            feature = "schema",
            derive(schemars::JsonSchema),
            schemars(extend(#keyword = #min, "maximum" = #max))
        )]
        pub struct #name(pub(super) f64);

        number_type!(#name, |value| #condition, #expected);
    }
}

/// An object of values of one kind: an alias.
pub fn map(def: &Def, item: &str) -> TokenStream {
    let (name, about, item) = (format_ident!("{}", def.name), doc(&def.doc), format_ident!("{item}"));
    quote! {
        #about
        pub type #name = IndexMap<String, #item>;
    }
}

/// A string out of a closed list: an enum.
pub fn closed(def: &Def, names: &[String]) -> TokenStream {
    let (name, about) = (format_ident!("{}", def.name), doc(&def.doc));
    let variants: Vec<_> = names.iter().map(|name| variant(name)).collect();
    let docs = names.iter().map(|name| doc(&format!("`{name}`")));
    quote! {
        #about
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum #name {
            #(#docs #[cfg_attr(feature = "schema", schemars(rename = #names))] #variants,)*
        }

        impl #name {
            /// The name, as it is written in messages.
            pub fn as_str(self) -> &'static str {
                match self {
                    #(#name::#variants => #names,)*
                }
            }

            /// The value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    #(#names => Some(#name::#variants),)*
                    _ => None,
                }
            }

            fn read(value: &Value<'_, '_>) -> Read<Self> {
                read::name(value, Self::from_name)
            }

            fn check(value: &Value<'_, '_>) -> Read<()> {
                Self::read(value).map(|_| ())
            }

            fn write(&self, out: &mut Vec<u8>) {
                write::text(out, self.as_str());
            }
        }

        impl std::fmt::Display for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    }
}

/// A string with registered values, of which others are accepted: an enum with a variant for those.
pub fn open(def: &Def, names: &[String]) -> TokenStream {
    let (name, about) = (format_ident!("{}", def.name), doc(&def.doc));
    let variants: Vec<_> = names.iter().map(|name| variant(name)).collect();
    let docs = names.iter().map(|name| doc(&format!("`{name}`")));
    let (title, count) = (&def.name, names.len());
    quote! {
        #about
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#docs #variants,)*
            /// A name that is not registered, as it was sent.
            Other(String),
        }

        impl #name {
            /// The registered names.
            pub const REGISTERED: [&'static str; #count] = [#(#names,)*];

            /// The name, as it is written in messages.
            pub fn as_str(&self) -> &str {
                match self {
                    #(#name::#variants => #names,)*
                    #name::Other(name) => name,
                }
            }

            /// The value with this name.
            pub fn from_name(name: &str) -> Self {
                match name {
                    #(#names => #name::#variants,)*
                    other => #name::Other(other.to_owned()),
                }
            }

            fn read(value: &Value<'_, '_>) -> Read<Self> {
                read::text(value).map(|name| Self::from_name(&name))
            }

            fn check(value: &Value<'_, '_>) -> Read<()> {
                read::text(value).map(|_| ())
            }

            fn write(&self, out: &mut Vec<u8>) {
                write::text(out, self.as_str());
            }
        }

        impl std::fmt::Display for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for #name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                #title.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "examples": Self::REGISTERED })
            }
        }
    }
}

/// `snake_case`, or a name in PascalCase already, as the name of a variant.
fn variant(name: &str) -> Ident {
    let capital = |word: &str| {
        let mut characters = word.chars();
        characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
    };
    format_ident!("{}", name.split('_').map(capital).collect::<String>())
}
