//! Our clients against gunicorn's real arbiter, which serves `tests/interop/fixture.py` from its own workers.

use std::path::PathBuf;
use std::time::Duration;

use dirty_arbiter::DirtyError;
use dirty_arbiter::client::{Client, Stream, blocking};
use dirty_arbiter::message::{ActionName, AppPath, ErrorType, Seconds};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::Version;
use super::gunicorn::Gunicorn;

const APP: &str = "fixture:App";

/// A gunicorn with dirty workers of its own.
struct Server {
    gunicorn: Gunicorn,
    socket: PathBuf,
    _folder: TempDir,
}

impl Server {
    /// Starts one with two workers that serve the fixture app, and these flags besides.
    fn start(flags: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let pool = ["--dirty-workers", "2", "--dirty-app", APP];
        let mut gunicorn = Gunicorn::start(Version::Json, folder.path(), &[&pool[..], flags].concat());
        // Only its log tells where its arbiter listens: every start makes a new path.
        let listening = |line: &str| Some(PathBuf::from(line.split_once("Dirty arbiter listening on ")?.1));
        let socket = gunicorn.wait_for("its arbiter's socket", listening);
        let mut workers = 0;
        gunicorn.wait_for("its dirty workers", |line| {
            workers += usize::from(line.contains("Dirty worker ") && line.contains(" listening on "));
            (workers == 2).then_some(())
        });
        Server { gunicorn, socket, _folder: folder }
    }

    fn stop(self) {
        self.gunicorn.stop();
    }
}

fn kind(error: &DirtyError) -> &ErrorType {
    error.error_type()
}

async fn items(mut stream: Stream<Value>) -> (Vec<Value>, Option<DirtyError>) {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(item) => items.push(item),
            Err(error) => return (items, Some(error)),
        }
    }
    (items, None)
}

async fn echo(client: &Client, value: Value) -> Value {
    let echoed: Value = client.execute(APP, "echo", (value,)).await.unwrap();
    echoed["args"][0].clone()
}

#[tokio::test]
async fn calls_values_and_sizes() {
    let server = Server::start(&[]);
    let client = Client::connect(&server.socket);
    let call = client.call(APP, "echo").arg(1).unwrap().kwarg("ключ", "значение").unwrap();
    let echoed: Value = call.execute().await.unwrap();
    assert_eq!(echoed, json!({"args": [1], "kwargs": {"ключ": "значение"}}));

    let values = json!([null, true, -1, 1.5, u64::MAX, "", "é日👩‍👩‍👧\u{0}\u{2028}\u{10ffff}", [], [[{}]], {"a": {"b": [1]}}]);
    assert_eq!(echo(&client, values.clone()).await, values);
    let large = json!("x".repeat(4_000_000));
    assert_eq!(echo(&client, large.clone()).await, large);
    let big: String = client.execute(APP, "big", (8_000_000,)).await.unwrap();
    assert_eq!(big.len(), 8_000_000);

    // gunicorn passes over the members that it does not know.
    let call = client.call(APP, "echo").meta("traceparent", "00").unwrap().accept_hints();
    let echoed: Value = call.arg(2).unwrap().timeout(Duration::from_secs(20)).execute().await.unwrap();
    assert_eq!(echoed["args"], json!([2]));

    drop(client);
    server.stop();
}

#[tokio::test]
async fn streams_of_every_kind() {
    let server = Server::start(&[]);
    let client = Client::connect(&server.socket);
    let stream =
        async |action: &str, args: Vec<Value>| items(client.stream(APP, action, args).await.unwrap()).await;
    let counted = |n: u64| (0..n).map(Value::from).collect::<Vec<_>>();

    assert_eq!(stream("count", vec![json!(1_000)]).await, (counted(1_000), None));
    assert_eq!(stream("count_async", vec![json!(5)]).await, (counted(5), None));
    assert_eq!(stream("empty", vec![]).await, (vec![], None));

    let (seen, error) = stream("count_then_fail", vec![json!(3)]).await;
    let error = error.unwrap();
    assert_eq!((seen, kind(&error), error.message()), (counted(3), &ErrorType::DirtyAppError, "boom"));
    // What gunicorn tells of an error in a stream.
    assert!(error.details().traceback.as_deref().unwrap().starts_with("Traceback"));
    assert_eq!(error.details().app_path, None);

    // STREAM-6: gunicorn's own client would lose the value.
    assert_eq!(stream("echo", vec![json!(42)]).await, (vec![json!({"args": [42], "kwargs": {}})], None));

    // CALL-9, and the connection stays usable.
    let error = client.execute::<Value>(APP, "count", (3,)).await.unwrap_err();
    assert_eq!(kind(&error), &ErrorType::DirtyError);
    assert_eq!(echo(&client, json!("after")).await, json!("after"));

    drop(client);
    server.stop();
}

#[tokio::test]
async fn a_stream_that_is_left_early_leaves_the_connection_usable() {
    let server = Server::start(&[]);
    let client = Client::connect(&server.socket);
    for round in 0..3 {
        let mut stream: Stream<u64> = client.stream(APP, "count", (500,)).await.unwrap();
        assert_eq!(stream.next().await, Some(Ok(0)));
        // This sends a cancel. gunicorn takes it for a request of an unknown type and answers with an error for an id
        // that nobody waits for any more, after the rest of the stream; all of that is ours to drop (CORR-3).
        drop(stream);
        assert_eq!(echo(&client, json!(round)).await, json!(round));
    }
    let blocking = blocking::Client::connect(&server.socket);
    let caller = std::thread::spawn(move || {
        let mut stream = blocking.stream::<u64>(APP, "count", (500,)).unwrap();
        assert_eq!(stream.next(), Some(Ok(0)));
        drop(stream);
        blocking.execute::<Value>(APP, "echo", ("after",)).unwrap()
    });
    assert_eq!(caller.join().unwrap()["args"], json!(["after"]));

    drop(client);
    server.stop();
}

#[tokio::test]
async fn errors_of_every_kind() {
    let server = Server::start(&["--dirty-timeout", "2"]);
    let client = Client::connect(&server.socket);
    let fails = async |app: &str, action: &str, args: Vec<Value>| {
        client.execute::<Value>(app, action, args).await.unwrap_err()
    };

    let error = fails(APP, "fail", vec![json!("no luck: é")]).await;
    assert_eq!((kind(&error), error.message()), (&ErrorType::DirtyAppError, "no luck: é"));
    assert_eq!(error.details().app_path.as_ref().map(AppPath::as_str), Some(APP));
    assert_eq!(error.details().action.as_ref().map(ActionName::as_str), Some("fail"));
    assert!(error.details().traceback.as_deref().unwrap().contains("RuntimeError"));

    let error = fails(APP, "no_such_action", vec![]).await;
    assert_eq!(kind(&error), &ErrorType::DirtyAppError);
    let error = fails(APP, "blob", vec![json!(3)]).await;
    assert_eq!(kind(&error), &ErrorType::DirtyAppError);

    // gunicorn's type for an app it does not have, where ours says DirtyAppNotFoundError.
    let error = fails("nobody:Home", "echo", vec![]).await;
    assert_eq!(kind(&error), &ErrorType::DirtyNoWorkersAvailableError);
    assert_eq!(error.details().app_path.as_ref().map(AppPath::as_str), Some("nobody:Home"));

    // gunicorn writes a literal that is not JSON; the message is refused here, and the next call works (VAL-2).
    let error = fails(APP, "nan", vec![]).await;
    assert_eq!(kind(&error), &ErrorType::DirtyProtocolError);
    assert_eq!(echo(&client, json!("after NaN")).await, json!("after NaN"));

    // The client's own limit: the call goes on in gunicorn, and what it returns later is dropped.
    let late = client.call(APP, "sleep").args((0.4, "late")).unwrap().timeout(Duration::from_millis(100));
    let error = late.execute::<Value>().await.unwrap_err();
    assert_eq!(kind(&error), &ErrorType::DirtyTimeoutError);
    for number in 0..5 {
        assert_eq!(echo(&client, json!(number)).await, json!(number));
    }

    // The server's limit. Two timers of gunicorn's race: the other one makes a DirtyAppError of it.
    let error = fails(APP, "sleep", vec![json!(2.6), json!("late")]).await;
    match kind(&error) {
        ErrorType::DirtyTimeoutError => assert_eq!(error.details().timeout.map(Seconds::get), Some(2.0)),
        other => assert_eq!(other, &ErrorType::DirtyAppError, "{error:?}"),
    }

    drop(client);
    server.stop();
}

#[tokio::test]
async fn many_callers_of_one_connection_and_of_many() {
    let server = Server::start(&[]);
    let client = Client::connect(&server.socket);
    // One connection: gunicorn serves its requests one after the other, and every caller gets its own answer.
    let own = |client: Client, number: u64| async move {
        assert_eq!(echo(&client, json!(number)).await, json!(number));
        let (seen, error) = items(client.stream(APP, "count", (number % 7,)).await.unwrap()).await;
        assert_eq!((seen.len() as u64, error), (number % 7, None));
    };
    join_all((0..50).map(|number| own(client.clone(), number))).await;
    // Fifty connections.
    join_all((0..50).map(|number| own(Client::connect(&server.socket), number))).await;

    let socket = server.socket.clone();
    let threads = (0..8).map(|thread: u64| {
        let client = blocking::Client::connect(&socket);
        std::thread::spawn(move || {
            for turn in 0..10 {
                let echoed: Value = client.execute(APP, "echo", (thread, turn)).unwrap();
                assert_eq!(echoed["args"], json!([thread, turn]));
                let seen: Result<Vec<u64>, DirtyError> =
                    client.stream(APP, "count", (turn,)).unwrap().collect();
                assert_eq!(seen, Ok((0..turn).collect()));
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }

    drop(client);
    server.stop();
}

#[tokio::test]
async fn a_worker_that_dies_fails_its_call_and_the_client_goes_on() {
    let server = Server::start(&[]);
    let client = Client::connect(&server.socket);
    let error = client.execute::<Value>(APP, "die", (7,)).await.unwrap_err();
    assert_eq!(kind(&error), &ErrorType::DirtyWorkerError);
    assert!(error.details().worker_id.is_some());
    // gunicorn may give the next calls to a worker that is still starting; it does not give them all to it.
    let mut answered = false;
    for number in 0..20 {
        match client.execute::<Value>(APP, "echo", (number,)).await {
            Ok(echoed) => answered = echoed["args"] == json!([number]),
            Err(error) => assert_eq!(kind(&error), &ErrorType::DirtyWorkerError, "{error:?}"),
        }
    }
    assert!(answered, "no call was answered any more");

    // How gunicorn ends after a crash is its own affair: at times it waits for a worker that is gone. It is killed then.
    drop(client);
    drop(server);
}
