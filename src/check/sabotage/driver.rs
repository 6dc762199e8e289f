//! Clients with a saboteur before them.

use std::path::Path;

use super::{Relay, Saboteur};
use crate::check::client::{ClientDriver, ClientUnderTest};
use crate::message::Role;

/// Drives the clients of another driver, each behind a relay.
#[derive(Debug)]
pub struct Sabotaged<D> {
    driver: D,
    saboteur: Option<&'static Saboteur>,
    name: String,
    /// As long as their clients are played with.
    relays: Vec<Relay>,
}

impl<D: ClientDriver> Sabotaged<D> {
    /// The clients of `driver` with this fault; without one, behind a relay that changes nothing.
    pub fn new(driver: D, saboteur: Option<&'static Saboteur>) -> Sabotaged<D> {
        let name = match saboteur {
            Some(saboteur) => format!("{} behind the saboteur {}", driver.name(), saboteur.name),
            None => format!("{} behind a relay", driver.name()),
        };
        Sabotaged { driver, saboteur, name, relays: Vec::new() }
    }
}

impl<D: ClientDriver> ClientDriver for Sabotaged<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn lacks(&self, feature: &str) -> bool {
        self.driver.lacks(feature)
    }

    fn open(&mut self, socket: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
        let before = socket.with_extension(format!("{}", self.relays.len()));
        let relay = Relay::start(self.saboteur, Role::Client, &before, socket)
            .map_err(|error| format!("failed to start a saboteur: {error}"))?;
        self.relays.push(relay);
        self.driver.open(&before)
    }
}
