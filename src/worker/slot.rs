//! One slot: a connection from the arbiter, on which one request is served after the other (WORK-3).

use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::encode::Encoder;
use super::exchange::{Desk, Exchange};
use super::failure::Failure;
use super::host::Apps;
use super::inbox::{Broken, Link};
use super::service::Control;
use super::setup::Setup;
use crate::DirtyError;
use crate::message::{DecodeError, DirtyMessage, ErrorMessage, RequestMessage};
use crate::wire::{Frame, Limits};

/// Serves connections, one after the other, in a thread of its own: read, run, write.
pub(super) struct Slot {
    number: usize,
    apps: Arc<Apps>,
    control: Arc<Control>,
    limits: Limits,
    timeout: Option<Duration>,
}

impl Slot {
    pub(super) fn new(number: usize, apps: Arc<Apps>, control: Arc<Control>, setup: &Setup) -> Self {
        Slot { number, apps, control, limits: setup.limits, timeout: setup.timeout }
    }

    /// Serves one connection to its end.
    pub(super) fn serve(&mut self, stream: UnixStream) {
        let slot = self.number + 1;
        let served = self.connect(stream).map_err(Broken::from).and_then(|(link, mut desk)| {
            while let Some(frame) = link.next_frame()? {
                self.answer(&frame, &link, &mut desk)?;
            }
            Ok(())
        });
        self.control.disconnected(self.number);
        match served {
            Ok(()) => {}
            // A reader that is out of step cannot be told anything sensible: the end of the connection is the
            // answer (FRAME-12).
            Err(Broken::Frame(error)) => {
                tracing::warn!(
                    slot,
                    requirement = error.requirement(),
                    "closed the connection on a bad frame: {error}"
                );
            }
            Err(Broken::Io(error)) => tracing::warn!(slot, %error, "lost the connection"),
        }
    }

    fn connect(&self, stream: UnixStream) -> io::Result<(Arc<Link>, Desk)> {
        self.control.connected(self.number, stream.try_clone()?);
        let desk = Desk::new(stream.try_clone()?, Encoder::new(self.limits));
        Ok((Link::new(stream, self.limits), desk))
    }

    /// Answers one message. An error of the connection is returned, an error of the message is answered (MSG-5).
    fn answer(&self, frame: &Frame, link: &Arc<Link>, desk: &mut Desk) -> Result<(), Broken> {
        match DirtyMessage::decode(frame.payload(), &self.limits) {
            Ok(DirtyMessage::Request(request)) => Ok(self.run(request, link, desk)?),
            // Nothing runs: the request it is for has ended (CANCEL-2).
            Ok(DirtyMessage::Cancel(_)) => Ok(()),
            Ok(reply) => Ok(self.send(desk, misdirected(&reply))?),
            Err(DecodeError::Message(error)) => Ok(self.send(desk, ErrorMessage::from(&error))?),
            Err(DecodeError::Frame(error)) => Err(error.into()),
        }
    }

    /// Runs a request to its one terminal message (CALL-1).
    fn run(&self, request: RequestMessage, link: &Arc<Link>, desk: &mut Desk) -> io::Result<()> {
        let request = Arc::new(request);
        let number = link.begin(request.id.as_str());
        self.control.began(self.number, Arc::clone(&request));
        let call = Call::new(Arc::clone(&request), Arc::clone(link), number, self.timeout);
        let ended = catch_unwind(AssertUnwindSafe(|| match self.apps.get(request.app_path.as_str()) {
            Some(app) => app.run(Exchange::new(desk, call)),
            None => Err(Failure::UnknownApp(request.app_path.clone())),
        }));
        let ended = match ended {
            // Whatever it gives as its reason: it knew of the cancel, and stopped (CANCEL-4).
            Ok(Err(Failure::App(_))) if link.was_cancelled(number) => Err(Failure::Cancelled),
            Ok(ended) => ended,
            Err(panic) => Err(Failure::panic(panic)),
        };
        link.finish();
        let answered = match ended {
            Ok(()) => Ok(()),
            Err(Failure::Gone(error)) => Err(error),
            Err(failure) => self.fail(&request, failure, desk),
        };
        self.control.ended(self.number);
        answered
    }

    /// Ends a request with an error that names the app and the action (CALL-7, STREAM-8).
    fn fail(&self, request: &RequestMessage, failure: Failure, desk: &mut Desk) -> io::Result<()> {
        let error =
            failure.into_error().with_app_path(request.app_path.clone()).with_action(request.action.clone());
        tracing::info!(
            slot = self.number + 1,
            app = %request.app_path,
            action = %request.action,
            id = %request.id,
            error_type = %error.error_type(),
            "a call failed"
        );
        self.send(desk, error.into_message(Some(request.id.clone())))
    }

    fn send(&self, desk: &mut Desk, message: ErrorMessage) -> io::Result<()> {
        let (id, details) = (message.id.clone(), message.error.details.clone());
        let frame = match DirtyMessage::from(message).to_frame(&self.limits) {
            Ok(frame) => frame,
            Err(error) => {
                let error = DirtyError::app(format!("failed, with a text that cannot be sent: {error}"));
                let error = error.with_details(|kept| {
                    kept.app_path = details.app_path;
                    kept.action = details.action;
                });
                DirtyMessage::from(error.into_message(id)).to_frame(&self.limits).map_err(io::Error::other)?
            }
        };
        desk.write(frame.as_bytes())
    }
}

/// The answer to a message that only goes the other way (MSG-11).
fn misdirected(reply: &DirtyMessage) -> ErrorMessage {
    let text = format!(
        "bad message at /type: a {} message may not be sent to a worker (MSG-11)",
        reply.message_type()
    );
    let error = DirtyError::protocol("MSG-11", text);
    error
        .with_details(|details| details.pointer = Some("/type".to_owned()))
        .into_message(reply.request_id().cloned())
}
