//! The async client against a scripted arbiter: connections that cannot be made, are lost, or cannot be trusted.

use std::os::unix::net::UnixListener;
use std::path::Path;

use dirty_arbiter::DirtyError;
use dirty_arbiter::client::{Client, Stream};
use dirty_arbiter::message::ErrorType;
use futures_util::StreamExt;

use crate::scripted::{Listener, Peer, Script, frame};

const REQUEST: &str =
    r#"{"type":"request","id":"$1","app_path":"a:B","action":"echo","args":[1],"kwargs":{}}"#;

async fn echo(client: &Client, number: u8) -> Result<u8, DirtyError> {
    client.execute("a:B", "echo", (number,)).await
}

#[tokio::test]
async fn a_connection_error_says_which_socket_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    drop(UnixListener::bind(path("stale")).unwrap());
    std::fs::write(path("file"), "not a socket").unwrap();
    for (name, expected) in [
        ("missing", "no socket at "),
        ("stale", "nobody listens on "),
        ("file", "nobody listens on "),
        (&"x".repeat(120), "a path of at most 107 bytes is needed"),
    ] {
        let error = echo(&Client::connect(path(name)), 1).await.unwrap_err();
        assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
        assert!(error.message().contains(expected), "{error}");
        assert!(error.message().contains(path(name).to_str().unwrap()), "{error}");
        let details = error.details().other["socket_path"].get();
        assert_eq!(details, format!("\"{}\"", path(name).display()));
    }
}

#[tokio::test]
async fn the_connection_is_made_by_the_first_call_and_closed_with_the_last_user() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.echo_one("1");
        peer.expect(&REQUEST.replace("[1]", "[2]"));
        peer.send(r#"{"type":"chunk","id":"$1","data":2}"#);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.expect_close();
    });
    let client = Client::connect("/nowhere");
    drop(client);
    let client = Client::connect(script.path());
    assert_eq!(echo(&client.clone(), 1).await, Ok(1));
    let stream: Stream<u8> = client.stream("a:B", "echo", (2,)).await.unwrap();
    drop(client);
    assert_eq!(stream.map(Result::unwrap).collect::<Vec<_>>().await, [2]);
    script.finish();
}

#[tokio::test]
async fn after_a_loss_the_next_call_connects_anew() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        drop(peer);
        listener.accept().echo_one("2");
    });
    let client = Client::connect(script.path());
    let error = echo(&client, 1).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
    assert!(error.message().contains("lost: "), "{error}");
    assert!(error.message().contains(script.path().to_str().unwrap()), "{error}");
    assert!(error.message().contains("may or may not have run"), "{error}");
    assert_eq!(echo(&client, 2).await, Ok(2));
    script.finish();
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_costs_no_call() {
    let (close, may_close) = std::sync::mpsc::channel::<()>();
    let (closed, when_closed) = std::sync::mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.echo_one("1");
        may_close.recv().unwrap();
        drop(peer);
        closed.send(()).unwrap();
        listener.accept().echo_one("2");
    });
    let client = Client::connect(script.path());
    assert_eq!(echo(&client, 1).await, Ok(1));
    // The runtime does not run meanwhile: the client cannot have noticed.
    close.send(()).unwrap();
    when_closed.recv().unwrap();
    assert_eq!(echo(&client, 2).await, Ok(2));
    script.finish();
}

#[tokio::test]
async fn a_lost_connection_fails_all_calls_on_it_after_what_had_come() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        peer.expect(&REQUEST.replace("$1", "$2"));
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
    });
    let client = Client::connect(script.path());
    let mut stream: Stream<u8> = client.stream("a:B", "echo", (1,)).await.unwrap();
    let error = echo(&client, 1).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
    assert_eq!(stream.next().await, Some(Ok(0)));
    assert_eq!(stream.next().await.unwrap().unwrap_err().error_type(), &ErrorType::DirtyConnectionError);
    assert_eq!(stream.next().await, None);
    script.finish();
}

/// The arbiter answers a call with what `reply` sends, and keeps the connection open unless told otherwise.
async fn untrusted(reply: impl FnOnce(&mut Peer) + Send + 'static, expected: &str) {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        reply(&mut peer);
        peer.expect_close();
        listener.accept().echo_one("2");
    });
    let client = Client::connect(script.path());
    let error = echo(&client, 1).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError, "{error}");
    assert_eq!(error.details().requirement.as_deref(), Some(expected), "{error}");
    assert!(error.message().starts_with("the arbiter broke the protocol"), "{error}");
    assert_eq!(echo(&client, 2).await, Ok(2));
    script.finish();
}

#[tokio::test]
async fn a_bad_frame_closes_the_connection_and_the_next_call_makes_another() {
    untrusted(|peer| peer.send_raw(&[0, 0, 0, 0]), "FRAME-3").await;
    untrusted(|peer| peer.send_raw(&[0xff; 4]), "FRAME-3").await;
    untrusted(|peer| peer.send_raw(b"GD\x01\x02"), "FRAME-3").await;
    untrusted(|peer| peer.send_raw(&frame(b"nonsense")), "FRAME-10").await;
    untrusted(|peer| peer.send_raw(&frame(b"[1]")), "FRAME-10").await;
    untrusted(|peer| peer.send_raw(&frame(b"{\"type\":\"\xff\"}")), "FRAME-10").await;
    untrusted(
        |peer| {
            peer.send_raw(b"\0\0\0\x64{\"type\":");
            peer.stop_sending();
        },
        "FRAME-9",
    )
    .await;
    untrusted(
        |peer| {
            peer.send_raw(b"\0\0");
            peer.stop_sending();
        },
        "FRAME-9",
    )
    .await;
}

#[tokio::test]
async fn the_beginning_of_a_bad_frame_is_in_the_details() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        peer.send_raw(b"HTTP/1.1 400 Bad Request\r\n");
    });
    let error = echo(&Client::connect(script.path()), 1).await.unwrap_err();
    let raw = error.details().raw_data.as_ref().unwrap().as_str();
    assert!(raw.starts_with("485454502f312e31"), "{raw}");
    script.finish();
}

#[tokio::test]
async fn a_bad_message_closes_the_connection_and_the_next_call_makes_another() {
    untrusted(|peer| peer.send("{}"), "MSG-1").await;
    untrusted(|peer| peer.send(r#"{"type":"welcome"}"#), "MSG-11").await;
    untrusted(|peer| peer.send(r#"{"type":"response","id":"$1"}"#), "MSG-2").await;
    untrusted(|peer| peer.send(r#"{"type":"response","id":"$1","result":NaN}"#), "VAL-2").await;
    untrusted(|peer| peer.send(r#"{"type":"cancel","id":"$1"}"#), "MSG-11").await;
}

#[tokio::test]
async fn an_id_that_was_never_sent_closes_the_connection_and_the_next_call_makes_another() {
    untrusted(|peer| peer.send(r#"{"type":"response","id":"not-yours","result":1}"#), "CORR-4").await;
    untrusted(|peer| peer.send(r#"{"type":"response","id":"$11","result":1}"#), "CORR-4").await;
}

#[tokio::test]
async fn ids_of_a_lost_connection_are_unknown_on_the_next() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        let late = format!(r#"{{"type":"response","id":"{}","result":1}}"#, peer.id(1));
        drop(peer);
        let mut peer = listener.accept();
        peer.expect(&REQUEST.replace("[1]", "[2]"));
        peer.send(&late);
        peer.expect_close();
    });
    let client = Client::connect(script.path());
    echo(&client, 1).await.unwrap_err();
    let error = echo(&client, 2).await.unwrap_err();
    assert_eq!(error.details().requirement.as_deref(), Some("CORR-4"));
    script.finish();
}

const NOTICE: &str = r#"{"type":"error","id":null,"error":{"error_type":"DirtyProtocolError","message":"bad frame","details":{"requirement":"FRAME-3"}}}"#;

#[tokio::test]
async fn an_error_without_an_id_is_the_cause_of_the_close_that_follows() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        peer.send(NOTICE);
    });
    let error = echo(&Client::connect(script.path()), 1).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError);
    assert_eq!(error.details().requirement.as_deref(), Some("FRAME-3"));
    assert!(error.message().contains("bad frame"), "{error}");
    script.finish();
}

#[tokio::test]
async fn an_error_without_an_id_answers_no_call() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(REQUEST);
        peer.send(NOTICE);
        peer.send(r#"{"type":"response","id":"$1","result":1}"#);
    });
    assert_eq!(echo(&Client::connect(script.path()), 1).await, Ok(1));
    script.finish();
}

#[test]
fn a_client_outlives_the_runtime_that_drove_its_connection() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.echo_one("1");
        peer.expect(REQUEST);
        peer.expect_close();
        listener.accept().echo_one("2");
    });
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::connect(script.path());
    let first = runtime();
    assert_eq!(first.block_on(echo(&client, 1)), Ok(1));
    let mut stream: Stream<u8> = first.block_on(client.stream("a:B", "echo", (1,))).unwrap();
    drop(first);
    let second = runtime();
    let error = second.block_on(stream.next()).unwrap().unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
    assert_eq!(second.block_on(echo(&client, 2)), Ok(2));
    script.finish();
}

/// A listener whose backlog is full, and the connections that fill it.
async fn busy(path: &Path) -> (UnixListener, Vec<tokio::net::UnixStream>) {
    let listener = UnixListener::bind(path).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let mut others = Vec::new();
    while let Ok(other) = tokio::net::UnixStream::connect(path).await {
        others.push(other);
    }
    (listener, others)
}

/// With paused time, the wait for a place in the backlog is over as soon as there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn an_arbiter_that_does_not_accept_is_not_waited_for_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("busy.sock");
    let _full = busy(&path).await;
    let start = tokio::time::Instant::now();
    let error = echo(&Client::connect(&path), 1).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
    assert!(error.message().contains("its backlog is full"), "{error}");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_call_waits_for_a_place_in_the_backlog() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("busy.sock");
    let (listener, others) = busy(&path).await;
    let client = Client::connect(&path);
    let mut call = std::pin::pin!(echo(&client, 1));
    let early = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(early.is_pending());
    let script = std::thread::spawn(move || {
        let listener = Listener::from(listener);
        for _ in &others {
            drop(listener.accept());
        }
        listener.accept().echo_one("1");
    });
    assert_eq!(call.await, Ok(1));
    script.join().unwrap();
}
