//! The stage on which a client that is a program is judged.

use std::ffi::OsString;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::line::Hello;
use super::program::Program;
use crate::check::client::replay_listening;
use crate::check::failure::Problem;
use crate::check::replay::{Options, Outcome};
use crate::check::run::{Stage, command_line};
use crate::check::sabotage::{Relay, Saboteur};
use crate::check::subject::{SubjectError, private_directory};
use crate::check::trace::What;
use crate::check::transcript::Transcript;
use crate::message::Role;

/// The name of the socket in the private directory of an adapter.
const SOCKET: &str = "arbiter.sock";

/// The name of the kit's own socket there, when a saboteur listens at that one.
const BEHIND: &str = "kit.sock";

/// A client that is driven by an adapter program, started once for each transcript.
#[derive(Debug)]
pub struct ClientStage {
    command: Vec<OsString>,
    /// The arguments of `dirty check client` that name the subject.
    again: String,
    hello_within: Duration,
    hello: Hello,
    saboteur: Option<&'static Saboteur>,
}

impl ClientStage {
    /// Starts the adapter once to learn who it drives and what that lacks. `hello_within` is how long it may take to
    /// say so. `shown` is the command as it stands in the command that plays a transcript again; nothing when it is
    /// the kit's own.
    ///
    /// # Errors
    /// [`SubjectError`] when the adapter cannot be run or says no `hello`.
    pub fn new(
        command: Vec<OsString>,
        shown: Option<&[OsString]>,
        hello_within: Duration,
    ) -> Result<ClientStage, SubjectError> {
        let again = shown.map_or_else(String::new, |words| format!(" -- {}", command_line(words)));
        let Started { mut program, .. } = Started::new(&command, hello_within, None)?;
        program.end();
        let hello = program.hello.clone();
        Ok(ClientStage { command, again, hello_within, hello, saboteur: None })
    }

    /// The same with a saboteur between the client and the kit: what is judged then breaks a rule on purpose.
    #[must_use]
    pub fn sabotaged_by(self, saboteur: &'static Saboteur) -> ClientStage {
        ClientStage { saboteur: Some(saboteur), ..self }
    }
}

/// An adapter that has said hello, and where its clients connect.
struct Started {
    program: Program,
    listener: UnixListener,
    _relay: Option<Relay>,
}

impl Started {
    fn new(
        command: &[OsString],
        hello_within: Duration,
        saboteur: Option<&'static Saboteur>,
    ) -> Result<Started, SubjectError> {
        let directory = private_directory()?;
        let failed = |action| move |source| SubjectError::System { action, source };
        let socket = directory.path().join(SOCKET);
        let behind = saboteur.map_or_else(|| socket.clone(), |_| directory.path().join(BEHIND));
        let listener = UnixListener::bind(&behind).map_err(failed("listen on a socket"))?;
        let relay = saboteur.map(|it| Relay::start(Some(it), Role::Client, &socket, &behind)).transpose();
        let relay = relay.map_err(failed("start a saboteur"))?;
        let program = Program::start(command, directory, SOCKET, hello_within)?;
        Ok(Started { program, listener, _relay: relay })
    }
}

impl Stage for ClientStage {
    fn role(&self) -> Role {
        Role::Client
    }

    fn describe(&self) -> String {
        let client = format!("{} {}", self.hello.name, self.hello.version);
        match self.saboteur {
            Some(saboteur) => format!("{client} behind the saboteur {}", saboteur.name),
            None => client,
        }
    }

    fn again(&self, id: &str) -> String {
        let sabotage = self.saboteur.map(|saboteur| format!(" --sabotage {}", saboteur.name));
        format!("dirty check client --only {id}{}{}", sabotage.unwrap_or_default(), self.again)
    }

    fn lacks(&self, feature: &str) -> bool {
        self.hello.lacks.iter().any(|lacked| lacked == feature)
    }

    fn play(&mut self, transcript: &Transcript, options: &Options) -> Result<Outcome, SubjectError> {
        let Started { mut program, listener, _relay } =
            Started::new(&self.command, self.hello_within, self.saboteur)?;
        let failed = |source| SubjectError::System { action: "make what a replay needs", source };
        let played = replay_listening(transcript, &mut program, listener, options).map_err(failed);
        let mut outcome = match played {
            Ok(outcome) => outcome,
            Err(error) => {
                program.end();
                return Err(error);
            }
        };
        if let Some(failure) = &mut outcome.failure
            && let Problem::AdapterEnded { status, said } = &mut failure.problem
        {
            *status = program.ended();
            *said = program.last_words();
        }
        program.end();
        let words = program.last_words();
        if outcome.failure.is_some() && !words.is_empty() {
            let what = What::Note(format!("the last that the adapter wrote on standard error: {words}"));
            outcome.trace.add("", Role::Client, true, None, what);
        }
        Ok(outcome)
    }
}
