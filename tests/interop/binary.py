"""The binary codec of gunicorn 25.1 and later, byte by byte, beside its stock client.

The arbiter runs two workers with the built-in fixture."""

import json
import math
import socket
import struct

from gunicorn.dirty import DirtyAppNotFoundError, DirtyClient, DirtyError, DirtyProtocolError
from gunicorn.dirty.protocol import BinaryProtocol

from checks import APP, LONG, SOCKET, check, equal, main, raises

LIMIT = 64 * 1024 * 1024


def frame(kind, number, payload=b"", *, magic=b"GD", version=1, length=None):
    return struct.pack("!2sBBIQ", magic, version, kind, len(payload) if length is None else length, number) + payload


def text(value):
    return b"\x11" + struct.pack("!I", len(value)) + value


def request(number, action, *args):
    return BinaryProtocol.encode_request(number, APP, action, args, {})


class Raw:
    """A connection without a client."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(SOCKET)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next message: its type, the number in its header, and its payload."""
        header = self.exactly(16)
        equal(header[:3], b"GD\x01")
        kind, length, number = struct.unpack("!BIQ", header[3:])
        payload = self.exactly(length)
        return BinaryProtocol.decode_message(header + payload)[0], number, BinaryProtocol.decode_message(header + payload)[2]

    def exactly(self, count):
        got = b""
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            if not more:
                raise EOFError(f"the connection ended after {len(got)} of {count} bytes")
            got += more
        return got


@check
def an_echo_is_these_bytes():
    with Raw() as raw:
        call = text(b"app_path") + text(APP.encode()) + text(b"action") + text(b"echo")
        call += text(b"args") + b"\x20\x00\x00\x00\x01" + b"\x05" + (7).to_bytes(8, "big")
        call += text(b"kwargs") + b"\x21\x00\x00\x00\x00"
        raw.send(frame(1, 99, b"\x21\x00\x00\x00\x04" + call))
        answer = b"\x21\x00\x00\x00\x01" + text(b"result") + b"\x21\x00\x00\x00\x02"
        answer += text(b"args") + b"\x20\x00\x00\x00\x01" + b"\x05" + (7).to_bytes(8, "big")
        answer += text(b"kwargs") + b"\x21\x00\x00\x00\x00"
        equal(raw.exactly(16 + len(answer)), frame(2, 99, answer))


@check
def every_value_of_the_codec_comes_back_as_it_was():
    values = [None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**53, 0.0, 1.0, 1e300, 5e-324, "", "é日👩\x00", b"", bytes(range(256))]
    nested = {"a": [[], {}, {"b/~": b"x", "": [b"y"]}], "c": float("inf"), "d": float("-inf")}
    with DirtyClient(SOCKET) as client:
        answer = client.execute(APP, "echo", *values, nested, key=b"z")
        equal([(type(one), one) for one in answer["args"]], [(type(one), one) for one in [*values, nested]])
        equal(answer["kwargs"], {"key": b"z"})
        negative = client.execute(APP, "echo", -0.0)["args"][0]
        equal(math.copysign(1, negative), -1.0)
        equal(math.isnan(client.execute(APP, "echo", float("nan"))["args"][0]), True)
        equal(math.isnan(client.execute(APP, "nan")), True)
        equal(client.execute(APP, "blob", 3), b"\0\0\0")
        equal(client.execute(APP, "blob", 1_000_000) == bytes(1_000_000), True)


@check
def a_request_byte_by_byte_is_a_request():
    with Raw() as raw:
        for byte in request(5, "echo", "é"):
            raw.send(bytes([byte]))
        equal(raw.receive()[:2], ("response", 5))


@check
def ids_are_any_64_bits():
    with Raw() as raw:
        for number in [0, 1, 2**63, 2**64 - 1]:
            raw.send(request(number, "echo", 1))
            equal(raw.receive()[:2], ("response", number))


@check
def requests_on_one_connection_run_side_by_side():
    with Raw() as raw:
        raw.send(request(1, "sleep", 0.3, "slow") + request(2, "sleep", 0, "quick"))
        equal([raw.receive()[:2] for _ in range(2)], [("response", 2), ("response", 1)])


@check
def an_id_in_flight_is_refused_and_the_first_is_unharmed():
    with Raw() as raw:
        raw.send(request(7, "sleep", 0.3, "first") + request(7, "echo"))
        kind, number, payload = raw.receive()
        equal((kind, number, payload["error"]["details"]["id"]), ("error", 0, "7"))
        equal(raw.receive()[:2], ("response", 7))


@check
def a_cancel_ends_a_call_at_once():
    with Raw() as raw:
        raw.send(request(3, "sleep", LONG, 0) + frame(0x20, 3))
        kind, number, payload = raw.receive()
        equal((kind, number, payload["error"]["error_type"]), ("error", 3, "DirtyCancelledError"))
        raw.send(request(3, "echo", "again"))
        equal(raw.receive()[:2], ("response", 3))


BAD_FRAMES = {
    "another version": (frame(1, 1, version=2), "GD-2"),
    "length over the limit": (frame(1, 1, length=LIMIT + 1), "FRAME-3"),
    "a payload that is cut": (frame(1, 1, b"\x21\x00\x00\x00\x01" + text(b"a")), "GD-5"),
    "bytes after the payload": (frame(1, 1, b"\x21\x00\x00\x00\x00\x00"), "GD-5"),
    "a list": (frame(1, 1, b"\x20\x00\x00\x00\x00"), "GD-5"),
    "an unknown type": (frame(1, 1, b"\x21\x00\x00\x00\x01" + text(b"a") + b"\x07"), "GD-5"),
    "a key that is no text": (frame(1, 1, b"\x21\x00\x00\x00\x01\x01\x01" + b"\x00" * 5), "GD-5"),
    "text that is not UTF-8": (frame(1, 1, b"\x21\x00\x00\x00\x01" + text(b"a") + text(b"\xff")), "GD-5"),
    "a count of 2^32 - 1": (frame(1, 1, b"\x21\xff\xff\xff\xff"), "GD-5"),
    "a list of 2^32 - 1": (frame(1, 1, b"\x21\x00\x00\x00\x01" + text(b"args") + b"\x20\xff\xff\xff\xff"), "GD-5"),
}


@check
def a_bad_frame_is_refused_and_the_connection_closed():
    for name, (sent, requirement) in BAD_FRAMES.items():
        with Raw() as raw:
            raw.send(sent)
            kind, number, payload = raw.receive()
            equal((name, kind, number), (name, "error", 0))
            equal((name, payload["error"]["error_type"]), (name, "DirtyProtocolError"))
            equal((name, payload["error"]["details"]["requirement"]), (name, requirement))
            equal((name, raw.socket.recv(1)), (name, b""))


@check
def a_bad_message_is_refused_with_its_id_and_the_connection_lives():
    whole = {"app_path": APP, "action": "echo", "args": [], "kwargs": {}}
    deep = b"\x20\x00\x00\x00\x01" * 600 + b"\x00"
    bad = [
        (1, {**whole, "args": None}, "MSG-10"),
        (1, {**whole, "kwargs": [1]}, "MSG-10"),
        (1, {**whole, "action": 5}, "MSG-9"),
        (1, {"action": "echo"}, "MSG-8"),
        (2, {"result": 1}, "MSG-11"),
        (5, None, "MSG-11"),
        (0x10, {"op": 9, "table": ""}, "EXT-1"),
        (0x11, None, "EXT-1"),
        (0x12, {"op": 2, "count": 1}, "EXT-1"),
        (0x7F, None, "MSG-11"),
    ]
    with Raw() as raw:
        for kind, payload, requirement in bad:
            from gunicorn.dirty.tlv import TLVEncoder

            raw.send(frame(kind, 4, b"" if payload is None else TLVEncoder.encode(payload)))
            answer, number, refused = raw.receive()
            equal((kind, answer, number), (kind, "error", 4))
            equal((kind, refused["error"]["details"]["requirement"]), (kind, requirement))
        nested = b"\x21\x00\x00\x00\x03" + text(b"app_path") + text(APP.encode()) + text(b"action") + text(b"echo")
        raw.send(frame(1, 4, nested + text(b"args") + b"\x20\x00\x00\x00\x01" + deep))
        answer, number, refused = raw.receive()
        equal((answer, number, refused["error"]["details"]["requirement"]), ("error", 4, "VAL-3"))
        raw.send(request(4, "echo", 1))
        equal(raw.receive()[:2], ("response", 4))


@check
def what_the_header_says_a_payload_does_not_change():
    from gunicorn.dirty.tlv import TLVEncoder

    payload = {"type": "status", "id": 8, "app_path": APP, "action": "echo", "args": [b"x"], "hints": {"/args/0": "int"}}
    with Raw() as raw:
        raw.send(frame(1, 6, TLVEncoder.encode(payload)))
        kind, number, answer = raw.receive()
        equal((kind, number, answer["result"]["args"]), ("response", 6, [b"x"]))


@check
def a_result_that_is_too_long_in_json_is_an_error_of_the_call():
    # 60 MB of bytes make 80 MB of base64, which no frame holds.
    with DirtyClient(SOCKET) as client:
        with raises(DirtyProtocolError) as raised:
            client.execute(APP, "echo", bytes(60_000_000))
        equal(raised.error.details["requirement"], "GD-11")
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def one_connection_speaks_one_codec():
    message = json.dumps({"type": "request", "id": "r1", "app_path": APP, "action": "echo", "args": [], "kwargs": {}}).encode()
    with Raw() as raw:
        raw.send(request(1, "echo"))
        equal(raw.receive()[:2], ("response", 1))
        raw.send(struct.pack("!I", len(message)) + message)
        kind, number, payload = raw.receive()
        equal((kind, number, payload["error"]["details"]["requirement"]), ("error", 0, "GD-9"))
        equal(raw.socket.recv(1), b"")


@check
def both_codecs_are_served_at_once():
    message = json.dumps({"type": "request", "id": "r1", "app_path": APP, "action": "echo", "args": ["json"], "kwargs": {}}).encode()
    with Raw() as older, Raw() as newer:
        for _ in range(3):
            older.send(struct.pack("!I", len(message)) + message)
            newer.send(request(1, "echo", "gd"))
            (length,) = struct.unpack("!I", older.exactly(4))
            equal(json.loads(older.exactly(length))["result"]["args"], ["json"])
            equal(newer.receive()[2]["result"]["args"], ["gd"])


@check
def the_errors_have_the_classes_of_the_documentation():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyAppNotFoundError) as raised:
            client.execute("no:App", "x")
        equal(raised.error.app_path, "no:App")
        with raises(DirtyError) as raised:
            client.execute(APP, "count", 3)
        equal("Unknown response type" in raised.error.message, True)


main()
