//! Accepts clients.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::access::{Admission, is_member};
use super::client_link;
use super::hub::Hub;
use super::stream::Stream;
use super::tasks;

/// The pause after a failed accept, so that a shortage of descriptors is no busy loop.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until it is aborted.
pub(super) async fn accept(hub: Rc<Hub>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => admit(&hub, stream),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a peer whose user may call the arbiter, and nobody else (SEC-2, SEC-9); the socket's mode says the same.
fn admit(hub: &Rc<Hub>, stream: UnixStream) {
    let peer = match stream.peer_cred() {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(%error, "refused a connection whose user is unknown (SEC-2)");
            return;
        }
    };
    let own = nix::unistd::geteuid().as_raw();
    let hub = Rc::clone(hub);
    match hub.config().access.admits(own, peer.uid(), peer.gid()) {
        Admission::Granted => {
            tasks::spawn(client_link::run(hub, Stream::Socket(stream)));
        }
        Admission::IfMemberOf(group) => {
            let uid = peer.uid();
            // A directory service may be slow: the others are not to wait for it.
            let lookup = tokio::task::spawn_blocking(move || is_member(uid, group));
            tasks::spawn(async move {
                if lookup.await.unwrap_or(false) {
                    client_link::run(hub, Stream::Socket(stream)).await;
                } else {
                    refused(uid);
                }
            });
        }
        Admission::Refused => refused(peer.uid()),
    }
}

fn refused(uid: u32) {
    tracing::warn!(uid, "refused a connection of another user (SEC-2)");
}
