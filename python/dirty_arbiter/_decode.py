"""Payloads into messages: what is a bad frame, what is a bad message, and what may be used of either."""

from __future__ import annotations

from typing import Any

from . import _json
from ._frame import BadFrame, Limits
from ._shape import Misshapen, shown
from ._shapes import MESSAGES, RECEIVERS, RESERVED

_ID = MESSAGES["end"].members["id"]
_TYPE_EXPECTED = "a string"


class BadMessage(Exception):
    """A JSON object that is no message of the protocol. The connection it came on lives (MSG-5)."""

    def __init__(self, problem: str, pointer: str, requirement: str, request_id: str | None) -> None:
        super().__init__(f"bad message at {pointer or 'the top level'}: {problem} ({requirement})")
        self.pointer = pointer
        self.requirement = requirement
        self.request_id = request_id
        """The id of the message, when it has one that may be used in the answer."""


class Unreadable(Exception):
    """A good message with a value that this program cannot hold."""

    def __init__(self, message: dict[str, Any], problem: str, pointer: str) -> None:
        super().__init__(problem)
        self.message = message
        self.problem = problem
        self.pointer = pointer


def decode(payload: bytes, limits: Limits, receiver: str) -> dict[str, Any]:
    """Reads a payload as a message that a `receiver` (`client` or `worker`) may be sent.

    Raises `BadFrame`, `BadMessage`, or `Unreadable`. Members of the message that nobody knows are kept, and are to be
    ignored (MSG-3)."""
    document = _parse(payload, limits)
    message = document.whole
    repeated: str | None = None
    if message is None:
        message = {}
        for name, value in document.members:
            if name in message and repeated is None:
                repeated = name
            message[name] = value
    request_id = _usable_id(message, document.members)
    if repeated is not None:
        raise BadMessage("repeated member", _json.pointer([repeated]), "MSG-6", request_id)
    if document.non_finite is not None:
        problem = "non-finite number literal, which is not JSON"
        raise BadMessage(problem, document.non_finite, "VAL-2", request_id)
    if document.too_deep is not None:
        problem = f"nested {document.depth} levels deep, expected at most {limits.max_depth}"
        raise BadMessage(problem, document.too_deep, "VAL-3", request_id)
    _check(message, receiver, request_id)
    if document.oversize_integer is not None:
        problem = "an integer with more digits than this Python reads (sys.set_int_max_str_digits)"
        raise Unreadable(message, problem, document.oversize_integer)
    return message


def _parse(payload: bytes, limits: Limits) -> _json.Document:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"payload is not UTF-8: invalid byte at offset {error.start}"
        raise BadFrame(problem, "FRAME-10", payload) from None
    if text.startswith("\ufeff"):
        raise BadFrame("payload is not JSON: byte order mark at offset 0", "FRAME-10", payload)
    try:
        return _json.parse(text, limits.max_depth)
    except _json.NotJson as error:
        offset = len(text[: error.position].encode("utf-8"))
        problem = f"payload is not JSON: {error.problem} at offset {offset}"
        raise BadFrame(problem, "FRAME-10", payload) from None
    except _json.NotAnObject as error:
        raise BadFrame(f"payload is {error}: expected an object", "FRAME-10", payload) from None


def _usable_id(message: dict[str, Any], members: list[tuple[str, Any]]) -> str | None:
    """The id, when it occurs once and is one (MSG-5)."""
    if "id" not in message or (len(members) != len(message) and [name for name, _ in members].count("id") > 1):
        return None
    request_id = message["id"]
    try:
        _ID.shape.check(request_id)
    except Misshapen:
        return None
    return str(request_id)


def _check(message: dict[str, Any], receiver: str, request_id: str | None) -> None:
    if "type" not in message:
        raise BadMessage(f"missing member, expected {_TYPE_EXPECTED}", "/type", "MSG-1", request_id)
    kind = message["type"]
    if not isinstance(kind, str):
        problem = f"expected {_TYPE_EXPECTED}, found {_json.kind_of(kind)}"
        raise BadMessage(problem, "/type", "MSG-1", request_id)
    if not _json.is_text(kind):
        raise BadMessage("lone surrogate escape, expected Unicode text", "/type", "MSG-1", request_id)
    if kind in RESERVED:
        problem = f"message type {shown(kind)} is not served on this socket"
        raise BadMessage(problem, "/type", "EXT-1", request_id)
    shape = MESSAGES.get(kind)
    if shape is None:
        raise BadMessage(f"unknown message type {shown(kind)}", "/type", "MSG-11", request_id)
    try:
        shape.check(message)
    except Misshapen as wrong:
        requirement = wrong.requirement or "MSG-5"
        raise BadMessage(wrong.problem, wrong.pointer, requirement, request_id) from None
    if receiver not in RECEIVERS[kind]:
        problem = f"a {kind} message may not be sent to a {receiver}"
        raise BadMessage(problem, "/type", "MSG-11", request_id)
    # What a sender always writes, a receiver need not find (MSG-4).
    if kind == "request":
        message.setdefault("args", [])
        message.setdefault("kwargs", {})
