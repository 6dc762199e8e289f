"""gunicorn's stock client, our arbiter, and gunicorn's own dirty worker with an app in plain Python.

The arbiter runs one worker with one slot and --compat gunicorn, so that every check meets what the one before it left
in that worker's connection."""

import json
import math
import socket
import struct

from gunicorn.dirty import DirtyAppError, DirtyClient, DirtyWorkerError
from gunicorn.dirty.protocol import DirtyProtocol, make_request

from checks import APP, BINARY, SOCKET, check, equal, json_only, main, raises, send_request


@json_only
def calls_and_values_pass():
    values = [None, True, 1.5, 10**30, "é日👩", [[]], {"a": {}}]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", *values, ключ=1), {"args": values, "kwargs": {"ключ": 1}})
        equal(client.execute(APP, "big", 4_000_000) == "x" * 4_000_000, True)


@check
def every_value_of_the_binary_codec_passes_too():
    if not BINARY:
        return
    values = [None, True, 1.5, 2**62, -0.5, "é日👩", b"\x00\xff", [[]], {"a": {"b": b"c"}}]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", *values, ключ=1), {"args": values, "kwargs": {"ключ": 1}})
        equal(client.execute(APP, "blob", 3), b"\0\0\0")
        equal(client.execute(APP, "big", 4_000_000) == "x" * 4_000_000, True)
        with raises(DirtyAppError) as raised:
            client.execute(APP, "fail", "no luck")
        equal((raised.error.message, raised.error.app_path, raised.error.action), ("no luck", APP, "fail"))


@check
def a_client_of_the_other_codec_reaches_the_same_worker():
    if not BINARY:
        return
    with Json() as client:
        equal(client.call("echo", ["é", 1.5, None]), {"args": ["é", 1.5, None], "kwargs": {}})
        # An id that is no number has one on the way to the worker.
        equal([client.call("incr", ["k"]) for _ in range(3)], [1, 2, 3])
        # What the codec of the worker lacks is named.
        refused = client.error("echo", [0, {"a": 10**30}])
        equal((refused["error_type"], refused["details"]["requirement"]), ("DirtyProtocolError", "GD-11"))
        equal("/args/1/a" in refused["message"], True)
        # So is what the codec of the client lacks; who reads hints gets it.
        refused = client.error("blob", [2])
        equal((refused["error_type"], "/result" in refused["message"]), ("DirtyProtocolError", True))
        equal(client.call("blob", [2], accept_hints=True), "AAA=")
        equal(client.call("echo", ["still here"])["args"], ["still here"])


class Json:
    """A client of json/1, without a library."""

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(SOCKET)
        return self

    def __exit__(self, *_):
        self._socket.close()

    def call(self, action, args, **members):
        return self._ask(action, args, members)["result"]

    def error(self, action, args):
        return self._ask(action, args, {})["error"]

    def _ask(self, action, args, members):
        message = {"type": "request", "id": "an id", "app_path": APP, "action": action, "args": args, "kwargs": {}}
        payload = json.dumps({**message, **members}).encode()
        self._socket.sendall(struct.pack("!I", len(payload)) + payload)
        (length,) = struct.unpack("!I", self._socket.recv(4, socket.MSG_WAITALL))
        answer = json.loads(self._socket.recv(length, socket.MSG_WAITALL))
        equal(answer["id"], "an id")
        return answer


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


@json_only
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


@json_only
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
        number = send_request(client._sock, request)
        answer = DirtyProtocol.read_message(client._sock)
        equal((answer["id"], answer["error"]["error_type"]), (number, "DirtyTimeoutError"))
        equal(client.execute(APP, "whoami")["pid"] == before, False)


@check
def a_worker_that_dies_is_replaced():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyWorkerError) as raised:
            client.execute(APP, "die", 7)
        equal(raised.error.details["exit_code"], 7)
        equal(client.execute(APP, "incr", "new"), 1)


main()
