//! One client's connection: reads its messages and feeds them to the core.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::answers;
use super::codec::{self, FromClient};
use super::core::{ConnId, Event};
use super::hub::Hub;
use super::intake::{Intake, detached};
use super::outbox::Outbox;
use super::reading::hang_up;
use super::stream::Stream;
use crate::DirtyError;
use crate::message::{DecodeError, ErrorMessage, RequestId, Role};
use crate::wire::{Codec, FrameDecoder, FrameError, Head, Limits};

/// How long input is still read and discarded after a bad frame, so that a client in the middle of a long write gets
/// to read why (FRAME-7).
const LINGER: Duration = Duration::from_secs(5);

/// How long a connection that is refused has to show which codec it speaks.
const FIRST_BYTES: Duration = Duration::from_millis(100);

/// Serves a client until it or the arbiter ends the connection.
pub(super) async fn run(hub: Rc<Hub>, stream: Stream) {
    let stream = Rc::new(stream);
    let outbox = Outbox::new(Rc::clone(&stream));
    if hub.clients.borrow().len() >= hub.config().max_connections {
        return refuse(&hub, &stream, &outbox).await;
    }
    let conn = hub.next_conn();
    hub.clients.borrow_mut().insert(conn, Rc::clone(&outbox));
    serve(&hub, conn, &stream, &outbox).await;
    // What it has not read by now it does not get.
    outbox.die();
    // Its place is taken until here: a connection that was given up is one as well (SEC-6).
    hub.clients.borrow_mut().remove(&conn);
}

async fn serve(hub: &Rc<Hub>, conn: ConnId, stream: &Rc<Stream>, outbox: &Rc<Outbox>) {
    hub.on(Event::Connected(conn));
    let mut intake = Intake::new(Rc::clone(stream), hub.config().limits, true, Rc::clone(&hub.buffers));
    match read_messages(hub, conn, outbox, &mut intake).await {
        End::Eof => {
            tracing::debug!(conn = conn.0, "a client sends nothing more");
            hub.feed(Event::HalfClosed(conn));
            // The connection lives on for the answers, as long as there is somebody to read them.
            tokio::select! {
                () = outbox.closed() => (),
                () = hang_up(stream) => outbox.die(),
            }
            hub.feed(Event::Disconnected(conn));
        }
        End::Gone => {
            outbox.die();
            hub.feed(Event::Disconnected(conn));
        }
        End::BadFrame(error) => {
            tracing::info!(conn = conn.0, %error, "closing a connection after a bad frame");
            hub.feed(Event::Disconnected(conn));
            let start = Bytes::copy_from_slice(start_of(&intake.decoder));
            drop(intake);
            close_after(&error, &start, stream, outbox).await;
        }
    }
}

/// The first bytes of what is in a decoder, for an error (FRAME-7).
pub(super) fn start_of(decoder: &FrameDecoder) -> &[u8] {
    let bytes = decoder.buffered();
    &bytes[..bytes.len().min(100)]
}

/// Says what was wrong with a frame that begins like this, and closes once that is read, or after a while (FRAME-7).
pub(super) async fn close_after(error: &FrameError, start: &[u8], stream: &Stream, outbox: &Rc<Outbox>) {
    let error = DirtyError::bad_frame(error, (!start.is_empty()).then_some(start));
    outbox.push(codec::error(outbox.codec(), None, error));
    outbox.close();
    let read = async {
        discard(stream).await;
        outbox.closed().await;
    };
    let _ = tokio::time::timeout(LINGER, read).await;
}

/// Why reading ended.
enum End {
    /// The client sends nothing more.
    Eof,
    /// The client is gone.
    Gone,
    /// What it sent has no meaning any more.
    BadFrame(FrameError),
}

async fn read_messages(hub: &Rc<Hub>, conn: ConnId, outbox: &Rc<Outbox>, intake: &mut Intake) -> End {
    loop {
        // A client that does not read its answers gets no more of them.
        outbox.below(hub.config().client_buffer).await;
        if outbox.is_dead() {
            return End::Gone;
        }
        let read = intake.read().await;
        let taken = match read {
            Ok(0) => intake.decoder.finish(),
            Ok(_) => take_messages(hub, conn, outbox, &mut intake.decoder),
            Err(_) => Ok(()),
        };
        hub.flush();
        intake.keep();
        match (read, taken) {
            (_, Err(error)) => return End::BadFrame(error),
            (Ok(0), Ok(())) => return End::Eof,
            (Err(_), Ok(())) => return End::Gone,
            (Ok(_), Ok(())) => (),
        }
    }
}

fn take_messages(
    hub: &Hub,
    conn: ConnId,
    outbox: &Outbox,
    decoder: &mut FrameDecoder,
) -> Result<(), FrameError> {
    // One byte may be the beginning of either codec.
    while decoder.buffered().len() > 1 {
        if !outbox.keeps_to(Codec::of(decoder.buffered())) {
            return Err(FrameError::OtherCodec);
        }
        let Some(length) = decoder.frame_at(0)?.map(<[u8]>::len) else { break };
        take_message(hub, conn, decoder.take(length), &decoder.limits())?;
    }
    Ok(())
}

fn take_message(hub: &Hub, conn: ConnId, frame: Bytes, limits: &Limits) -> Result<(), FrameError> {
    let frame = match codec::from_client(frame, limits) {
        Ok(frame) => frame,
        Err(FromClient::Frame(error)) => return Err(error),
        Err(FromClient::Value { id, error }) => {
            let in_flight = hub.is_in_flight(conn, &id);
            let id = RequestId::new(id).ok().filter(|_| !in_flight);
            hub.answer(conn, id, DirtyError::protocol("GD-11", error.to_string()));
            return Ok(());
        }
    };
    // The head borrows from a second handle on the frame's bytes, so that the frame itself can move on.
    let bytes = frame.clone();
    let head = match Head::read(bytes.payload(), limits).and_then(|head| head.sent_by(Role::Client)) {
        Ok(head) => head,
        Err(DecodeError::Frame(error)) => return Err(error),
        Err(DecodeError::Message(error)) => {
            tracing::debug!(conn = conn.0, %error, "refused a bad message");
            let in_flight = error.id.as_ref().is_some_and(|id| hub.is_in_flight(conn, id.as_str()));
            let ErrorMessage { id, error, .. } = answers::bad_message(error, in_flight);
            hub.answer(conn, id, DirtyError::from(error));
            return Ok(());
        }
    };
    match head {
        Head::Request { id, app_path, action, timeout } => {
            let (id, app_path, action) = (&id, &app_path, &action);
            // It may have to wait for a slot.
            let frame = detached(frame.into_bytes());
            hub.on(Event::Request { conn, id, app_path, action, timeout, frame });
        }
        Head::Cancel { id } => hub.on(Event::Cancel { conn, id: &id }),
        // `sent_by` lets nothing else through.
        Head::Response { .. } | Head::Chunk { .. } | Head::End { .. } | Head::Error { .. } => (),
    }
    Ok(())
}

/// Too many connections: says so and closes (SEC-6).
async fn refuse(hub: &Hub, stream: &Stream, outbox: &Rc<Outbox>) {
    let limit = hub.config().max_connections;
    tracing::warn!(limit, "refused a connection: too many are open");
    // Its first bytes say what it reads. Who connects usually has something to say.
    let mut start = BytesMut::with_capacity(64);
    let first_bytes = async {
        while stream.readable().await.is_ok() {
            match stream.try_read_buf(&mut start) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                _ => return,
            }
        }
    };
    let _ = tokio::time::timeout(FIRST_BYTES, first_bytes).await;
    outbox.push(codec::error(Codec::of(&start), None, answers::too_many_connections(limit)));
    outbox.close();
    outbox.closed().await;
}

async fn discard(stream: &Stream) {
    let mut sink = BytesMut::with_capacity(64 * 1024);
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        sink.clear();
        match stream.try_read_buf(&mut sink) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => (),
        }
    }
}
