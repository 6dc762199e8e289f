//! The async client against a scripted arbiter: streams, and readers that are slower than the worker.

use std::time::Duration;

use dirty_arbiter::client::{Client, ClientOptions, Stream};
use dirty_arbiter::message::ErrorType;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::scripted::{Peer, Script};

const COUNT: &str =
    r#"{"type":"request","id":"$1","app_path":"a:B","action":"count","args":[3],"kwargs":{}}"#;

/// Expects the request of [`count`] and answers with these chunks.
fn chunks(peer: &mut Peer, numbers: std::ops::Range<usize>) {
    peer.expect(COUNT);
    for number in numbers {
        peer.send(&format!(r#"{{"type":"chunk","id":"$1","data":{number}}}"#));
    }
}

async fn count(client: &Client) -> Stream<usize> {
    client.stream("a:B", "count", (3,)).await.unwrap()
}

#[tokio::test]
async fn items_come_in_order_and_then_the_end() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..3);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.forget(1);
        chunks(&mut peer, 0..0);
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let client = Client::connect(script.path());
    let items: Vec<_> = count(&client).await.map(Result::unwrap).collect().await;
    assert_eq!(items, [0, 1, 2]);
    let mut empty = count(&client).await;
    assert!(empty.next().await.is_none());
    assert!(empty.next().await.is_none(), "and stays at its end");
    script.finish();
}

#[tokio::test]
async fn an_item_is_yielded_when_it_comes_not_at_the_end() {
    let (seen, next) = std::sync::mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..1);
        next.recv().unwrap();
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let mut stream = count(&Client::connect(script.path())).await;
    assert_eq!(stream.next().await, Some(Ok(0)));
    // Nothing is there, and nobody spins: the task is woken by what comes.
    let mut next = tokio_test::task::spawn(stream.next());
    tokio_test::assert_pending!(next.poll());
    assert!(!next.is_woken());
    seen.send(()).unwrap();
    assert_eq!(next.await, None);
    script.finish();
}

#[tokio::test]
async fn an_error_ends_a_stream_after_its_items() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..2);
        peer.send(
            r#"{"type":"error","id":"$1","error":{"error_type":"DirtyAppError","message":"boom","details":{}}}"#,
        );
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let mut stream = count(&client).await;
    assert_eq!(stream.next().await, Some(Ok(0)));
    assert_eq!(stream.next().await, Some(Ok(1)));
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.error_type(), error.message()), (&ErrorType::DirtyAppError, "boom"));
    assert_eq!(stream.next().await, None);
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn a_plain_result_is_the_one_item_of_a_stream() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(COUNT);
        peer.send(r#"{"type":"response","id":"$1","result":7}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let items: Vec<_> = count(&client).await.map(Result::unwrap).collect().await;
    assert_eq!(items, [7]);
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn execute_on_a_stream_is_an_error_a_cancel_and_nothing_worse() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..1);
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"chunk","id":"$1","data":1}"#);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.forget(1);
        // An empty stream has ended already: nothing to cancel.
        peer.expect(COUNT);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    for _ in 0..2 {
        let error = client.execute::<u8>("a:B", "count", (3,)).await.unwrap_err();
        assert_eq!(error.error_type(), &ErrorType::DirtyError);
        assert!(error.message().contains("stream()"), "{error}");
    }
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn a_stream_left_early_is_cancelled_and_its_late_chunks_are_dropped() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..2);
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"chunk","id":"$1","data":2}"#);
        peer.send(
            r#"{"type":"error","id":"$1","error":{"error_type":"DirtyCancelledError","message":"","details":{}}}"#,
        );
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let mut stream = count(&client).await;
    assert_eq!(stream.next().await, Some(Ok(0)));
    drop(stream);
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn a_stream_at_its_end_is_not_cancelled() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..1);
        peer.send(r#"{"type":"end","id":"$1"}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let mut stream = count(&client).await;
    assert_eq!(stream.next().await, Some(Ok(0)));
    assert_eq!(stream.next().await, None);
    drop(stream);
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn an_item_of_another_type_ends_and_cancels_the_stream() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(COUNT);
        peer.send(r#"{"type":"chunk","id":"$1","data":{"n":1}}"#);
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
    });
    let mut stream = count(&Client::connect(script.path())).await;
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.details().pointer.as_deref(), Some("/data"));
    assert_eq!(stream.next().await, None);
    script.finish();
}

#[tokio::test]
async fn a_response_after_chunks_closes_the_connection_and_the_next_call_makes_another() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        chunks(&mut peer, 0..1);
        peer.send(r#"{"type":"response","id":"$1","result":1}"#);
        peer.expect_close();
        listener.accept().echo_one("1");
    });
    let client = Client::connect(script.path());
    let mut stream = count(&client).await;
    assert_eq!(stream.next().await, Some(Ok(0)));
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.details().requirement.as_deref(), Some("STREAM-5"));
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn interleaved_streams_do_not_mix() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(COUNT);
        peer.expect(&COUNT.replace("$1", "$2"));
        for text in [
            r#"{"type":"chunk","id":"$2","data":20}"#,
            r#"{"type":"chunk","id":"$1","data":10}"#,
            r#"{"type":"chunk","id":"$1","data":11}"#,
            r#"{"type":"end","id":"$1"}"#,
            r#"{"type":"chunk","id":"$2","data":21}"#,
            r#"{"type":"end","id":"$2"}"#,
        ] {
            peer.send(text);
        }
    });
    let client = Client::connect(script.path());
    let (one, two) = (count(&client).await, count(&client).await);
    assert_eq!(two.map(Result::unwrap).collect::<Vec<_>>().await, [20, 21]);
    assert_eq!(one.map(Result::unwrap).collect::<Vec<_>>().await, [10, 11]);
    script.finish();
}

#[tokio::test]
async fn the_limit_of_a_stream_bounds_each_wait_for_an_item() {
    let limit = Duration::from_secs(100);
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&COUNT.replace(r#"{}}"#, r#"{},"timeout":100}"#));
        peer.send(r#"{"type":"chunk","id":"$1","data":0}"#);
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    let mut stream = client.call("a:B", "count").arg(3).unwrap().timeout(limit).stream::<u8>().await.unwrap();
    assert_eq!(stream.next().await, Some(Ok(0)));
    // From here on, time passes when there is nothing else to do: so far none has.
    tokio::time::pause();
    tokio::time::advance(limit / 2).await;
    let start = Instant::now();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyTimeoutError);
    assert_eq!(error.message(), "no item from a:B count within 100 s; the call was cancelled");
    assert!(start.elapsed() >= limit, "the wait began with this item, not with the last");
    assert_eq!(stream.next().await, None);
    tokio::time::resume();
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

/// An item of a little more than 1 KiB.
fn large(number: usize) -> String {
    format!(r#"{{"type":"chunk","id":"$1","data":[{number},"{}"]}}"#, "x".repeat(1024))
}

/// Expects the request and sends items until the client stops reading; returns how many the client or the kernel took.
fn flood(peer: &mut Peer, most: usize) -> usize {
    peer.expect(COUNT);
    (0..most).find(|&number| !peer.send_unless_blocked(&large(number))).unwrap_or(most)
}

/// What a socket and a read may hold beside the buffer, in items of 1 KiB: sockets hold about 200 KiB.
const SLACK: usize = 1024;

#[tokio::test]
async fn a_stream_that_is_not_read_stops_its_connection_from_being_read() {
    let (blocked, when_blocked) = oneshot::channel();
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        let sent = flood(&mut peer, 16 * SLACK);
        blocked.send(sent).unwrap();
        for number in sent + 1..2 * SLACK {
            peer.send(&large(number));
        }
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().stream_buffer(64 * 1024));
    let stream: Stream<(usize, String)> = client.stream("a:B", "count", (3,)).await.unwrap();
    let sent = when_blocked.await.unwrap();
    assert!((64..64 + SLACK).contains(&sent), "{sent} items were taken in before the first was read");
    let numbers: Vec<usize> = stream.map(|item| item.unwrap().0).collect().await;
    assert!(numbers.iter().copied().eq(0..2 * SLACK), "nothing is lost and the order is kept");
    script.finish();
}

#[tokio::test]
async fn a_call_does_not_wait_for_the_reader_of_a_full_stream() {
    let (blocked, when_blocked) = oneshot::channel();
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        let sent = flood(&mut peer, 16 * SLACK);
        blocked.send(sent).unwrap();
        // The reply stands behind all of the items.
        peer.echo_one("1");
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().stream_buffer(64 * 1024));
    let stream: Stream<(usize, String)> = client.stream("a:B", "count", (3,)).await.unwrap();
    let sent = when_blocked.await.unwrap();
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    let numbers: Vec<usize> = stream.map(|item| item.unwrap().0).collect().await;
    assert!(numbers.into_iter().eq(0..=sent));
    script.finish();
}

#[tokio::test]
async fn a_stream_that_falls_too_far_behind_ends_with_an_error_and_nobody_waits_for_it() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(COUNT);
        peer.expect(
            r#"{"type":"request","id":"$2","app_path":"a:B","action":"echo","args":[1],"kwargs":{}}"#,
        );
        for number in 0..2 * SLACK {
            peer.send(&large(number));
        }
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"response","id":"$2","result":1}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().stream_limit(256 * 1024));
    let mut stream: Stream<(usize, String)> = client.stream("a:B", "count", (3,)).await.unwrap();
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    let mut items = 0;
    let error = loop {
        match stream.next().await.unwrap() {
            Ok((number, _)) => {
                assert_eq!(number, items);
                items += 1;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error.error_type(), &ErrorType::DirtyError);
    assert!(error.message().contains("the limit is 262144"), "{error}");
    assert!((200..256).contains(&items), "{items} items were kept");
    assert_eq!(stream.next().await, None);
    script.finish();
}

#[tokio::test]
async fn one_item_may_be_larger_than_every_buffer() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(COUNT);
        peer.send(&large(0));
        peer.send(&large(1));
        peer.send(r#"{"type":"end","id":"$1"}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().stream_limit(1));
    let stream: Stream<(usize, String)> = client.stream("a:B", "count", (3,)).await.unwrap();
    let numbers: Vec<usize> = stream.map(|item| item.unwrap().0).collect().await;
    assert_eq!(numbers, [0, 1]);
    script.finish();
}
