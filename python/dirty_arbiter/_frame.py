"""Frames: bytes of a stream into payloads, and payloads into bytes (FRAME-1 to FRAME-13)."""

from __future__ import annotations

from collections.abc import Iterable

MAX_PAYLOAD = 67_108_864
"""The frame limit, in bytes, unless configured otherwise (FRAME-3)."""

MAX_DEPTH = 512
"""The nesting limit, in levels, unless configured otherwise (VAL-3)."""

HEADER = 4
SHOWN = 100


class Limits:
    """What is accepted and sent."""

    __slots__ = ("max_depth", "max_payload")

    def __init__(self, max_payload: int = MAX_PAYLOAD, max_depth: int = MAX_DEPTH) -> None:
        self.max_payload = max_payload
        self.max_depth = max_depth


class BadFrame(Exception):
    """Bytes that are not a frame. The connection they came on cannot be trusted any further (FRAME-7, FRAME-12)."""

    def __init__(self, problem: str, requirement: str, start: bytes = b"") -> None:
        super().__init__(f"{problem} ({requirement})")
        self.requirement = requirement
        self.start = start[:SHOWN]


class FrameDecoder:
    """Cuts a stream of bytes into payloads, in time linear in their number.

    Memory grows only as bytes arrive, whatever length a header announces (FRAME-6)."""

    def __init__(self, limits: Limits) -> None:
        self._buffer = bytearray()
        self._limits = limits

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes in bytes that have arrived."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole payload, or `None` when it has not arrived yet."""
        buffer = self._buffer
        if len(buffer) < HEADER:
            return None
        length = int.from_bytes(buffer[:HEADER], "big")
        if not 1 <= length <= self._limits.max_payload:
            raise self._bad_length(length)
        end = HEADER + length
        if len(buffer) < end:
            return None
        with memoryview(buffer) as view:
            payload = bytes(view[HEADER:end])
        del buffer[:end]
        return payload

    def finish(self) -> None:
        """Checks that the stream may end here: between two frames (FRAME-9)."""
        got = len(self._buffer)
        if 0 < got < HEADER:
            problem = f"connection ended inside a frame header: got {got} of {HEADER} bytes"
            raise BadFrame(problem, "FRAME-9", bytes(self._buffer))
        if got:
            expected = int.from_bytes(self._buffer[:HEADER], "big")
            problem = f"connection ended inside a payload: got {got - HEADER} of {expected} bytes"
            raise BadFrame(problem, "FRAME-9", bytes(self._buffer[:SHOWN]))

    def _bad_length(self, length: int) -> BadFrame:
        limit = self._limits.max_payload
        problem = (
            f"frame of {length} bytes: expected at most {limit} bytes"
            if length
            else "frame with an empty payload: expected a length of at least 1 byte"
        )
        return BadFrame(problem, "FRAME-3", bytes(self._buffer[:SHOWN]))


def frame(parts: Iterable[bytes], limits: Limits) -> bytes:
    """One frame of the parts of a payload, in one piece, so that it can be written at once."""
    parts = list(parts)
    length = sum(map(len, parts))
    if not 1 <= length <= limits.max_payload:
        raise BadFrame(f"frame of {length} bytes: expected at most {limits.max_payload} bytes", "FRAME-3")
    return b"".join([length.to_bytes(HEADER, "big"), *parts])
