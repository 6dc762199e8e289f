//! An app with one action of every kind, and the means to hold actions where a test wants them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier, Mutex};

use dirty_arbiter::wire::Limits;
use dirty_arbiter::worker::{Actions, AnyValue, AppResult, Bytes, Call, DirtyApp, Host, WholeCall};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::peer::{Peer, Running};

/// A point at which actions wait until the test lets them go on.
#[derive(Clone)]
pub struct Gate {
    arrive: SyncSender<()>,
    arrived: Arc<Mutex<Receiver<()>>>,
    open: SyncSender<()>,
    opened: Arc<Mutex<Receiver<()>>>,
}

impl Default for Gate {
    fn default() -> Self {
        let ((arrive, arrived), (open, opened)) = (sync_channel(64), sync_channel(64));
        Gate { arrive, arrived: Arc::new(Mutex::new(arrived)), open, opened: Arc::new(Mutex::new(opened)) }
    }
}

impl Gate {
    /// For actions.
    pub fn pass(&self) {
        self.arrive.send(()).unwrap();
        self.opened.lock().unwrap().recv().unwrap();
    }

    /// Waits until an action has arrived.
    pub fn wait(&self) {
        self.arrived.lock().unwrap().recv_timeout(super::peer::PATIENCE).expect("an action arrives");
    }

    /// Lets an action pass.
    pub fn open(&self) {
        self.open.send(()).unwrap();
    }
}

#[derive(Clone, Default)]
pub struct Lab {
    pub gate: Gate,
    pub diary: Arc<Mutex<Vec<String>>>,
    pub name: String,
    pub meeting: Option<Arc<Barrier>>,
    pub kept: Arc<Mutex<Option<Call>>>,
}

#[derive(Deserialize, Serialize)]
struct Job {
    width: u32,
    #[serde(default)]
    data: Option<Bytes>,
    #[serde(default)]
    ratio: Option<f64>,
    #[serde(default)]
    kind: Option<Kind>,
}

#[derive(Deserialize, Serialize)]
enum Kind {
    Plain,
    Raw(Bytes),
    Pair(u8, Bytes),
    Named { big: u64 },
}

#[derive(Serialize)]
struct Nested {
    list: Vec<BTreeMap<&'static str, f64>>,
}

/// An error with serde and without `Display`, and one the other way round.
#[derive(Debug, thiserror::Error)]
#[error("the {0} is empty")]
struct Empty(&'static str);

struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

/// Serialises a part, and shrugs if that fails.
struct Shrugs;

impl Serialize for Shrugs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut seq = serializer.serialize_seq(None)?;
        let _ = seq.serialize_element(&f64::NAN);
        seq.end()
    }
}

impl DirtyApp for Lab {
    fn init(&mut self) -> AppResult<()> {
        self.note("init");
        match self.name.as_str() {
            "fails" => Err("no model file".into()),
            "panics" => panic!("model is a teapot"),
            "waits" => {
                self.gate.pass();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn actions(actions: &mut Actions<Self>) {
        actions
            .call("double", ["n"], |_: &Lab, n: u64| n * 2)
            .call("nothing", [], |_: &Lab| ())
            .call("borrowed", [], Self::borrowed)
            .call("optional", ["a", "b"], Self::optional)
            .call("job", ["job"], |_: &Lab, job: Job| job)
            .call("eight", ["a", "b", "c", "d", "e", "f", "g", "h"], Self::eight)
            .call("text", ["text"], |_: &Lab, text: String| text)
            .call("byte_list", ["bytes"], |_: &Lab, bytes: Vec<u8>| bytes.len())
            .call("integers", ["small", "wide"], |_: &Lab, small: u64, wide: i128| {
                (small.to_string(), wide.to_string())
            })
            .call("keep", ["value"], |_: &Lab, value: AnyValue<'static>| value)
            .call("keep_text", ["value"], |_: &Lab, value: Box<RawValue>| value)
            .call("wrap", ["value"], |_: &Lab, value: Box<RawValue>| [[value]])
            .call("fail", [], |_: &Lab| -> Result<u8, Empty> { Err(Empty("store")) })
            .call("fail_elsewhere", [], Self::fail_elsewhere)
            .call("panic", ["n"], |_: &Lab, n: u16| -> u8 { panic!("out of cheese: {n}") })
            .call("panic_plainly", [], |_: &Lab| -> u8 { panic!("out of cheese") })
            .call("panic_oddly", [], |_: &Lab| -> u8 { std::panic::panic_any(7) })
            .call("nested_nan", [], |_: &Lab| Nested {
                list: vec![[("a", 1.0)].into(), [("x/~y", f64::NAN)].into()],
            })
            .call("infinite", [], |_: &Lab| (1, [f32::INFINITY, f32::NEG_INFINITY]))
            .call("bytes", ["n"], |_: &Lab, n: usize| {
                ("text", Bytes(Vec::from_iter((0..n).map(|i| i as u8))))
            })
            .call("bad_key", [], |_: &Lab| BTreeMap::from([(vec![1], 1)]))
            .call("refuses", [], |_: &Lab| [Some(Refuses), None])
            .call("shrugs", [], |_: &Lab| Shrugs)
            .call("large", [], |_: &Lab| [(1u64 << 53) - 1, 1 << 53, u64::MAX])
            .call("text_of", ["n"], |_: &Lab, n: usize| "x".repeat(n))
            .call("fail_at_length", ["n"], |_: &Lab, n: usize| -> AppResult<()> { Err("x".repeat(n).into()) })
            .call("context", WholeCall, Self::context)
            .call("keep_call", WholeCall, Self::keep_call)
            .call("kept_is_over", [], Self::kept_is_over)
            .call("sum", WholeCall, Self::sum)
            .call("bind", WholeCall, Self::bind)
            .call("wait", [], |lab: &Lab| lab.gate.pass())
            .call("wait_and_fail", [], Self::wait_and_fail)
            .call("meet", [], Self::meet)
            .call("until_cancelled", WholeCall, Self::until_cancelled)
            .call("ignore_cancel", WholeCall, Self::ignore_cancel)
            .iter("count", ["n"], |_: &Lab, n: u64| 0..n)
            .iter("borrowed_each", [], Self::borrowed_each)
            .iter("gated", ["n"], Self::gated)
            .iter("fail_after", ["n"], Self::fail_after)
            .iter("panic_after", ["n"], |_: &Lab, n: u64| {
                (0..=n).inspect(move |i| assert!(*i < n, "no more"))
            })
            .iter("nan_after", ["n"], |_: &Lab, n: u32| {
                (0..=n).map(move |i| [f64::from(n) / f64::from(n - i)])
            })
            .call_async("later", ["text"], Self::later)
            .call_async("never", [], Self::never)
            .stream("stream", ["n"], |_: &Lab, n: u64| stream::iter(0..n))
            .stream("stream_never", [], Self::stream_never)
            .stream("stream_fail", ["n"], Self::stream_fail);
    }

    fn close(&mut self) {
        self.note("close");
        if self.name == "panics at the end" {
            panic!("still a teapot");
        }
    }
}

/// Says in the diary when it is dropped.
struct Witness(Arc<Mutex<Vec<String>>>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("dropped".to_owned());
    }
}

impl Lab {
    pub fn named(name: &str) -> Lab {
        Lab { name: name.to_owned(), ..Lab::default() }
    }

    pub fn meeting(people: usize) -> Lab {
        Lab { meeting: Some(Arc::new(Barrier::new(people))), ..Lab::default() }
    }

    pub fn note(&self, what: &str) {
        let note = if self.name.is_empty() { what.to_owned() } else { format!("{what} {}", self.name) };
        self.diary.lock().unwrap().push(note);
    }

    pub fn host(&self) -> Host {
        let lab = self.clone();
        Host::new().app("lab:Lab", move || lab)
    }

    /// A worker with this lab, and a connection to it.
    pub fn serve(&self) -> (Running, Peer) {
        self.serve_within(1, Limits::default())
    }

    pub fn serve_within(&self, threads: usize, limits: Limits) -> (Running, Peer) {
        let running = Running::start(self.host(), &["lab:Lab"], threads, limits);
        let peer = running.peer();
        (running, peer)
    }

    fn borrowed(&self) -> &str {
        &self.name
    }

    fn borrowed_each(&self) -> impl Iterator<Item = char> {
        self.name.chars()
    }

    fn optional(&self, a: u8, b: Option<String>) -> (u8, Option<String>) {
        (a, b)
    }

    #[allow(clippy::too_many_arguments)]
    fn eight(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> [u8; 8] {
        [a, b, c, d, e, f, g, h]
    }

    fn fail_elsewhere(&self) -> Result<u8, dirty_arbiter::DirtyError> {
        let error = dirty_arbiter::DirtyError::worker("the other worker died");
        Err(error.with_details(|details| details.signal = Some(9)))
    }

    fn context(&self, call: Call) -> (String, String, Option<String>, bool, Option<f64>) {
        let left = call.time_left().map(|left| left.as_secs_f64().ceil());
        (
            call.app_path().to_owned(),
            call.action().to_owned(),
            call.meta("traceparent"),
            call.accepts_hints(),
            left,
        )
    }

    fn keep_call(&self, call: Call) -> bool {
        let cancelled = call.is_cancelled();
        *self.kept.lock().unwrap() = Some(call);
        cancelled
    }

    fn kept_is_over(&self) -> bool {
        self.kept.lock().unwrap().as_ref().unwrap().is_cancelled()
    }

    fn sum(&self, call: Call) -> AppResult<f64> {
        let mut sum = 0.0;
        for value in call.args()?.iter().chain(call.kwargs()?.values()) {
            sum += value.read::<f64>()?;
        }
        Ok(sum)
    }

    fn bind(&self, call: Call) -> AppResult<(u8, Option<u8>)> {
        call.bind(["a", "b"])
    }

    fn wait_and_fail(&self) -> Result<u8, Empty> {
        self.gate.pass();
        Err(Empty("gate"))
    }

    fn meet(&self) -> usize {
        self.meeting.as_ref().map_or(0, |meeting| usize::from(meeting.wait().is_leader()))
    }

    fn until_cancelled(&self, call: Call) -> AppResult<()> {
        let _witness = Witness(Arc::clone(&self.diary));
        self.gate.pass();
        while !call.is_cancelled() {
            std::thread::yield_now();
        }
        Err("gave up".into())
    }

    fn ignore_cancel(&self, call: Call) -> bool {
        self.gate.pass();
        while !call.is_cancelled() {
            std::thread::yield_now();
        }
        true
    }

    fn gated(&self, n: u64) -> impl Iterator<Item = u64> {
        let witness = Witness(Arc::clone(&self.diary));
        (0..n).inspect(move |_| {
            let _ = &witness;
            self.gate.pass();
        })
    }

    fn fail_after(&self, n: u64) -> impl Iterator<Item = Result<u64, Empty>> {
        (0..n).map(Ok).chain(std::iter::once_with(|| Err(Empty("well"))))
    }

    async fn later(&self, text: String) -> AppResult<String> {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        if text.is_empty() { Err(Empty("text"))? } else { Ok(text) }
    }

    async fn never(&self) {
        let _witness = Witness(Arc::clone(&self.diary));
        self.gate.pass();
        std::future::pending().await
    }

    fn stream_never(&self) -> impl Stream<Item = u8> {
        let witness = Witness(Arc::clone(&self.diary));
        stream::iter([1]).chain(stream::pending()).inspect(move |_| {
            let _ = &witness;
        })
    }

    fn stream_fail(&self, n: u64) -> impl Stream<Item = Result<u64, Empty>> {
        stream::iter((0..n).map(Ok)).chain(stream::iter([Err(Empty("stream"))]))
    }
}
