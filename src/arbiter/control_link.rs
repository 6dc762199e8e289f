//! The control socket: accepts connections, reads their messages one after the other, and writes the answers.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::answers;
use super::client_link::{close_after, start_of};
use super::control::{self, Control};
use super::hub::Hub;
use super::listener::ACCEPT_PAUSE;
use super::outbox::Outbox;
use super::reading::read_some;
use super::stream::Stream;
use super::tasks;
use crate::control::{ControlRequest, LIMITS, MAX_CONNECTIONS, ManageMessage, Operation};
use crate::message::DecodeError;
use crate::wire::{Frame, FrameDecoder, FrameError, HEADER_LEN};

/// How long a client may take to read an answer.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// Accepts until it is dropped.
pub(super) async fn accept(hub: Rc<Hub>, control: Rc<Control>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_own_or_root(&stream) => {
                tasks::spawn(run(Rc::clone(&hub), Rc::clone(&control), stream));
            }
            Ok(_) => tracing::warn!("refused a control connection of another user (EXT-5)"),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a control connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whomever the call socket admits: the pool is changed by its owner only (EXT-5).
fn is_own_or_root(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn run(hub: Rc<Hub>, control: Rc<Control>, stream: UnixStream) {
    let stream = Rc::new(Stream::Socket(stream));
    let outbox = Outbox::new(Rc::clone(&stream));
    let Some(_place) = control.place(MAX_CONNECTIONS) else {
        tracing::warn!(limit = MAX_CONNECTIONS, "refused a control connection: too many are open (EXT-7)");
        outbox.push(answers::frame(None, answers::too_many_connections(MAX_CONNECTIONS)).into_bytes());
        outbox.close();
        return outbox.closed().await;
    };
    let mut link = ControlLink { hub, control, stream, outbox, decoder: FrameDecoder::new(LIMITS) };
    if let Err(Some(error)) = link.serve().await {
        close_after(&error, start_of(&link.decoder), &link.stream, &link.outbox).await;
    }
    // What it has not read by now it does not get.
    link.outbox.die();
}

/// One connection.
struct ControlLink {
    hub: Rc<Hub>,
    control: Rc<Control>,
    stream: Rc<Stream>,
    outbox: Rc<Outbox>,
    decoder: FrameDecoder,
}

/// The end of a connection: after a bad frame, or because its client is gone.
type End = Option<FrameError>;

impl ControlLink {
    async fn serve(&mut self) -> Result<(), End> {
        loop {
            let frame = self.next_frame().await?;
            let answer = match ControlRequest::decode(frame.payload(), &LIMITS) {
                Ok(request) => self.answer(request).await?,
                Err(DecodeError::Message(error)) => answers::to_frame(answers::bad_message(error, false)),
                Err(DecodeError::Frame(error)) => return Err(Some(error)),
            };
            self.outbox.push(answer.into_bytes());
            self.outbox.flush();
            let written = tokio::time::timeout(READ_PATIENCE, self.outbox.written()).await;
            if written.is_err() || self.outbox.is_dead() {
                return Err(None);
            }
        }
    }

    async fn next_frame(&mut self) -> Result<Frame, End> {
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(Some)? {
                return Ok(frame);
            }
            match read_some(&self.stream, &mut self.decoder).await {
                Ok(0) => return Err(self.decoder.finish().err()),
                Ok(_) => (),
                Err(_) => return Err(None),
            }
        }
    }

    async fn answer(&mut self, request: ControlRequest) -> Result<Frame, End> {
        let answer = match request {
            ControlRequest::Status(message) => answers::result(message.id, &self.control.status(&self.hub)),
            ControlRequest::Manage(message) => return self.manage(message).await,
        };
        // Only something that cannot be written as JSON is no answer, and no status is.
        answer.ok_or(None)
    }

    async fn manage(&mut self, message: ManageMessage) -> Result<Frame, End> {
        let ManageMessage { id, op, count, wait } = message;
        let result = match op {
            Operation::Add | Operation::Remove | Operation::Scale => {
                control::scale(&self.hub, op, count.unwrap_or(1))
            }
            Operation::Reload => match control::reload(&self.hub) {
                Ok(begun) if wait => {
                    let outcome = tokio::select! {
                        outcome = begun.end => outcome,
                        () = left(&self.stream, &mut self.decoder) => return Err(None),
                    };
                    // The arbiter ends before it forgets who waits.
                    control::reloaded(&self.hub, outcome.map_err(|_| None)?)
                }
                Ok(begun) => begun.result,
                Err(refused) => refused,
            },
            Operation::Drain => {
                let _waiter = wait.then(|| self.control.wait_for_end(&self.stream, id.clone()));
                let begun = self.control.drain(&self.hub);
                if wait {
                    // The answer is written when nothing of the arbiter is left, this task included.
                    left(&self.stream, &mut self.decoder).await;
                    return Err(None);
                }
                begun
            }
        };
        answers::result(id, &result).ok_or(None)
    }
}

/// Waits until the client sends nothing more: then it has given up waiting. What it sends meanwhile is kept, up to one
/// message.
async fn left(stream: &Stream, decoder: &mut FrameDecoder) {
    while decoder.buffered().len() < HEADER_LEN + LIMITS.max_payload as usize {
        if !matches!(read_some(stream, decoder).await, Ok(1..)) {
            return;
        }
    }
    std::future::pending().await
}
