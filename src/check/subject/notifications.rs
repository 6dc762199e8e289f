//! The notifications of a worker under test, read for as long as it lives.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// The socket that a worker notifies. An arbiter reads it to the end: were it closed or left to fill up, a worker that
/// shows that it is alive would fail or block.
#[derive(Debug)]
pub(super) struct Notifications(UnixDatagram);

impl Notifications {
    pub fn bind(path: &Path) -> io::Result<Notifications> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(Notifications(socket))
    }

    /// Whether the worker has said READY by now; waits a moment.
    pub fn is_ready(&self) -> io::Result<bool> {
        let mut datagram = [0; 4096];
        match self.0.recv(&mut datagram) {
            Ok(got) => Ok(datagram[..got].split(|byte| *byte == b'\n').any(|line| line == b"READY=1")),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads and forgets what comes from here on, on a thread that ends with this value.
    pub fn drain(&self) -> io::Result<()> {
        let socket = self.0.try_clone()?;
        socket.set_read_timeout(None)?;
        std::thread::spawn(move || {
            // Nothing is read once the socket is shut down; a worker sends no empty datagrams.
            while !matches!(socket.recv(&mut [0; 64]), Ok(0)) {}
        });
        Ok(())
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
