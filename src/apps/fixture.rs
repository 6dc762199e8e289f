//! The fixture app, by which arbiters and worker hosts are judged.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use crate::worker::{Actions, AnyValue, AppError, AppResult, Bytes, Call, DirtyApp, WholeCall};

/// `fixture:App`, which every host that wants to be judged provides, in any language (WORK-9).
///
/// | action | what it does |
/// |---|---|
/// | `echo(*args, **kwargs)` | returns `{"args": […], "kwargs": {…}}` |
/// | `fail(message)` | raises an error whose text is `message` |
/// | `sleep(seconds, tag)` | waits, then returns `tag` |
/// | `count(n)` | streams 0 to n − 1 |
/// | `count_async(n)` | the same from an asynchronous generator |
/// | `count_then_fail(n)` | streams 0 to n − 1, then raises an error whose text is `boom` |
/// | `empty()` | streams nothing |
/// | `slow_count(n, seconds)` | streams 0 to n − 1, the first at once, with a pause before each of the others |
/// | `blob(n)` | returns n zero bytes, as bytes |
/// | `nan()` | returns the float NaN |
/// | `big(n)` | returns a string of n times `x` |
/// | `incr(key)` | adds one to a counter of this worker, 0 at first, and returns it |
/// | `whoami()` | returns `{"worker_id": …, "pid": …}`; a coroutine where the language has them |
/// | `die(code)` | ends the process at once with this exit code |
/// | `hang()` | never returns, and ignores `cancel` |
#[derive(Debug, Default)]
pub struct Fixture {
    counters: Mutex<HashMap<String, u64>>,
}

impl DirtyApp for Fixture {
    fn actions(actions: &mut Actions<Self>) {
        actions
            .call("echo", WholeCall, Self::echo)
            .call("fail", ["message"], Self::fail)
            .call_async("sleep", ["seconds", "tag"], Self::sleep)
            .iter("count", ["n"], Self::count)
            .stream("count_async", ["n"], Self::count_async)
            .iter("count_then_fail", ["n"], Self::count_then_fail)
            .iter("empty", [], Self::empty)
            .stream("slow_count", ["n", "seconds"], Self::slow_count)
            .call("blob", ["n"], Self::blob)
            .call("nan", [], Self::nan)
            .call("big", ["n"], Self::big)
            .call("incr", ["key"], Self::incr)
            .call_async("whoami", [], Self::whoami)
            .call("die", ["code"], Self::die)
            .call("hang", [], Self::hang);
    }
}

impl Fixture {
    fn echo(&self, call: Call) -> AppResult<Echo> {
        // What cannot be read cannot be echoed: say so before anything is written.
        call.args()?;
        Ok(Echo(call))
    }

    fn fail(&self, message: String) -> AppResult<()> {
        Err(message.into())
    }

    async fn sleep(&self, seconds: Seconds, tag: AnyValue<'static>) -> AnyValue<'static> {
        tokio::time::sleep(seconds.0).await;
        tag
    }

    fn count(&self, n: u64) -> impl Iterator<Item = u64> {
        0..n
    }

    fn count_async(&self, n: u64) -> impl Stream<Item = u64> {
        Count { next: 0, n, pause: None, waiting: None }
    }

    fn count_then_fail(&self, n: u64) -> impl Iterator<Item = AppResult<u64>> {
        (0..n).map(Ok).chain(std::iter::once_with(|| Err(AppError::from("boom"))))
    }

    fn empty(&self) -> impl Iterator<Item = ()> {
        std::iter::empty()
    }

    fn slow_count(&self, n: u64, seconds: Seconds) -> impl Stream<Item = u64> {
        Count { next: 0, n, pause: Some(seconds.0), waiting: None }
    }

    fn blob(&self, n: usize) -> Bytes {
        Bytes(vec![0; n])
    }

    fn nan(&self) -> f64 {
        f64::NAN
    }

    fn big(&self, n: usize) -> String {
        "x".repeat(n)
    }

    fn incr(&self, key: String) -> u64 {
        let mut counters = self.counters.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let counter = counters.entry(key).or_default();
        *counter += 1;
        *counter
    }

    async fn whoami(&self) -> WhoAmI {
        WhoAmI { worker_id: std::env::var("DIRTY_WORKER_ID").ok(), pid: std::process::id() }
    }

    fn die(&self, code: u8) {
        std::process::exit(code.into())
    }

    fn hang(&self) {
        loop {
            std::thread::park();
        }
    }
}

/// The arguments of a call, as they came.
struct Echo(Call);

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let unreadable = |error: AppError| S::Error::custom(error.as_error().message());
        let mut echo = serializer.serialize_struct("Echo", 2)?;
        echo.serialize_field("args", &self.0.args().map_err(unreadable)?)?;
        echo.serialize_field("kwargs", &self.0.kwargs().map_err(unreadable)?)?;
        echo.end()
    }
}

#[derive(Serialize)]
struct WhoAmI {
    worker_id: Option<String>,
    pid: u32,
}

/// A number of seconds, 0 or more.
#[derive(Deserialize)]
#[serde(try_from = "f64")]
struct Seconds(Duration);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        Duration::try_from_secs_f64(seconds)
            .map(Seconds)
            .map_err(|_| "expected a number of seconds, 0 or more")
    }
}

/// Counts, with a pause between the numbers if there is one.
struct Count {
    next: u64,
    n: u64,
    pause: Option<Duration>,
    waiting: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Stream for Count {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<u64>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        if self.next == self.n {
            return Poll::Ready(None);
        }
        self.next += 1;
        if self.next < self.n {
            self.waiting = self.pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
        }
        Poll::Ready(Some(self.next - 1))
    }
}
