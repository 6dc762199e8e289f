//! A running adapter: the process, and the threads that read from it and write to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use super::line::{Event, Hello, What, call_line};
use crate::check::client::{CallEvents, ClientDriver, ClientEvent, ClientUnderTest};
use crate::check::failure::Problem;
use crate::check::subject::{Process, SubjectError, without_settings};
use crate::check::transcript::ApiCall;
use crate::check::value::excerpt;

/// How long a line may be, in bytes.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// How many lines an adapter may write in one transcript.
const MOST_LINES: u64 = 10_000;

/// How much of a line is shown, in bytes.
const SHOWN: usize = 200;

/// How long an adapter may take to end when its standard input has ended.
const FAREWELL: Duration = Duration::from_secs(1);

const EXPECTED: &str = "the line {\"hello\": {…}} on its standard output (golden/adapters.md)";

/// An adapter that has said `hello`.
pub(super) struct Program {
    pub(super) hello: Hello,
    process: Process,
    /// Lines for its standard input, which ends with this.
    lines: Option<mpsc::Sender<String>>,
    calls: Arc<Mutex<Calls>>,
    /// How many clients it has been told to make.
    clients: u64,
}

/// Where the reading thread reports what it reads.
#[derive(Default)]
struct Calls {
    /// By number; nothing for a call that has had its last event.
    open: BTreeMap<u64, Option<CallEvents>>,
    /// For what belongs to no call.
    session: Option<CallEvents>,
    /// What was wrong before there was a session to report it to.
    early: Option<Problem>,
}

fn lock(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Program {
    /// Starts an adapter, with `directory` as its private one, in which the socket `name` is there already, and waits
    /// for its `hello`.
    pub(super) fn start(
        command: &[OsString],
        directory: TempDir,
        name: &str,
        hello_within: Duration,
    ) -> Result<Program, SubjectError> {
        let socket = directory.path().join(name);
        let Some((program, arguments)) = command.split_first() else {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "an empty command");
            return Err(SubjectError::Spawn { program: String::new(), source });
        };
        let mut command = Command::new(program);
        command.args(arguments);
        without_settings(&mut command);
        command.env("DIRTY_SOCKET", &socket);
        let mut process = Process::start(command, directory, true)?;
        // Both were asked for.
        let (Some(stdin), Some(stdout)) = (process.stdin(), process.stdout.take()) else {
            return Err(process.ended(EXPECTED));
        };
        let (lines, to_write) = mpsc::channel();
        std::thread::spawn(move || write_lines(stdin, &to_write));
        let calls = Arc::new(Mutex::new(Calls::default()));
        let (greeted, greeting) = mpsc::channel();
        let reported = Arc::clone(&calls);
        std::thread::spawn(move || read_lines(stdout, &greeted, &reported));
        let hello = match greeting.recv_timeout(hello_within) {
            Ok(Ok(hello)) => hello,
            Ok(Err(line)) => return Err(process.odd(line, EXPECTED)),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(process.ended(EXPECTED)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let error = process.slow(hello_within, EXPECTED);
                return Err(error);
            }
        };
        Ok(Program { hello, process, lines: Some(lines), calls, clients: 0 })
    }

    /// Ends its standard input, gives it a moment to end, and kills what is left of its group.
    pub(super) fn end(&mut self) {
        self.lines = None;
        self.process.end_within(FAREWELL);
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.process.status_within(FAREWELL)
    }

    /// The last of what it wrote on standard error.
    pub(super) fn last_words(&self) -> String {
        self.process.last_words()
    }
}

fn write_lines(mut stdin: ChildStdin, lines: &mpsc::Receiver<String>) {
    for line in lines {
        // One that does not listen any more is found out by what it does not do.
        if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(stdout: ChildStdout, greeted: &mpsc::Sender<Result<Hello, String>>, calls: &Mutex<Calls>) {
    let mut stdout = BufReader::new(stdout);
    let mut count = 0;
    let problem = loop {
        let mut line = Vec::new();
        let got = (&mut stdout).take(LONGEST_LINE).read_until(b'\n', &mut line);
        if line.is_empty() || got.is_err() {
            // A greeting that did not come is told from one that did by the end of its channel.
            break Problem::AdapterEnded { status: None, said: String::new() };
        }
        let text = excerpt(String::from_utf8_lossy(&line).trim_end(), SHOWN);
        let wrong = |problem: String| Problem::BadLine { line: text.clone(), problem };
        if line.len() as u64 >= LONGEST_LINE && !line.ends_with(b"\n") {
            break wrong(format!("longer than {LONGEST_LINE} bytes"));
        }
        count += 1;
        if count > MOST_LINES {
            break Problem::Flood { lines: MOST_LINES };
        }
        if count == 1 {
            let hello = Hello::read(&line);
            let failed = hello.is_err();
            let _ = greeted.send(hello.map_err(|problem| format!("{text} ({problem})")));
            if failed {
                return;
            }
            continue;
        }
        match Event::read(&line).and_then(|event| report(&mut lock(calls), event)) {
            Ok(None) => {}
            Ok(Some(unsupported)) => break Problem::Unsupported(unsupported),
            Err(problem) => break wrong(problem),
        }
    };
    let mut calls = lock(calls);
    match &calls.session {
        Some(session) => session.fault(problem),
        None => calls.early = Some(problem),
    }
    // What else it writes stays in the pipe until it is killed.
}

/// Passes an event on; gives the feature that the client turns out to lack.
fn report(calls: &mut Calls, event: Event) -> Result<Option<String>, String> {
    let Event { call, what } = event;
    let Some(open) = calls.open.get_mut(&call) else {
        return Err(format!("no call has the number {call}"));
    };
    let Some(events) = open else {
        return Err(format!("call {call} has had its last event"));
    };
    match what {
        What::Unsupported(feature) => return Ok(Some(feature)),
        What::Seen(seen, hints) => {
            let last = !matches!(seen, ClientEvent::Yields(_));
            events.report_hinted(seen, hints);
            if last {
                *open = None;
            }
        }
    }
    Ok(None)
}

impl ClientDriver for Program {
    fn name(&self) -> &str {
        &self.hello.name
    }

    fn lacks(&self, feature: &str) -> bool {
        self.hello.lacks.iter().any(|lacked| lacked == feature)
    }

    fn attach(&mut self, session: CallEvents) {
        let mut calls = lock(&self.calls);
        if let Some(problem) = calls.early.take() {
            session.fault(problem);
        }
        calls.session = Some(session);
    }

    fn open(&mut self, _: &std::path::Path) -> Result<Box<dyn ClientUnderTest>, String> {
        let Some(lines) = &self.lines else { return Err("its standard input has ended".to_string()) };
        self.clients += 1;
        let label = format!("c{}", self.clients);
        Ok(Box::new(Client { label, lines: lines.clone(), calls: Arc::clone(&self.calls) }))
    }
}

/// One client object inside the adapter.
struct Client {
    label: String,
    lines: mpsc::Sender<String>,
    calls: Arc<Mutex<Calls>>,
}

impl ClientUnderTest for Client {
    fn start(&mut self, call: &ApiCall, events: CallEvents) -> Result<(), String> {
        let line = call_line(events.call(), &self.label, call);
        lock(&self.calls).open.insert(events.call(), Some(events));
        // An adapter that has ended reports that itself.
        let _ = self.lines.send(line + "\n");
        Ok(())
    }
}
