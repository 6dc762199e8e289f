//! The async client against a scripted arbiter: calls, their arguments, results, errors and limits.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use dirty_arbiter::DirtyError;
use dirty_arbiter::client::{Bytes, Client, ClientOptions, Stream};
use dirty_arbiter::message::ErrorType;
use dirty_arbiter::wire::Limits;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::scripted::Script;

/// A request for `a:B` `echo` with these arguments, as a client writes it.
fn echo(id: &str, args: &str) -> String {
    format!(
        r#"{{"type":"request","id":"{id}","app_path":"a:B","action":"echo","args":{args},"kwargs":{{}}}}"#
    )
}

#[tokio::test]
async fn a_call_is_one_request_and_returns_its_result() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&echo("$1", r#"[1,"x",[true,null]]"#));
        peer.send(r#"{"type":"response","id":"$1","result":{"sum":3}}"#);
        peer.expect_close();
    });
    #[derive(Debug, Deserialize, PartialEq)]
    struct Answer {
        sum: i32,
    }
    let client = Client::connect(script.path());
    let answer: Answer = client.execute("a:B", "echo", (1, "x", (true, ()))).await.unwrap();
    assert_eq!(answer, Answer { sum: 3 });
    drop(client);
    script.finish();
}

#[tokio::test]
async fn a_call_carries_everything_that_was_put_into_it() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(concat!(
            r#"{"type":"request","id":"$1","app_path":"a:B","action":"resize","#,
            r#""args":["cat.png",{"data":"iVA=","size":9007199254740993}],"#,
            r#""kwargs":{"fast":true,"mask":["AA=="]},"#,
            r#""timeout":2.5,"meta":{"traceparent":"00-1"},"#,
            r#""hints":{"/args/1/data":"base64","/kwargs/mask/0":"base64"}}"#
        ));
        peer.send(r#"{"type":"response","id":"$1","result":null}"#);
    });
    #[derive(Serialize)]
    struct Picture<'a> {
        data: Bytes<&'a [u8]>,
        size: u64,
    }
    let picture = Picture { data: Bytes(b"\x89P"), size: 9_007_199_254_740_993 };
    let call = Client::connect(script.path()).call("a:B", "resize").args(("cat.png", picture)).unwrap();
    let call = call.kwarg("fast", true).unwrap().kwarg("mask", [Bytes([0])]).unwrap();
    let call = call.meta("traceparent", "00-1").unwrap().timeout(Duration::from_millis(2500));
    call.execute::<()>().await.unwrap();
    script.finish();
}

#[tokio::test]
async fn arguments_that_are_replaced_take_their_hints_with_them() {
    let script = Script::run(|listener| {
        listener.accept().expect(concat!(
            r#"{"type":"request","id":"$1","app_path":"a:B","action":"echo","args":[1],"#,
            r#""kwargs":{"k":2,"kk":"AA=="},"hints":{"/kwargs/kk":"base64"}}"#
        ));
    });
    let call = Client::connect(script.path()).call("a:B", "echo").arg(Bytes([0])).unwrap().args([1]).unwrap();
    let call = call.kwarg("k", [Bytes([0])]).unwrap().kwarg("kk", Bytes([0])).unwrap().kwarg("k", 2).unwrap();
    call.execute::<()>().await.unwrap_err();
    script.finish();
}

#[tokio::test]
async fn with_accept_hints_bytes_and_numbers_survive_both_ways() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(concat!(
            r#"{"type":"request","id":"$1","app_path":"a:B","action":"echo","args":["9007199254740993","NaN"],"#,
            r#""kwargs":{},"accept_hints":true,"hints":{"/args/0":"int","/args/1":"float"}}"#
        ));
        peer.send(concat!(
            r#"{"type":"response","id":"$1","result":["AAE=","-Infinity","9007199254740993"],"#,
            r#""hints":{"/result/0":"base64","/result/1":"float","/result/2":"int"}}"#
        ));
        peer.expect(
            r#"{"type":"request","id":"$2","app_path":"a:B","action":"echo","args":[],"kwargs":{},"accept_hints":true}"#,
        );
        peer.send(r#"{"type":"chunk","id":"$2","data":{"b":"AA=="},"hints":{"/data/b":"base64"}}"#);
        peer.send(r#"{"type":"end","id":"$2"}"#);
    });
    let client = Client::with_options(script.path(), ClientOptions::new().accept_hints());
    let result: (Bytes, f64, u64) =
        client.execute("a:B", "echo", (9_007_199_254_740_993_u64, f64::NAN)).await.unwrap();
    assert_eq!(result, (Bytes(vec![0, 1]), f64::NEG_INFINITY, 9_007_199_254_740_993));
    #[derive(Deserialize)]
    struct Item {
        b: Bytes,
    }
    let mut stream: Stream<Item> = client.stream("a:B", "echo", ()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().b, Bytes(vec![0]));
    assert!(stream.next().await.is_none());
    script.finish();
}

#[tokio::test]
async fn raw_values_go_in_and_out_as_they_are() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&echo("$1", r#"[{ "n": 1.10 }]"#));
        peer.send(r#"{"type":"response","id":"$1","result":{"e": 1e400, "s": "\ud83d", "n": 1.10}}"#);
    });
    let client = Client::connect(script.path());
    let argument = RawValue::from_string(r#"{ "n": 1.10 }"#.into()).unwrap();
    let result: Box<RawValue> = client.execute("a:B", "echo", [argument]).await.unwrap();
    assert_eq!(result.get(), r#"{"e": 1e400, "s": "\ud83d", "n": 1.10}"#);
    script.finish();
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_here_and_the_connection_is_untouched() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.echo_one("1");
        peer.echo_one("2");
    });
    let options = ClientOptions::new().limits(Limits { max_payload: 1000, ..Limits::default() });
    let client = Client::with_options(script.path(), options);
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    let long = "x".repeat(1000);
    for (refused, expected) in [
        (client.execute::<u8>("a:B", "echo", (&long,)).await, "expected at most 1000 bytes (FRAME-3)"),
        (client.execute::<u8>("a:B", "echo", (1, [f64::NAN])).await, "value at /args/1/0: NaN is not JSON"),
        (client.execute::<u8>("", "echo", ()).await, "expected a string of 1 to 1024 characters"),
        (client.execute::<u8>("a:B", &long, ()).await, "expected a string of 1 to 256 characters"),
        (
            client.call("a:B", "echo").timeout(Duration::ZERO).execute().await,
            "invalid Timeout: expected a number above 0",
        ),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.error_type(), &ErrorType::DirtyProtocolError);
        assert!(error.message().starts_with("nothing was sent: "), "{error}");
        assert!(error.message().contains(expected), "{error}");
    }
    assert_eq!(client.execute::<u8>("a:B", "echo", (2,)).await, Ok(2));
    script.finish();
}

#[tokio::test]
async fn a_result_of_another_type_is_an_error_that_names_the_place() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.echo_one(r#"[1,"two"]"#);
        peer.echo_one("3");
    });
    let client = Client::connect(script.path());
    let error = client.execute::<Vec<u8>>("a:B", "echo", ((1, "two"),)).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyError);
    assert_eq!(error.details().pointer.as_deref(), Some("/result/1"));
    assert_eq!(client.execute::<u8>("a:B", "echo", (3,)).await, Ok(3));
    script.finish();
}

#[tokio::test]
async fn every_error_type_is_raised_as_it_was_sent_and_the_connection_lives() {
    let types = ErrorType::REGISTERED.into_iter().chain(["DirtyWeatherError"]);
    let script = Script::run({
        let types = types.clone();
        |listener| {
            let mut peer = listener.accept();
            for (index, name) in types.enumerate() {
                peer.forget(1);
                peer.expect(&echo("$1", &format!("[{index}]")));
                peer.send(&format!(
                    r#"{{"type":"error","id":"$1","error":{{"error_type":"{name}","message":"m{index}","details":{{"app_path":"a:B","mm":12}}}}}}"#
                ));
            }
            peer.echo_one("1");
        }
    });
    let client = Client::connect(script.path());
    for (index, name) in types.enumerate() {
        let error = client.execute::<u8>("a:B", "echo", (index,)).await.unwrap_err();
        assert_eq!(error.error_type().as_str(), name);
        assert_eq!(error.message(), format!("m{index}"));
        assert_eq!(error.details().app_path.as_ref().unwrap(), &"a:B");
        assert_eq!(error.details().other["mm"].get(), "12");
        let known = if name == "DirtyWeatherError" { "DirtyError" } else { name };
        assert_eq!(error.error_type().known().as_str(), known, "ERR-2");
    }
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

#[tokio::test]
async fn interleaved_replies_reach_their_callers() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&echo("$1", r#"["one"]"#));
        peer.expect(&echo("$2", r#"["two"]"#));
        peer.send(r#"{"type":"response","id":"$2","result":"two"}"#);
        peer.send(r#"{"type":"response","id":"$1","result":"one"}"#);
    });
    let client = Client::connect(script.path());
    let (one, two) = tokio::join!(
        client.execute::<String>("a:B", "echo", ("one",)),
        client.execute::<String>("a:B", "echo", ("two",))
    );
    assert_eq!((one.unwrap().as_str(), two.unwrap().as_str()), ("one", "two"));
    script.finish();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_at_once_share_one_connection() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        let mut requests: Vec<(String, String)> = (0..100).map(|_| parse_echo(&peer.read())).collect();
        // Answered in an order that has nothing to do with that of the requests.
        requests.sort_by_key(|(_, argument)| argument.chars().rev().collect::<String>());
        for (id, argument) in requests {
            peer.send(&format!(r#"{{"type":"response","id":"{id}","result":{argument}}}"#));
        }
    });
    let client = Client::connect(script.path());
    let calls: Vec<_> = (0..100_u32)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.execute::<u32>("a:B", "echo", (number,)).await })
        })
        .collect();
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok(number));
    }
    script.finish();
}

/// The id and the one argument of an echo request.
fn parse_echo(request: &str) -> (String, String) {
    let rest = request.strip_prefix(r#"{"type":"request","id":""#).unwrap();
    let (id, rest) = rest.split_once('"').unwrap();
    let rest = rest.strip_prefix(r#","app_path":"a:B","action":"echo","args":["#).unwrap();
    (id.to_owned(), rest.split_once(']').unwrap().0.to_owned())
}

/// With paused time, a limit passes as soon as there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_cancelled_and_its_late_reply_reaches_nobody() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(
            r#"{"type":"request","id":"$1","app_path":"a:B","action":"sleep","args":[9],"kwargs":{},"timeout":0.2}"#,
        );
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.expect(&echo("$2", "[2]"));
        peer.send(r#"{"type":"response","id":"$1","result":"late"}"#);
        peer.send(r#"{"type":"error","id":"$1","error":{"error_type":"DirtyCancelledError","message":"","details":{}}}"#);
        peer.send(r#"{"type":"response","id":"$2","result":2}"#);
    });
    let client = Client::connect(script.path());
    let call = client.call("a:B", "sleep").arg(9).unwrap().timeout(Duration::from_millis(200));
    let error = call.execute::<String>().await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyTimeoutError);
    assert_eq!(error.message(), "no result from a:B sleep within 0.2 s; the call was cancelled");
    assert_eq!(error.details().timeout.map(|limit| limit.get()), Some(0.2));
    assert_eq!(error.details().action.as_ref().unwrap(), &"sleep");
    let call = client.call("a:B", "echo").arg(2).unwrap().no_timeout();
    assert_eq!(call.execute::<u8>().await, Ok(2));
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn the_default_limit_is_not_told_to_the_arbiter_and_is_longer_than_the_arbiters_own() {
    let script = Script::run(|listener| {
        let mut peer = listener.accept();
        peer.expect(&echo("$1", "[]"));
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
    });
    let client = Client::connect(script.path());
    let start = tokio::time::Instant::now();
    let error = client.execute::<u8>("a:B", "echo", ()).await.unwrap_err();
    assert_eq!(error.error_type(), &ErrorType::DirtyTimeoutError);
    assert_eq!(start.elapsed().as_secs(), 330);
    script.finish();
}

#[tokio::test]
async fn a_call_whose_future_is_dropped_is_cancelled_and_the_connection_stays_usable() {
    let (requested, request) = std::sync::mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.echo_one("0");
        peer.expect(&echo("$1", "[1]"));
        requested.send(()).unwrap();
        peer.expect(r#"{"type":"cancel","id":"$1"}"#);
        peer.send(r#"{"type":"response","id":"$1","result":1}"#);
        peer.echo_one("2");
    });
    let client = Client::connect(script.path());
    assert_eq!(client.execute::<u8>("a:B", "echo", (0,)).await, Ok(0));
    {
        let mut call = pin!(client.execute::<u8>("a:B", "echo", (1,)));
        assert!(poll_once(call.as_mut()).await.is_pending());
        request.recv().unwrap();
    }
    assert_eq!(client.execute::<u8>("a:B", "echo", (2,)).await, Ok(2));
    script.finish();
}

#[tokio::test]
async fn a_request_that_was_not_written_yet_leaves_with_its_caller() {
    let (go, gone) = std::sync::mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.echo_one("0");
        gone.recv().unwrap();
        let (id, _) = parse_echo(&peer.read());
        peer.send(&format!(r#"{{"type":"response","id":"{id}","result":1}}"#));
        // Neither the request that was given up, nor a cancel for it.
        peer.echo_one("3");
    });
    let client = Client::connect(script.path());
    assert_eq!(client.execute::<u8>("a:B", "echo", (0,)).await, Ok(0));
    // Far more than a socket takes without a reader.
    let mut large = pin!(client.execute::<u8>("a:B", "echo", ("x".repeat(8 << 20),)));
    assert!(poll_once(large.as_mut()).await.is_pending());
    for _ in 0..100 {
        let mut call = pin!(client.execute::<u8>("a:B", "echo", (2,)));
        assert!(poll_once(call.as_mut()).await.is_pending());
    }
    go.send(()).unwrap();
    assert_eq!(large.await, Ok(1));
    assert_eq!(client.execute::<u8>("a:B", "echo", (3,)).await, Ok(3));
    script.finish();
}

#[tokio::test]
async fn a_request_that_was_written_in_part_is_finished_and_then_cancelled() {
    let (go, gone) = std::sync::mpsc::channel();
    let script = Script::run(move |listener| {
        let mut peer = listener.accept();
        peer.echo_one("0");
        gone.recv().unwrap();
        let (id, argument) = parse_echo(&peer.read());
        assert_eq!(argument.len(), (8 << 20) + 2);
        assert_eq!(peer.read(), format!(r#"{{"type":"cancel","id":"{id}"}}"#));
        peer.echo_one("1");
    });
    let client = Client::connect(script.path());
    assert_eq!(client.execute::<u8>("a:B", "echo", (0,)).await, Ok(0));
    {
        let mut large = pin!(client.execute::<u8>("a:B", "echo", ("x".repeat(8 << 20),)));
        assert!(poll_once(large.as_mut()).await.is_pending());
    }
    go.send(()).unwrap();
    assert_eq!(client.execute::<u8>("a:B", "echo", (1,)).await, Ok(1));
    script.finish();
}

/// Polls a future once.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[test]
fn calls_can_be_spawned_and_clients_shared() {
    fn is_send<T: Send>(_: T) {}
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let client = Client::connect("/nowhere");
    is_shared(&client);
    is_send(client.execute::<u8>("a:B", "echo", ()));
    is_send(client.call("a:B", "echo").execute::<u8>());
    is_send(client.stream::<u8>("a:B", "echo", ()));
    fn is_stream<S: futures_util::Stream<Item = Result<u8, DirtyError>> + Send + Unpin>() {}
    is_stream::<Stream<u8>>();
}
