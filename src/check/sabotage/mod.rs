//! Saboteurs: roles that break one rule each, so that it can be shown that the corpus notices.
//!
//! A saboteur is an honest role with a relay before it, on the way of all its frames, which drops, doubles, delays,
//! rewrites or closes. The reference implementation knows nothing of it: what a fault does, it does on the wire.
//! [`Saboteur::all`] lists them, [`Matrix`] says which transcripts catch which of them.

use crate::message::Role;

mod calls;
mod clients;
mod driver;
mod errors;
mod fault;
mod framing;
mod matrix;
mod messages;
mod relay;
mod streams;
mod timing;
mod values;

pub use driver::Sabotaged;
pub use matrix::{Catch, Claim, Matrix};
pub use relay::Relay;

use fault::{Fault, Line};

/// Both roles that answer.
const SERVERS: &[Role] = &[Role::Arbiter, Role::Worker];

const EVERYONE: &[Role] = &[Role::Client, Role::Arbiter, Role::Worker];

/// A way to break the protocol.
pub struct Saboteur {
    /// Its name, in lower case with hyphens.
    pub name: &'static str,
    /// The roles that can have this fault.
    pub roles: &'static [Role],
    /// What it does, one sentence.
    pub does: &'static str,
    /// The requirements that it breaks, by id.
    pub breaks: &'static [&'static str],
    make: fn() -> Box<dyn Fault>,
}

impl std::fmt::Debug for Saboteur {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Saboteur").field(&self.name).finish()
    }
}

/// There is no saboteur of that name for that role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no saboteur for the role {role}: expected one of {}", names(*role))]
pub struct UnknownSaboteur {
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
}

impl Saboteur {
    /// All of them, in the order of the specification.
    pub fn all() -> impl Iterator<Item = &'static Saboteur> {
        let groups = [
            framing::SABOTEURS,
            messages::SABOTEURS,
            calls::SABOTEURS,
            streams::SABOTEURS,
            errors::SABOTEURS,
            values::SABOTEURS,
            timing::SABOTEURS,
            clients::SABOTEURS,
        ];
        groups.into_iter().flatten()
    }

    /// Those that `role` can be.
    pub fn of(role: Role) -> impl Iterator<Item = &'static Saboteur> {
        Saboteur::all().filter(move |saboteur| saboteur.roles.contains(&role))
    }

    /// The saboteur of this name that `role` can be.
    ///
    /// # Errors
    /// [`UnknownSaboteur`], which lists those that there are.
    pub fn named(name: &str, role: Role) -> Result<&'static Saboteur, UnknownSaboteur> {
        let found = Saboteur::of(role).find(|saboteur| saboteur.name == name);
        found.ok_or_else(|| UnknownSaboteur { name: name.to_string(), role })
    }

    /// The fault, as it is at the start.
    fn fault(&self) -> Box<dyn Fault> {
        (self.make)()
    }
}

fn names(role: Role) -> String {
    Saboteur::of(role).map(|saboteur| saboteur.name).collect::<Vec<_>>().join(", ")
}
