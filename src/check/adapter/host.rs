//! The other end of the contract: an adapter for the clients of this crate.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, mpsc};

use super::line::{Event, Hello, What, read_call};
use crate::check::client::{CallEvents, ClientDriver, ClientUnderTest, Report};
use crate::check::transcript::CLIENT_FEATURES;

/// Serves the contract on these two streams, with clients that `driver` makes, until the input ends.
///
/// # Errors
/// Why it could not go on: a line that breaks the contract, or a stream that failed.
pub fn serve(
    driver: &mut dyn ClientDriver,
    socket: &Path,
    input: impl BufRead,
    mut output: impl Write + Send + 'static,
) -> io::Result<()> {
    let lacks = CLIENT_FEATURES.into_iter().filter(|feature| driver.lacks(feature)).map(str::to_string);
    let version = env!("CARGO_PKG_VERSION").to_string();
    let hello = Hello { name: driver.name().to_string(), version, lacks: lacks.collect() };
    writeln!(output, "{}", hello.text()).and_then(|()| output.flush())?;
    let (sender, reports) = mpsc::channel::<(u64, Report)>();
    // Ends with the last call, or with the process.
    std::thread::spawn(move || {
        for (call, report) in reports {
            let Report::Seen(event, hints) = report else { continue };
            let line = Event { call, what: What::Seen(event, hints) }.text();
            if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
                return;
            }
        }
    });
    // Nobody waits here for what it wakes.
    let (wake, _asleep) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    let wake = Arc::new(wake);
    let failed = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
    let mut clients: BTreeMap<String, Box<dyn ClientUnderTest>> = BTreeMap::new();
    for line in input.lines() {
        let (number, label, call) = read_call(line?.as_bytes()).map_err(failed)?;
        if !clients.contains_key(&label) {
            clients.insert(label.clone(), driver.open(socket).map_err(failed)?);
        }
        if let Some(client) = clients.get_mut(&label) {
            let events = CallEvents::new(number, sender.clone(), Arc::clone(&wake));
            client.start(&call, events).map_err(failed)?;
        }
    }
    Ok(())
}
