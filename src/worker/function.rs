//! Functions as actions: from JSON arguments to typed parameters, from return values to replies.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::app::{AppError, AppResult};
use super::call::Call;
use super::params::{BadArguments, Binder};

/// Takes the place of the parameter names of an action that wants the [`Call`] itself: for any number of
/// arguments, for the time that is left, for noticing a cancel.
#[derive(Debug, Clone, Copy)]
pub struct WholeCall;

/// A function or method `fn(&App, …)`, whose parameters are given by the signature `S`: an array with the name of
/// each, or [`WholeCall`]. Implemented for all such functions with up to eight parameters; not to be implemented.
pub trait Function<'a, A, P, S>: Send + Sync + 'static {
    /// What it returns; it may borrow from the app.
    type Output;
    #[doc(hidden)]
    fn invoke(&self, app: &'a A, parameters: P) -> Self::Output;
}

/// Parameters that can be taken from a call: types that serde can deserialise. `Option<T>` makes a parameter
/// optional. Not to be implemented.
pub trait Parameters<S>: Sized {
    #[doc(hidden)]
    fn names(signature: &S) -> &[&'static str];
    #[doc(hidden)]
    fn bind(signature: &S, call: Call) -> Result<Self, BadArguments>;
}

impl Parameters<WholeCall> for Call {
    fn names(_signature: &WholeCall) -> &[&'static str] {
        &[]
    }

    fn bind(_signature: &WholeCall, call: Call) -> Result<Self, BadArguments> {
        Ok(call)
    }
}

impl<'a, A, F, R> Function<'a, A, Call, WholeCall> for F
where
    A: 'a,
    F: Fn(&'a A, Call) -> R + Send + Sync + 'static,
{
    type Output = R;

    fn invoke(&self, app: &'a A, call: Call) -> R {
        self(app, call)
    }
}

macro_rules! arities {
    ($($count:literal: $($type:ident $value:ident),*;)*) => {$(
        impl<$($type: DeserializeOwned),*> Parameters<[&'static str; $count]> for ($($type,)*) {
            fn names<'s>(signature: &'s [&'static str; $count]) -> &'s [&'static str] {
                signature
            }

            fn bind(signature: &[&'static str; $count], call: Call) -> Result<Self, BadArguments> {
                #[allow(unused_mut, unused_variables, reason = "without parameters nothing is taken")]
                let mut binder = Binder::new(signature, &call)?;
                Ok(($(binder.next::<$type>()?,)*))
            }
        }

        impl<'a, A, F, R, $($type),*> Function<'a, A, ($($type,)*), [&'static str; $count]> for F
        where
            A: 'a,
            F: Fn(&'a A, $($type),*) -> R + Send + Sync + 'static,
        {
            type Output = R;

            fn invoke(&self, app: &'a A, parameters: ($($type,)*)) -> R {
                let ($($value,)*) = parameters;
                self(app, $($value),*)
            }
        }
    )*};
}

arities! {
    0: ;
    1: P1 p1;
    2: P1 p1, P2 p2;
    3: P1 p1, P2 p2, P3 p3;
    4: P1 p1, P2 p2, P3 p3, P4 p4;
    5: P1 p1, P2 p2, P3 p3, P4 p4, P5 p5;
    6: P1 p1, P2 p2, P3 p3, P4 p4, P5 p5, P6 p6;
    7: P1 p1, P2 p2, P3 p3, P4 p4, P5 p5, P6 p6, P7 p7;
    8: P1 p1, P2 p2, P3 p3, P4 p4, P5 p5, P6 p6, P7 p7, P8 p8;
}

/// Marks outcomes that cannot fail.
#[derive(Debug)]
pub struct Plain(());

/// Marks outcomes that can fail.
#[derive(Debug)]
pub struct Fallible(());

/// What an action returns or a stream yields: a value that serde can serialise, or a `Result` of one. Not to be
/// implemented.
///
/// The error of the `Result` may be [`AppError`] or anything with a text. One kind must be converted first, because
/// a `Result` of it could itself be meant as a value: errors that serde can serialise, `String` and `&str` among
/// them. The compiler then asks for type annotations; return an [`AppResult`] instead.
pub trait Outcome<M> {
    #[doc(hidden)]
    type Value: Serialize;
    #[doc(hidden)]
    fn into_result(self) -> AppResult<Self::Value>;
}

impl<T: Serialize> Outcome<Plain> for T {
    type Value = T;

    fn into_result(self) -> AppResult<T> {
        Ok(self)
    }
}

impl<T: Serialize, E: Into<AppError>> Outcome<Fallible> for Result<T, E> {
    type Value = T;

    fn into_result(self) -> AppResult<T> {
        self.map_err(Into::into)
    }
}
