"""Bytes that are no messages, and how gunicorn's stock client reads the arbiter's refusal."""

import json
import struct
from unittest import mock

from gunicorn.dirty import DirtyClient, DirtyConnectionError, DirtyError, DirtyProtocolError
from gunicorn.dirty.protocol import DirtyProtocol, make_request

from checks import APP, SOCKET, check, equal, main, raises


def framed(payload):
    return struct.pack(">I", len(payload)) + payload


BAD_FRAMES = {
    "length zero": struct.pack(">I", 0),
    "length over the limit": struct.pack(">I", 64 * 1024 * 1024 + 1),
    "not UTF-8": framed(b'{"a": "\xff"}'),
    "not JSON": framed(b"{'a': 1}"),
    "not an object": framed(b"[1]"),
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
}


@check
def a_bad_frame_is_refused_and_the_connection_closed():
    for name, sent in BAD_FRAMES.items():
        with DirtyClient(SOCKET) as client:
            client._sock.sendall(sent)
            refused = DirtyProtocol.read_message(client._sock)
            equal((name, refused["type"], refused["id"]), (name, "error", None))
            error = DirtyError.from_dict(refused["error"])
            equal((name, type(error)), (name, DirtyProtocolError))
            equal(error.details["requirement"].startswith("FRAME-"), True)
            with raises(DirtyProtocolError) as raised:
                DirtyProtocol.read_message(client._sock)
            equal(raised.error.message, "Connection closed")


@check
def a_bad_frame_in_a_call_is_dirty_protocol_error_and_the_client_works_again():
    # gunicorn's arbiter only closes; here its client learns what was wrong.
    with DirtyClient(SOCKET) as client:
        with mock.patch.object(DirtyProtocol, "encode", lambda _: framed(b"nonsense")):
            with raises(DirtyProtocolError) as raised:
                client.execute(APP, "echo", 1)
            equal(raised.error.details["requirement"], "FRAME-10")
            with raises(DirtyProtocolError):
                list(client.stream(APP, "count", 1))
        # A stream's error leaves the client the connection that the arbiter has closed: one call finds that out.
        with raises(DirtyProtocolError, DirtyConnectionError):
            client.execute(APP, "echo", 1)
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def a_truncated_frame_and_a_close_harm_nobody():
    for sent in [b"\x00\x00", struct.pack(">I", 100) + b'{"type": "req']:
        client = DirtyClient(SOCKET)
        client.connect()
        client._sock.sendall(sent)
        client.close()
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def a_bad_message_is_refused_with_its_id_and_the_connection_lives():
    request = make_request("r1", APP, "echo")
    bad = [
        {**request, "args": None},
        {**request, "kwargs": [1]},
        {**request, "action": 5},
        {**request, "type": "stash"},
        {"type": "response", "id": "r1", "result": 1},
    ]
    with DirtyClient(SOCKET) as client:
        for message in bad:
            DirtyProtocol.write_message(client._sock, message)
            refused = DirtyProtocol.read_message(client._sock)
            equal((refused["type"], refused["id"]), ("error", "r1"))
            equal(refused["error"]["error_type"], "DirtyProtocolError")
        connection = client._sock
        equal(client.execute(APP, "echo", 1)["args"], [1])
        equal(client._sock is connection, True)


@check
def a_request_byte_by_byte_is_a_request():
    with DirtyClient(SOCKET) as client:
        for byte in DirtyProtocol.encode(make_request("r1", APP, "echo", args=("é",))):
            client._sock.sendall(bytes([byte]))
        equal(DirtyProtocol.read_message(client._sock)["result"], {"args": ["é"], "kwargs": {}})


@check
def raw_utf8_and_unknown_members_are_welcome():
    message = {**make_request("r1", APP, "echo", args=("日本",)), "meta": {"traceparent": "00"}, "future": [1]}
    with DirtyClient(SOCKET) as client:
        client._sock.sendall(framed(json.dumps(message, ensure_ascii=False, indent=1).encode()))
        equal(DirtyProtocol.read_message(client._sock)["result"]["args"], ["日本"])


main()
