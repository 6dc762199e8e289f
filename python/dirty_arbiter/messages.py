"""The messages of the dirty protocol, as types.

Made by tools/generate_messages.py from schemas/dirty-v1.schema.json. Do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union

__all__ = [
    "ActionName",
    "AppPath",
    "CancelMessage",
    "ChunkMessage",
    "DirtyMessage",
    "EndMessage",
    "ErrorDetails",
    "ErrorMessage",
    "ErrorObject",
    "ErrorType",
    "Hint",
    "Hints",
    "JsonValue",
    "Phase",
    "RawData",
    "RequestId",
    "RequestMessage",
    "ResponseMessage",
    "Seconds",
    "Timeout",
]

ErrorType = str
"""The type of an error. The examples are all the registered names, and a sender uses no other (ERR-1); a
receiver reads a name it does not know as DirtyError (ERR-2)."""

Phase = str
"""The phase of a request in which its limit was exceeded: waiting for a free worker slot, waiting for a worker
to boot, running, or streaming. The examples are all the registered names (TIME-1, TIME-7); a receiver accepts
others."""

RequestId = str
"""The id of a request: 1 to 256 Unicode characters, opaque, chosen by the client, and unique among the requests
in flight on its connection (MSG-7, CORR-6, CORR-8)."""

AppPath = str
"""The name of an app: 1 to 1024 Unicode characters, such as module:Class, opaque to all but the worker that
serves it (MSG-8)."""

ActionName = str
"""The name of an action of an app: 1 to 256 Unicode characters (MSG-9)."""

RawData = str
"""At most 100 bytes, written as two lower-case hexadecimal digits each (ERR-9)."""

Timeout = float
"""A duration in seconds, longer than nothing and at most a thousand million (TIME-2)."""

Seconds = float
"""A duration in seconds, at most a thousand million (ERR-9)."""

Hint = Literal["base64", "int", "float"]
"""What a string stands for: base64 for bytes (RFC 4648, section 4), int for an integer in decimal, float for
NaN, Infinity or -Infinity (VAL-5)."""

JsonValue = Any
"""Any JSON value. Every hop relays its text byte for byte (VAL-1)."""

Hints = dict[str, Hint]
"""A JSON Pointer (RFC 6901) into the same message, starting with /args, /kwargs, /result or /data, to what the
string at that place stands for (VAL-5)."""


class _RequestMessageOptional(TypedDict, total=False):
    timeout: Timeout
    """How long the sender is willing to wait for the first message, and then in every gap of a stream; it only
    ever shortens the arbiter's own limits (TIME-2)."""
    meta: dict[str, JsonValue]
    """Data about the request, such as a trace context, that every hop passes on untouched (EXT-2)."""
    accept_hints: bool
    """Whether the sender reads hints in the replies to this request (VAL-6)."""
    hints: Hints
    """Which strings in args and kwargs stand for values that JSON does not have (VAL-5)."""


class RequestMessage(_RequestMessageOptional):
    """Asks an app to run one action. Sent by a client to the arbiter, and by the arbiter to a worker; ended by
    exactly one response, end or error (CALL-1)."""

    type: Literal["request"]
    """The name of this message type (MSG-1)."""
    id: RequestId
    """The id that every reply to this request carries (MSG-7)."""
    app_path: AppPath
    """The app that is asked (MSG-8)."""
    action: ActionName
    """The action that the app is asked for (MSG-9)."""
    args: list[JsonValue]
    """The positional arguments (MSG-10). A sender always writes them (MSG-2); a receiver takes their absence as
    an empty array (MSG-4)."""
    kwargs: dict[str, JsonValue]
    """The named arguments (MSG-10). A sender always writes them (MSG-2); a receiver takes their absence as an
    empty object (MSG-4)."""


class _ResponseMessageOptional(TypedDict, total=False):
    hints: Hints
    """Which strings in result stand for values that JSON does not have (VAL-5); only if the request accepted
    hints (VAL-6)."""


class ResponseMessage(_ResponseMessageOptional):
    """The plain result of a request, and its end. Sent by a worker to the arbiter, and by the arbiter to the
    client (CALL-2)."""

    type: Literal["response"]
    """The name of this message type (MSG-1)."""
    id: RequestId
    """The id of the request (MSG-7)."""
    result: JsonValue
    """What the action returned (MSG-2)."""


class _ChunkMessageOptional(TypedDict, total=False):
    hints: Hints
    """Which strings in data stand for values that JSON does not have (VAL-5); only if the request accepted hints
    (VAL-6)."""


class ChunkMessage(_ChunkMessageOptional):
    """One item of a stream. Followed by a further chunk, or by end or error (STREAM-5). Sent by a worker to the
    arbiter, and by the arbiter to the client."""

    type: Literal["chunk"]
    """The name of this message type (MSG-1)."""
    id: RequestId
    """The id of the request (MSG-7)."""
    data: JsonValue
    """The item (MSG-2)."""


class EndMessage(TypedDict):
    """The end of a stream, after any number of chunks, none included (STREAM-1, STREAM-2). Sent by a worker to
    the arbiter, and by the arbiter to the client."""

    type: Literal["end"]
    """The name of this message type (MSG-1)."""
    id: RequestId
    """The id of the request (MSG-7)."""


class CancelMessage(TypedDict):
    """Asks for the end of a request in flight; ignored when the request is unknown or has ended (CANCEL-1,
    CANCEL-2). Sent by a client to the arbiter, and by the arbiter to a worker."""

    type: Literal["cancel"]
    """The name of this message type (MSG-1)."""
    id: RequestId
    """The id of the request to cancel (MSG-7)."""


class ErrorDetails(TypedDict, total=False):
    """Particulars of an error. Every member is optional; the registered ones keep their meaning and type
    (ERR-9), further ones are kept."""

    app_path: AppPath
    """The app that was asked (ERR-9)."""
    action: ActionName
    """The action that was asked for (ERR-9)."""
    traceback: str
    """Where in the app the error was raised, as the app's language writes it (ERR-9, ERR-5)."""
    timeout: Seconds
    """The limit that was exceeded (ERR-9, TIME-1)."""
    phase: Phase
    """In which phase of the request a limit was exceeded (ERR-9, TIME-1)."""
    worker_id: int
    """The worker on which the request ran (ERR-9)."""
    signal: int
    """The number of the signal that ended the worker (ERR-9, ERR-6)."""
    exit_code: int
    """The exit status of the worker (ERR-9, ERR-6)."""
    retry_after: Seconds
    """When the same request may be worth another try, counted from now (ERR-9, POOL-3)."""
    raw_data: RawData
    """The start of what could not be read (ERR-9)."""
    pointer: str
    """A JSON Pointer (RFC 6901) to what was wrong in the message (ERR-9, MSG-13)."""
    requirement: str
    """The id of the requirement that was broken (ERR-9, MSG-13)."""
    id: RequestId
    """The id of a request that was refused because the id is still in flight (ERR-9, CORR-6)."""


class ErrorObject(TypedDict):
    """What went wrong: a type for programs, a message for people, and details (MSG-12)."""

    error_type: ErrorType
    """The type of the error (MSG-12)."""
    message: str
    """What went wrong, in words; it can be empty (MSG-12)."""
    details: ErrorDetails
    """Particulars of the error; it can be empty (MSG-12)."""


class ErrorMessage(TypedDict):
    """The failure of a request, and its end, also in a stream (STREAM-3). Without an id it reports a message or
    a frame whose id could not be read (MSG-5, FRAME-7). Sent by a worker to the arbiter, and by the arbiter
    to the client."""

    type: Literal["error"]
    """The name of this message type (MSG-1)."""
    id: RequestId | None
    """The id of the request (MSG-7), or null when no id of the message it answers may be used (MSG-12)."""
    error: ErrorObject
    """What went wrong (MSG-12)."""


DirtyMessage = Union[
    RequestMessage,
    ResponseMessage,
    ChunkMessage,
    EndMessage,
    ErrorMessage,
    CancelMessage,
]
"""One message of the dirty protocol, version 1, as a receiver accepts it. Members that are not described here
are ignored (MSG-3). The text of a message has rules of its own that a JSON Schema cannot state: no repeated
top-level member (MSG-6), no NaN or Infinity literal (VAL-2), bounded nesting (VAL-3), and no lone surrogate
in the strings described here (VAL-8)."""
