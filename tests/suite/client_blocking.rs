//! The blocking client against a scripted arbiter: the rules it shares with the async one, and what threads add.

use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dirty_arbiter::DirtyError;
use dirty_arbiter::client::blocking::{Client, Stream};
use dirty_arbiter::client::{Bytes, ClientOptions};
use dirty_arbiter::message::ErrorType;
use serde_json::value::RawValue;

use crate::scripted::{Peer, Script};

fn request(id: &str, args: &str) -> String {
    format!(
        r#"{{"type":"request","id":"{id}","app_path":"a:B","action":"echo","args":{args},"kwargs":{{}}}}"#
    )
}

fn echo(client: &Client, number: usize) -> Result<usize, DirtyError> {
    client.execute("a:B", "echo", (number,))
}

fn stream<T: serde::de::DeserializeOwned>(client: &Client) -> Stream<T> {
    client.stream("a:B", "echo", ()).unwrap()
}

#[test]
fn calls_and_streams_are_the_same_messages_as_those_of_the_async_client() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(concat!(
            r#"{"type":"request","id":"$1","app_path":"a:B","action":"resize","args":["cat.png","AA=="],"#,
            r#""kwargs":{"size":256},"timeout":2.5,"accept_hints":true,"hints":{"/args/1":"base64"}}"#
        ));
        peer.send(r#"{"type":"response","id":"$1","result":{"b":"AAE="},"hints":{"/result/b":"base64"}}"#);
        peer.expect(&request("$2", "[]"));
        peer.send(r#"{"type":"chunk","id":"$2","data":1.10}"#);
        peer.send(r#"{"type":"end","id":"$2"}"#);
        peer.expect(&request("$3", "[]"));
        peer.send(r#"{"type":"response","id":"$3","result":"whole"}"#);
        peer.expect_close();
    });
    #[derive(serde::Deserialize)]
    struct Answer {
        b: Bytes,
    }
    let client = Client::connect(script.path());
    let call = client.call("a:B", "resize").accept_hints().args(("cat.png", Bytes([0]))).unwrap();
    let call = call.kwarg("size", 256).unwrap().timeout(Duration::from_millis(2500));
    assert_eq!(call.execute::<Answer>().unwrap().b, Bytes(vec![0, 1]));
    let items: Vec<Box<RawValue>> = stream(&client).map(Result::unwrap).collect();
    assert_eq!(items.iter().map(|item| item.get()).collect::<Vec<_>>(), ["1.10"]);
    assert_eq!(stream(&client).collect::<Result<Vec<String>, _>>().unwrap(), ["whole"]);
    drop(client);
    script.finish();
}

#[test]
fn threads_share_one_connection_and_each_gets_its_own_replies() {
    const THREADS: usize = 16;
    const CALLS: usize = 50;
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        // Nobody is answered before everybody has asked, and the last is answered first.
        for _ in 0..CALLS {
            let requests: Vec<String> = (0..THREADS).map(|_| peer.read()).collect();
            for request in requests.iter().rev() {
                let (id, rest) =
                    request.strip_prefix(r#"{"type":"request","id":""#).unwrap().split_once('"').unwrap();
                let number = rest.split_once("[").unwrap().1.split_once(']').unwrap().0;
                peer.send(&format!(r#"{{"type":"response","id":"{id}","result":{number}}}"#));
            }
        }
    });
    let client = Client::connect(script.path());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let number = thread * CALLS + call;
                    assert_eq!(echo(client, number), Ok(number));
                }
            });
        }
    });
    script.finish();
}

#[test]
fn a_call_that_takes_too_long_is_cancelled_and_its_late_reply_reaches_nobody() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[1]").replace("{}}", r#"{},"timeout":0.05}"#));
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.expect(&request("$2", "[2]"));
        peer.send(r#"{"type":"response","id":"$1","result":1}"#);
        peer.send(r#"{"type":"response","id":"$2","result":2}"#);
        peer.expect(&request("$3", "[]").replace("{}}", r#"{},"timeout":0.05}"#));
        peer.expect(r#"{"type":"cancel","id":"$3"}"#);
        peer.echo_one("3");
    });
    let client = Client::connect(script.path());
    let limit = Duration::from_millis(50);
    let start = Instant::now();
    let error = client.call("a:B", "echo").arg(1).unwrap().timeout(limit).execute::<u8>().unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyTimeoutError);
    assert!(start.elapsed() >= limit);
    assert_eq!(echo(&client, 2), Ok(2));
    let mut slow = client.call("a:B", "echo").timeout(limit).stream::<u8>().unwrap();
    let error = slow.next().unwrap().unwrap_err();
    assert_eq!(error.message(), "no item from a:B echo within 0.05 s; the call was cancelled");
    assert!(slow.next().is_none());
    assert_eq!(echo(&client, 3), Ok(3));
    script.finish();
}

#[test]
fn a_stream_left_early_is_cancelled_and_its_late_chunks_are_dropped() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[]"));
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"chunk","id":"$1","data":1}"#);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let first: usize = stream(&client).next().unwrap().unwrap();
    assert_eq!(first, 0);
    assert_eq!(echo(&client, 1), Ok(1));
    script.finish();
}

#[test]
fn execute_on_a_stream_is_an_error_a_cancel_and_nothing_worse() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[0]"));
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    assert_eq!(echo(&client, 0).unwrap_err().error_type(), &ErrorType::DirtyError);
    assert_eq!(echo(&client, 1), Ok(1));
    script.finish();
}

#[test]
fn a_stream_can_be_read_by_another_thread_than_the_one_that_made_it() {
    let (read, proceed) = mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[]"));
        for number in 0..100 {
            peer.send(&format!(r#"{{"type":"chunk","id":"$1","data":{number}}}"#));
            proceed.recv().unwrap();
        }
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let items = stream::<usize>(&client);
    let reader = thread::spawn(move || {
        items.inspect(|_| read.send(()).unwrap()).map(Result::unwrap).collect::<Vec<_>>()
    });
    // Both threads wait at the same time, each for its own.
    assert_eq!(echo(&client, 1), Ok(1));
    assert!(reader.join().unwrap().into_iter().eq(0..100));
    script.finish();
}

#[test]
fn a_large_request_holds_up_neither_other_callers_nor_their_limits() {
    let (go, proceed) = mpsc::channel::<()>();
    let (begun, when_begun) = mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.echo_one("0");
        peer.wait_for_bytes();
        begun.send(()).unwrap();
        // Not before the second caller has given up.
        proceed.recv().unwrap();
        let large = peer.read();
        assert!(large.len() > 8 << 20);
        let id = large[..100].split('"').nth(7).unwrap().to_owned();
        peer.send(&format!(r#"{{"type":"response","id":"{id}","result":{}}}"#, large.len()));
        // Nothing of the request that was given up has been sent, and no cancel for it.
        peer.echo_one("3");
    });
    let client = Client::connect(script.path());
    assert_eq!(echo(&client, 0), Ok(0));
    thread::scope(|scope| {
        let large = scope.spawn(|| client.execute::<usize>("a:B", "echo", ("x".repeat(8 << 20),)));
        when_begun.recv().unwrap();
        let limit = Duration::from_millis(50);
        let call = client.call("a:B", "echo").arg(2).unwrap().timeout(limit);
        assert_eq!(call.execute::<u8>().unwrap_err().error_type(), &ErrorType::DirtyTimeoutError);
        go.send(()).unwrap();
        assert!(large.join().unwrap().unwrap() > 8 << 20);
    });
    assert_eq!(echo(&client, 3), Ok(3));
    script.finish();
}

#[test]
fn a_lost_connection_fails_its_calls_and_the_next_call_connects_anew() {
    let (gone, when_gone) = mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[]"));
        peer.expect(&request("$2", "[1]"));
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
        drop(peer);
        listener.accept().echo_one("2");
        gone.send(()).unwrap();
        listener.accept().echo_one("3");
    });
    let client = Client::connect(script.path());
    let mut items = stream::<usize>(&client);
    let error = echo(&client, 1).unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
    assert!(error.message().contains("lost: closed by the arbiter"), "{error}");
    assert_eq!(items.next(), Some(Ok(0)));
    assert_eq!(items.next().unwrap().unwrap_err().error_type(), &ErrorType::DirtyConnectionError);
    assert_eq!(items.next(), None);
    assert_eq!(echo(&client, 2), Ok(2));
    // Whether or not the reading thread has noticed by now.
    when_gone.recv().unwrap();
    assert_eq!(echo(&client, 3), Ok(3));
    script.finish();
}

#[test]
fn what_cannot_be_trusted_closes_the_connection() {
    fn untrusted(reply: impl FnOnce(&mut Peer) + Send + 'static, expected: &str) {
        let script = Script::run(|listener| {
            let mut peer = listener.accept();
            peer.expect(&request("$1", "[1]"));
            reply(&mut peer);
            peer.expect_close();
            listener.accept().echo_one("2");
        });
        let client = Client::connect(script.path());
        let error = echo(&client, 1).unwrap_err();
        assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError, "{error}");
        assert_eq!(error.details().requirement.as_deref(), Some(expected), "{error}");
        assert_eq!(echo(&client, 2), Ok(2));
        script.finish();
    }
    untrusted(|peer| peer.send_raw(&[0xff; 4]), "FRAME-3");
    untrusted(|peer| peer.send("nonsense"), "FRAME-10");
    untrusted(|peer| peer.send("{}"), "MSG-1");
    untrusted(|peer| peer.send(r#"{"type":"end","id":"not-yours"}"#), "CORR-4");
    untrusted(
        |peer| {
            peer.send_raw(b"\0\0\0\x64{");
            peer.stop_sending();
        },
        "FRAME-9",
    );
}

#[test]
fn a_socket_that_cannot_be_reached_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stale");
    let missing = echo(&Client::connect(&path), 1).unwrap_err();
    assert!(missing.message().starts_with("no socket at "), "{missing}");
    drop(UnixListener::bind(&path).unwrap());
    let stale = echo(&Client::connect(&path), 1).unwrap_err();
    assert!(stale.message().starts_with("nobody listens on "), "{stale}");
    assert!(stale.message().contains(path.to_str().unwrap()), "{stale}");
    assert_eq!(stale.error_type(), &ErrorType::DirtyConnectionError);
}

#[test]
fn the_limit_holds_while_the_arbiter_does_not_accept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("busy.sock");
    let listener = UnixListener::bind(&path).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    // One connection fits.
    let other = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let client = Client::with_options(&path, ClientOptions::new().timeout(Duration::from_millis(50)));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let error = echo(&client, 1).unwrap_err();
                assert_eq!(error.error_type(), &ErrorType::DirtyTimeoutError, "{error}");
                assert!(error.message().starts_with("no connection for a:B echo within 0.05 s"), "{error}");
            });
        }
    });
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
    drop((listener, other));
}

#[test]
fn a_socket_that_is_full_holds_up_no_caller() {
    let (go, proceed) = mpsc::channel::<()>();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        proceed.recv().unwrap();
        // Some of the requests and their cancels, each whole, and then the call that is answered.
        loop {
            let message = peer.read();
            if message.contains(r#""args":[3]"#) {
                let id = message.split('"').nth(7).unwrap();
                return peer.send(&format!(r#"{{"type":"response","id":"{id}","result":3}}"#));
            }
        }
    });
    let client = Client::connect(script.path());
    let start = Instant::now();
    for _ in 0..20 {
        let call =
            client.call("a:B", "echo").arg("x".repeat(60_000)).unwrap().timeout(Duration::from_millis(5));
        assert_eq!(call.execute::<u8>().unwrap_err().error_type(), &ErrorType::DirtyTimeoutError);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
    go.send(()).unwrap();
    assert_eq!(echo(&client, 3), Ok(3));
    script.finish();
}

/// An item of a little more than 1 KiB.
fn large(number: usize) -> String {
    format!(r#"{{"type":"chunk","id":"$1","data":[{number},"{}"]}}"#, "x".repeat(1024))
}

#[test]
fn a_full_stream_stops_the_reading_but_not_other_calls() {
    let (blocked, when_blocked) = mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[]"));
        let sent = (0..16 * 1024).find(|&number| !peer.send_unless_blocked(&large(number))).unwrap();
        blocked.send(sent).unwrap();
        // The reply stands behind all of the items.
        peer.echo_one("1");
        for number in sent + 1..2048 {
            peer.send(&large(number));
        }
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().stream_buffer(64 * 1024));
    let items = stream::<(usize, String)>(&client);
    let sent = when_blocked.recv().unwrap();
    assert!((64..1088).contains(&sent), "{sent} items were taken in before the first was read");
    assert_eq!(echo(&client, 1), Ok(1));
    assert!(items.map(|item| item.unwrap().0).eq(0..2048));
    script.finish();
}

#[test]
fn a_stream_that_falls_too_far_behind_ends_with_an_error() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&request("$1", "[]"));
        peer.expect(&request("$2", "[1]"));
        for number in 0..1024 {
            peer.send(&large(number));
        }
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"response","id":"$2","result":1}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().stream_limit(256 * 1024));
    let items = stream::<(usize, String)>(&client);
    assert_eq!(echo(&client, 1), Ok(1));
    let mut items: Vec<_> = items.collect();
    let error = items.pop().unwrap().unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyError);
    assert!((200..256).contains(&items.len()), "{} items were kept", items.len());
    script.finish();
}
