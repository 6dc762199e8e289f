"""gunicorn's stock client, our arbiter, and gunicorn's own dirty worker with an app in plain Python.

The arbiter runs one worker with one slot and --compat gunicorn, so that every check meets what the one before it left
in that worker's connection."""

import math

from gunicorn.dirty import DirtyAppError, DirtyClient, DirtyWorkerError
from gunicorn.dirty.protocol import DirtyProtocol, make_request

from checks import APP, SOCKET, check, equal, main, raises


@check
def calls_and_values_pass():
    values = [None, True, 1.5, 10**30, "é日👩", [[]], {"a": {}}]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", *values, ключ=1), {"args": values, "kwargs": {"ключ": 1}})
        equal(client.execute(APP, "big", 4_000_000) == "x" * 4_000_000, True)


@check
def streams_pass():
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "count", 500)), list(range(500)))
        equal(list(client.stream(APP, "count_async", 3)), [0, 1, 2])
        equal(list(client.stream(APP, "empty")), [])


@check
def the_literals_for_nan_and_infinity_pass_both_ways():
    with DirtyClient(SOCKET) as client:
        equal(math.isnan(client.execute(APP, "nan")), True)
        equal(client.execute(APP, "echo", float("-inf"))["args"], [float("-inf")])


@check
def the_errors_of_the_worker_arrive_as_it_sent_them():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyAppError) as raised:
            client.execute(APP, "fail", "no luck")
        equal((raised.error.message, raised.error.app_path, raised.error.action), ("no luck", APP, "fail"))
        equal(raised.error.traceback.startswith("Traceback"), True)
        with raises(DirtyAppError) as raised:
            client.execute(APP, "blob", 3)
        equal(raised.error.action, "blob")


@check
def a_stream_that_fails_midway_yields_its_items_first():
    seen = []
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        for item in client.stream(APP, "count_then_fail", 3):
            seen.append(item)
    equal(seen, [0, 1, 2])
    equal(raised.error.message, "boom")
    # gunicorn's worker names neither app nor action here, and the arbiter changes nothing in a worker's error.
    equal((raised.error.app_path, raised.error.action), (None, None))


@check
def a_cancelled_call_is_answered_and_its_remains_reach_nobody():
    # The worker knows no cancel: it finishes, answers, and then complains about the message, all for an id that nobody
    # waits for any more. The next call waits for the slot and gets its own answer.
    with DirtyClient(SOCKET) as client:
        for number in range(3):
            DirtyProtocol.write_message(client._sock, make_request("gone", APP, "sleep", args=(0.3, "late")))
            DirtyProtocol.write_message(client._sock, {"type": "cancel", "id": "gone"})
            answer = DirtyProtocol.read_message(client._sock)
            equal((answer["id"], answer["error"]["error_type"]), ("gone", "DirtyCancelledError"))
            equal(client.execute(APP, "echo", number)["args"], [number])


@check
def a_worker_that_outstays_its_time_is_replaced():
    with DirtyClient(SOCKET) as client:
        before = client.execute(APP, "whoami")["pid"]
        request = {**make_request("slow", APP, "hang"), "timeout": 0.2}
        DirtyProtocol.write_message(client._sock, request)
        answer = DirtyProtocol.read_message(client._sock)
        equal((answer["id"], answer["error"]["error_type"]), ("slow", "DirtyTimeoutError"))
        equal(client.execute(APP, "whoami")["pid"] == before, False)


@check
def a_worker_that_dies_is_replaced():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyWorkerError) as raised:
            client.execute(APP, "die", 7)
        equal(raised.error.details["exit_code"], 7)
        equal(client.execute(APP, "incr", "new"), 1)


main()
