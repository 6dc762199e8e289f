//! Accepts clients.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::client_link;
use super::hub::Hub;

/// The pause after a failed accept, so that a shortage of descriptors is no busy loop.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until it is aborted.
pub(super) async fn accept(hub: Rc<Hub>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_allowed(&stream) => {
                tokio::task::spawn_local(client_link::run(Rc::clone(&hub), stream));
            }
            Ok(_) => (),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Only the arbiter's own user and root may call it (SEC-2); the socket's mode says the same.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "refused a connection of another user (SEC-2)");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "refused a connection whose user is unknown (SEC-2)");
            false
        }
    }
}
