//! Structs: their fields, and the functions that read, check and write them.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::emit::doc;
use super::model::{Def, Kind, Member, Model, Presence, Shape, Struct};
use super::values;

pub fn emit(model: &Model, def: &Def, of: &Struct) -> TokenStream {
    let name = format_ident!("{}", def.name);
    let about = doc(&def.doc);
    let fields = of.members.iter().map(|member| field(model, member));
    let (others_field, others_read, others_write) = others(of);
    let (equality, equal) = if model.holds_raw(&def.name) {
        let equal = quote! {
            /// Two of them are equal when their JSON texts are.
            impl PartialEq for #name {
                fn eq(&self, other: &Self) -> bool {
                    write::same(|out| self.write(out), |out| other.write(out))
                }
            }
        };
        (TokenStream::new(), equal)
    } else {
        (quote!(, PartialEq, Eq), TokenStream::new())
    };
    let all_optional = of.members.iter().all(|member| member.presence != Presence::Required);
    let default = all_optional.then(|| quote!(, Default));
    let extra = of.keeps_others.then(|| quote!(, schemars(extend("additionalProperties" = true))));
    let rules = of.members.iter().map(|member| rule(model, member));
    let reads = of.members.iter().map(|member| {
        let field = format_ident!("{}", member.name);
        let read = access(model, member, false);
        quote!(#field: #read)
    });
    let checks = of.members.iter().map(|member| access(model, member, true));
    let writes = of.members.iter().map(|member| write(model, member));
    let tag = of.tag.as_ref().map(|tag| quote!(write::text(members.name("type"), #tag);));
    // A message is read from its members; an object inside one first has to get them.
    let (parameter, open) = match of.tag {
        Some(_) => (quote!(object: &Object<'_, '_>), TokenStream::new()),
        None => (quote!(value: &Value<'_, '_>), quote!(let object = Object::inside(value)?;)),
    };
    quote! {
        #about
        #[derive(Debug, Clone #equality #default)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema) #extra)]
        pub struct #name {
            #(#fields,)*
            #others_field
        }

        impl #name {
            #(#rules)*

            fn read(#parameter) -> Read<Self> {
                #open
                Ok(#name { #(#reads,)* #others_read })
            }

            fn check(#parameter) -> Read<()> {
                #open
                #(#checks;)*
                Ok(())
            }

            fn write(&self, out: &mut Vec<u8>) {
                let mut members = write::Members::open(out);
                #tag
                #(#writes)*
                #others_write
                members.close();
            }
        }

        #equal
    }
}

pub fn has_nullable_id(of: &Struct) -> bool {
    of.members.iter().any(|member| member.name == "id" && matches!(member.kind, Kind::Nullable(_)))
}

fn others(of: &Struct) -> (TokenStream, TokenStream, TokenStream) {
    if !of.keeps_others {
        return Default::default();
    }
    let names = of.members.iter().map(|member| &member.name);
    let field = quote! {
        /// Further members, as they stand. They never have the name of another field.
        #[cfg_attr(feature = "schema", schemars(skip))]
        pub other: IndexMap<String, Box<RawValue>>,
    };
    (field, quote!(other: object.others(&[#(#names),*])), quote!(members.others(&self.other);))
}

fn field(model: &Model, member: &Member) -> TokenStream {
    let name = format_ident!("{}", member.name);
    let about = doc(&member.doc);
    // The type of the field, and, where it differs, the type whose schema it has.
    let (mut ty, mut schema) = match &member.kind {
        Kind::Ref(name) if matches!(model.def(name).map(|def| &def.shape), Some(Shape::Any)) => {
            (quote!(Box<RawValue>), Some("super::schema::JsonValue".to_owned()))
        }
        Kind::Ref(name) => (format_ident!("{name}").to_token_stream(), None),
        Kind::Nullable(name) => {
            let ident = format_ident!("{name}");
            (quote!(Option<#ident>), Some(format!("super::schema::Nullable<{name}>")))
        }
        Kind::Text => (quote!(String), None),
        Kind::Flag => (quote!(bool), None),
        Kind::Integer(bits) => (format_ident!("u{bits}").to_token_stream(), None),
        Kind::RawList => (quote!(Vec<Box<RawValue>>), Some("Vec<super::schema::JsonValue>".to_owned())),
        Kind::RawMap => (
            quote!(IndexMap<String, Box<RawValue>>),
            Some("IndexMap<String, super::schema::JsonValue>".to_owned()),
        ),
    };
    if member.presence == Presence::Optional {
        // To schemars an Option may also be null.
        schema = schema.or_else(|| Some(ty.to_string()));
        ty = quote!(Option<#ty>);
    }
    let mut attributes: Vec<_> = schema.iter().map(|schema| quote!(with = #schema)).collect();
    match member.presence {
        Presence::Required => {}
        Presence::Default => attributes.push(quote!(default)),
        Presence::Optional => attributes.push(quote!(default, skip_serializing_if = "Option::is_none")),
    }
    if let Kind::Integer(bits) = member.kind {
        let max = Literal::u64_suffixed((1 << bits) - 1);
        attributes.push(quote!(extend("maximum" = #max)));
    }
    let attributes =
        (!attributes.is_empty()).then(|| quote!(#[cfg_attr(feature = "schema", schemars(#(#attributes),*))]));
    quote! {
        #about
        #attributes
        pub #name: #ty
    }
}

fn rule_name(member: &Member) -> syn::Ident {
    format_ident!("{}", member.name.to_uppercase())
}

fn rule(model: &Model, member: &Member) -> TokenStream {
    let (constant, name, requirement) = (rule_name(member), &member.name, &member.requirement);
    let expected = match &member.kind {
        Kind::Ref(name) => values::expected(model, name),
        Kind::Nullable(name) => format!("{} or null", values::expected(model, name)),
        Kind::Text => "a string".to_owned(),
        Kind::Flag => "a boolean".to_owned(),
        Kind::Integer(bits) => format!("an integer from 0 to {}", (1_u64 << bits) - 1),
        Kind::RawList => "an array".to_owned(),
        Kind::RawMap => "an object".to_owned(),
    };
    quote! {
        const #constant: Rule = Rule { name: #name, expected: #expected, requirement: #requirement };
    }
}

/// The expression that reads (or, with `check`, only judges) a member of `object`.
fn access(model: &Model, member: &Member, check: bool) -> TokenStream {
    let rule = rule_name(member);
    let leaf = match &member.kind {
        Kind::Ref(name) => values::access(model, name, check),
        Kind::Nullable(name) => {
            let inner = values::access(model, name, check);
            quote!(|value| read::nullable(value, #inner))
        }
        Kind::Text if check => quote!(read::text),
        Kind::Text => quote!(read::string),
        Kind::Flag => quote!(read::boolean),
        Kind::Integer(bits) => {
            let ident = format_ident!("u{bits}");
            quote!(read::integer::<#ident>)
        }
        Kind::RawList if check => quote!(read::check_raw_list),
        Kind::RawList => quote!(read::raw_list),
        Kind::RawMap if check => quote!(read::check_raw_map),
        Kind::RawMap => quote!(read::raw_map),
    };
    match member.presence {
        Presence::Required => quote!(object.required(Self::#rule, #leaf)?),
        Presence::Default if !check => quote!(object.optional(Self::#rule, #leaf)?.unwrap_or_default()),
        _ => quote!(object.optional(Self::#rule, #leaf)?),
    }
}

fn write(model: &Model, member: &Member) -> TokenStream {
    let (field, name) = (format_ident!("{}", member.name), &member.name);
    let out = quote!(members.name(#name));
    let optional = member.presence == Presence::Optional;
    let value = if optional { quote!(value) } else { quote!(&self.#field) };
    let write = match &member.kind {
        Kind::Ref(name) => values::write(model, name, &out, &value),
        Kind::Nullable(name) => {
            let inner = values::write(model, name, &quote!(out), &quote!(value));
            quote!(write::nullable(#out, #value, |out, value| #inner))
        }
        Kind::Text => quote!(write::text(#out, #value)),
        Kind::Flag => quote!(write::boolean(#out, *#value)),
        Kind::Integer(_) => quote!(write::number(#out, #value)),
        Kind::RawList => quote!(write::raw_list(#out, #value)),
        Kind::RawMap => quote!(write::raw_map(#out, #value)),
    };
    if optional {
        quote! {
            if let Some(value) = &self.#field {
                #write;
            }
        }
    } else {
        quote!(#write;)
    }
}
