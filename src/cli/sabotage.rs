//! `dirty sabotage`: the saboteurs that there are; and what the commands share that have one.

use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::exit::Exit;
use crate::check::sabotage::{Relay, Saboteur};
use crate::check::transcript::role_named;
use crate::message::Role;

/// Show the ways in which the reference roles can break the protocol on purpose.
#[derive(Args)]
pub(super) struct SabotageArgs {
    #[command(subcommand)]
    command: SabotageCommand,
}

#[derive(Subcommand)]
enum SabotageCommand {
    /// List the saboteurs: name, roles, what each does, and the requirements that it breaks.
    ///
    /// `dirty serve --sabotage NAME` runs one for a client to be tested against, `dirty worker --sabotage NAME` is one as
    /// a worker command, and `dirty check arbiter --sabotage NAME` shows how the transcripts catch it.
    List {
        /// Only those of this role: client, arbiter or worker.
        #[arg(long, value_name = "ROLE", value_parser = role_named)]
        role: Option<Role>,
    },
}

pub(super) fn run(args: SabotageArgs) -> ExitCode {
    let SabotageCommand::List { role } = args.command;
    let mut out = io::stdout().lock();
    for saboteur in Saboteur::all().filter(|it| role.is_none_or(|role| it.roles.contains(&role))) {
        let roles: Vec<&str> = saboteur.roles.iter().map(|role| role.as_str()).collect();
        let (name, does) = (saboteur.name, saboteur.does);
        let (roles, breaks) = (roles.join(", "), saboteur.breaks.join(", "));
        // Whoever reads this may stop reading.
        let _ = writeln!(out, "{name} ({roles})\n    {does}\n    breaks {breaks}");
    }
    Exit::Ok.into()
}

/// The saboteur of this name that an arbiter can be.
pub(super) fn arbiter(name: &str) -> Result<&'static Saboteur, String> {
    Saboteur::named(name, Role::Arbiter).map_err(|error| error.to_string())
}

/// The saboteur of this name that a worker can be.
pub(super) fn worker(name: &str) -> Result<&'static Saboteur, String> {
    Saboteur::named(name, Role::Worker).map_err(|error| error.to_string())
}

/// The saboteur of this name that a client can be.
pub(super) fn client(name: &str) -> Result<&'static Saboteur, String> {
    Saboteur::named(name, Role::Client).map_err(|error| error.to_string())
}

/// The two sockets of a role with a saboteur before it, and the directory of the honest one.
pub(super) struct Place {
    saboteur: &'static Saboteur,
    public: PathBuf,
    honest: PathBuf,
    directory: tempfile::TempDir,
}

impl Place {
    /// Sends the honest role, which was to listen on `socket`, to a private socket.
    pub(super) fn take(saboteur: &'static Saboteur, socket: &mut PathBuf) -> io::Result<Place> {
        let directory = tempfile::Builder::new().prefix("dirty-").tempdir()?;
        let honest = directory.path().join("d.sock");
        let public = std::mem::replace(socket, honest.clone());
        Ok(Place { saboteur, public, honest, directory })
    }

    /// Listens on the public socket, for the honest role that listens on the private one.
    pub(super) fn relay(self, role: Role) -> io::Result<Sabotage> {
        if let Some(directory) = self.public.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        // As the arbiter does: a file on which nobody listens is in the way (SEC-4).
        if UnixStream::connect(&self.public)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            std::fs::remove_file(&self.public)?;
        }
        let relay = Relay::start(Some(self.saboteur), role, &self.public, &self.honest)?;
        tracing::warn!("sabotage: this {role} is {}: {}", self.saboteur.name, self.saboteur.does);
        Ok(Sabotage { relay, _directory: self.directory })
    }
}

/// A saboteur at work, until it is dropped.
pub(super) struct Sabotage {
    relay: Relay,
    _directory: tempfile::TempDir,
}

impl Sabotage {
    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        self.relay.socket()
    }
}
