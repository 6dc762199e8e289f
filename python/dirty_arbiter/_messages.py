"""Messages into frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._encode import ALL, BYTES, NONE, Unsendable, encode, encode_text
from ._frame import HEADER, BadFrame, Limits, frame

# What stands around a value, in bytes, at most: the other members and the hints are counted when they are known.
_ENVELOPE = 96


class Replies:
    """The replies to one request, as frames (CORR-1)."""

    def __init__(self, request_id: str, accepts_hints: bool, limits: Limits) -> None:
        self._id = encode_text(request_id)
        self._hinting = ALL if accepts_hints else NONE
        self._limits = limits

    def response(self, value: Any) -> bytes:
        """A plain result (CALL-2). Raises `Unsendable`."""
        return self._value(b'{"type":"response","id":', b',"result":', "/result", value)

    def chunk(self, value: Any) -> bytes:
        """An item of a stream. Raises `Unsendable`."""
        return self._value(b'{"type":"chunk","id":', b',"data":', "/data", value)

    def end(self) -> bytes:
        """The end of a stream."""
        return frame([b'{"type":"end","id":', self._id, b"}"], self._limits)

    def _value(self, head: bytes, name: bytes, place: str, value: Any) -> bytes:
        hints: dict[str, str] = {}
        parts = [head, self._id, name]
        parts += encode(value, place, self._hinting, hints, self._limits.max_depth, self._limits.max_payload)
        parts += [*_hints(hints), b"}"]
        try:
            return frame(parts, self._limits)
        except BadFrame:
            raise _too_long(place, self._limits) from None


def error_frame(request_id: str | None, error_type: str, message: str, details: Mapping[str, Any], limits: Limits) -> bytes:
    """An error message. What is too long for a frame is left out, the traceback first."""
    shortened = dict(details)
    for left_out in (None, "traceback", "message"):
        if left_out is not None:
            shortened.pop(left_out, None)
        if left_out == "message":
            kept = ("app_path", "action", "pointer", "requirement")
            shortened = {name: value for name, value in shortened.items() if name in kept}
            message = f"failed, with a text that cannot be sent: {message[:200]}"
        error = {"error_type": error_type, "message": _text(message), "details": shortened}
        try:
            body = encode(error, "/error", NONE, {}, limits.max_depth, limits.max_payload)
            request = b"null" if request_id is None else encode_text(request_id)
            return frame([b'{"type":"error","id":', request, b',"error":', *body, b"}"], limits)
        except (Unsendable, BadFrame):
            continue
    raise BadFrame("an error message does not fit into a frame", "FRAME-3")


def request_parts(
    app_path: str,
    action: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    timeout: float | None,
    meta: Mapping[str, Any] | None,
    accept_hints: bool,
    limits: Limits,
) -> list[bytes]:
    """Everything of a request that comes after its id. Raises `Unsendable`."""
    hints: dict[str, str] = {}
    hinting = ALL if accept_hints else BYTES

    def value(of: Any, place: str, how: str) -> list[bytes]:
        return encode(of, place, how, hints, limits.max_depth, limits.max_payload)

    parts = [b',"app_path":', encode_text(app_path), b',"action":', encode_text(action)]
    parts += [b',"args":', *value(args, "/args", hinting), b',"kwargs":', *value(kwargs, "/kwargs", hinting)]
    if timeout is not None:
        parts += [b',"timeout":', *value(timeout, "/timeout", NONE)]
    if meta:
        parts += [b',"meta":', *value(dict(meta), "/meta", NONE)]
    if accept_hints:
        parts.append(b',"accept_hints":true')
    parts += [*_hints(hints), b"}"]
    length = sum(map(len, parts)) + HEADER + _ENVELOPE
    if length > limits.max_payload:
        raise _too_long("/args", limits)
    return parts


def request_frame(request_id: str, parts: list[bytes], limits: Limits) -> bytes:
    """A request, with its id."""
    return frame([b'{"type":"request","id":', encode_text(request_id), *parts], limits)


def cancel_frame(request_id: str, limits: Limits) -> bytes:
    """Asks for the end of a request."""
    return frame([b'{"type":"cancel","id":', encode_text(request_id), b"}"], limits)


def _hints(hints: dict[str, str]) -> list[bytes]:
    if not hints:
        return []
    members = b",".join(encode_text(place) + b":" + encode_text(hint) for place, hint in hints.items())
    return [b',"hints":{', members, b"}"]


def _too_long(place: str, limits: Limits) -> Unsendable:
    return Unsendable(f"the message would exceed the frame limit of {limits.max_payload} bytes", place, "ERR-8")


def _text(text: str) -> str:
    """Unicode text: a message of the protocol holds no lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
