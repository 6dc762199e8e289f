//! Judging a client without an adapter: a person makes the calls, and the kit judges what the client sends.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::check::client::{CallEvents, ClientDriver, ClientUnderTest, describe_call, replay_listening};
use crate::check::replay::{Options, Outcome};
use crate::check::run::Stage;
use crate::check::subject::{SubjectError, remove_at_exit};
use crate::check::transcript::{ApiCall, Transcript};
use crate::message::Role;

/// Bounds are multiplied by this: nobody types as fast as a program. 5 s become 58 days.
const NO_BOUND: f64 = 1e6;

/// A client whose calls a person makes. What its caller should see is shown and not judged.
pub struct ByHandStage<'a> {
    socket: PathBuf,
    show: &'a mut dyn FnMut(&str),
}

impl<'a> ByHandStage<'a> {
    /// Listens at `socket`, where nothing may be yet. `show` gets what to do, line by line.
    pub fn new(socket: PathBuf, show: &'a mut dyn FnMut(&str)) -> ByHandStage<'a> {
        ByHandStage { socket, show }
    }
}

impl Drop for ByHandStage<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Stage for ByHandStage<'_> {
    fn role(&self) -> Role {
        Role::Client
    }

    fn describe(&self) -> String {
        "a client driven by hand".to_string()
    }

    fn again(&self, id: &str) -> String {
        format!("dirty check client --listen {} --only {id}", self.socket.display())
    }

    fn play(&mut self, transcript: &Transcript, options: &Options) -> Result<Outcome, SubjectError> {
        let failed = |source| SubjectError::System { action: "listen on the socket", source };
        let listener = UnixListener::bind(&self.socket).map_err(failed)?;
        remove_at_exit(&self.socket);
        (self.show)(&format!("\n{}: {}", transcript.id, transcript.title));
        (self.show)(&format!("  listening on {}", self.socket.display()));
        let options = Options { time_scale: options.time_scale * NO_BOUND, ..*options };
        let mut driver = ByHand(&mut *self.show);
        let played = replay_listening(transcript, &mut driver, listener, &options).map_err(failed);
        // The next transcript gets a socket of its own: who still waits for this one is not its client.
        let _ = std::fs::remove_file(&self.socket);
        played
    }
}

struct ByHand<'a>(&'a mut dyn FnMut(&str));

impl ClientDriver for ByHand<'_> {
    fn name(&self) -> &str {
        "a client driven by hand"
    }

    fn open(&mut self, _: &Path) -> Result<Box<dyn ClientUnderTest>, String> {
        Ok(Box::new(Hand))
    }

    fn told(&mut self, on: &str, call: &ApiCall) {
        let left = call.take.map(|take| format!(", and leave the stream after {take}")).unwrap_or_default();
        let limit = call
            .timeout
            .map(|limit| format!(", and wait {} s at most", limit.as_secs_f64()))
            .unwrap_or_default();
        (self.0)(&format!("  with client {on}, call {}{limit}{left}", describe_call(call)));
    }

    fn shows(&mut self, on: &str, wanted: &str) -> bool {
        (self.0)(&format!("  the caller of {on} now sees {wanted}"));
        true
    }
}

struct Hand;

impl ClientUnderTest for Hand {
    fn start(&mut self, _: &ApiCall, _: CallEvents) -> Result<(), String> {
        Ok(())
    }
}
