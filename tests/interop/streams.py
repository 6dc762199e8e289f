"""stream() of gunicorn's stock client, and what that client does to streams it does not read to the end."""

import itertools

from gunicorn.dirty import DirtyAppError, DirtyClient, DirtyError

from checks import APP, LONG, SOCKET, cancel, check, equal, main, raises


@check
def a_stream_yields_its_items_in_order():
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "count", 100)), list(range(100)))


@check
def an_async_generator_streams_the_same_way():
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "count_async", 5)), [0, 1, 2, 3, 4])


@check
def an_empty_stream_yields_nothing():
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "empty")), [])
        equal(list(client.stream(APP, "count", 0)), [])


@check
def thousands_of_items_arrive_in_order():
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "count", 5_000)) == list(range(5_000)), True)


@check
def items_arrive_when_they_are_made():
    with DirtyClient(SOCKET) as client:
        # The first is here, and the second is not made for a long time.
        stream = client.stream(APP, "slow_count", 2, LONG)
        equal(next(stream), 0)
        cancel(client, stream)
        with raises(DirtyError) as raised:
            next(stream)
        # Of DirtyCancelledError, which the stock client does not know, it makes the base class.
        equal(raised.error.details["app_path"], APP)


@check
def a_stream_that_fails_midway_yields_its_items_first():
    with DirtyClient(SOCKET) as client:
        seen = []
        with raises(DirtyAppError) as raised:
            for item in client.stream(APP, "count_then_fail", 3):
                seen.append(item)
        equal(seen, [0, 1, 2])
        equal(raised.error.message, "boom")
        # gunicorn's own arbiter leaves both out of the errors of streams.
        equal(raised.error.app_path, APP)
        equal(raised.error.action, "count_then_fail")


@check
def a_stream_that_fails_leaves_the_connection_usable():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyAppError):
            list(client.stream(APP, "count_then_fail", 0))
        connection = client._sock
        equal(client.execute(APP, "echo", 1)["args"], [1])
        equal(client._sock is connection, True)


@check
def a_stream_and_a_call_take_turns_on_one_client():
    with DirtyClient(SOCKET) as client:
        for number in range(20):
            equal(list(client.stream(APP, "count", 3)), [0, 1, 2])
            equal(client.execute(APP, "echo", number)["args"], [number])


@check
def the_stock_client_loses_a_plain_result_that_it_streams():
    # Its habit, not ours: the response arrives, and the client ends the stream without yielding it.
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "echo", 42)), [])
        equal(client.execute(APP, "echo", 43)["args"], [43])


@check
def execute_on_a_stream_is_an_error_and_the_next_call_works():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyError) as raised:
            client.execute(APP, "count", 3)
        equal("chunk" in raised.error.message, True)
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def a_stream_left_without_closing_costs_the_stock_client_one_call():
    # The rest of the stream is still in its socket; the next call reads that, drops the connection, and the one after
    # it works. The arbiter cannot help: nothing tells it that the reader has gone.
    with DirtyClient(SOCKET) as client:
        equal(next(client.stream(APP, "count", 3)), 0)
        with raises(DirtyError):
            client.execute(APP, "echo", "lost")
        equal(client.execute(APP, "echo", "found")["args"], ["found"])


@check
def streams_left_with_a_close_free_their_workers():
    # More than there are workers, and more items than the sockets' buffers hold.
    for _ in range(6):
        client = DirtyClient(SOCKET)
        equal(list(itertools.islice(client.stream(APP, "count", 20_000), 2)), [0, 1])
        client.close()
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def streams_that_nobody_reads_hold_up_nobody_else():
    # One of the two workers is stuck behind a reader that has stopped; the other serves everybody.
    stuck = DirtyClient(SOCKET)
    equal(next(stuck.stream(APP, "count", 200_000)), 0)
    with DirtyClient(SOCKET) as client:
        for number in range(20):
            equal(client.execute(APP, "echo", number)["args"], [number])
        equal(list(client.stream(APP, "count", 10)), list(range(10)))
    stuck.close()


main()
