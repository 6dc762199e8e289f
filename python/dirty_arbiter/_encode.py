"""Values into JSON text, with hints for what JSON lacks (VAL-5, VAL-9).

Most values are plain: lists and dictionaries of strings, numbers and the like. A quick look tells, and then the
standard library's encoder, written in C, does the work. Everything else goes through a writer of our own, which knows
the place of what it refuses (ERR-7). Neither recurses, so a value that is nested too deep is an error like any other.
"""

from __future__ import annotations

import json
import math
from binascii import b2a_base64
from collections.abc import Iterator
from typing import Any

from ._json import escape, pointer

EXACT = (1 << 53) - 1
"""Integers beyond ± this lose digits in readers that hold numbers as doubles (VAL-9)."""

BYTES = "bytes"
"""Hints for bytes only: the receiver has not been asked, and bytes have no other form."""
ALL = "all"
"""Hints for everything that JSON lacks."""
NONE = "none"
"""No hints: the receiver does not read them (VAL-6)."""

# Beyond this the C encoder, which recurses, is left alone: the caller's own stack may be deep already.
_RECURSION = 100


class Unsendable(Exception):
    """A value that cannot be sent: what is wrong, where in the message, and by which requirement."""

    def __init__(self, problem: str, place: str, requirement: str) -> None:
        super().__init__(f"cannot send the value at {place}: {problem} ({requirement})")
        self.pointer = place
        self.requirement = requirement


_encode_plain = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_encode_text = json.encoder.encode_basestring

_LEAVES = frozenset({str, bool, float, type(None)})
_PLAIN = _LEAVES | {int, list, dict, tuple}
_HOLDERS = frozenset({list, dict, tuple})


def utf8(text: str) -> bytes:
    """JSON text as bytes. A lone surrogate, which UTF-8 does not have, is written as its escape (VAL-8)."""
    return text.encode("utf-8", "backslashreplace")


def encode_text(text: str) -> bytes:
    """A string as JSON."""
    return utf8(_encode_text(text))


def encode(value: Any, place: str, hinting: str, hints: dict[str, str], max_depth: int, max_bytes: int) -> list[bytes]:
    """JSON text of a value, in parts. `place` is the JSON Pointer of the value in its message; hints go to `hints`."""
    above = place.count("/")
    if _is_plain(value, place, hinting, min(max_depth - above, _RECURSION), max_bytes):
        try:
            return [utf8(_encode_plain(value))]
        except (ValueError, RecursionError):
            # A number that is not finite, an integer with too many digits, or a deep stack: below, with its place.
            pass
    return _Writer(place, hinting, hints, max_depth - above, max_bytes).write(value)


def _is_plain(value: Any, place: str, hinting: str, levels: int, most: int) -> bool:
    """Whether the C encoder writes the value exactly as our own writer would. Raises `Unsendable` if it has more parts
    than bytes may be sent."""
    kind = type(value)
    if kind in _LEAVES:
        return True
    if kind is int:
        return hinting != ALL or -EXACT <= value <= EXACT
    level = [value] if kind in _HOLDERS else []
    if not level:
        return False
    count = 0
    while level:
        if levels <= 0:
            return False
        levels -= 1
        below: list[Any] = []
        for holder in level:
            count += len(holder) + 1
            if type(holder) is dict:
                if not {str}.issuperset(map(type, holder)):
                    return False
                values = holder.values()
            else:
                values = holder
            kinds = set(map(type, values))
            if kinds <= _LEAVES:
                continue
            if not kinds <= _PLAIN:
                return False
            if int in kinds and hinting == ALL:
                for item in values:
                    if type(item) is int and not -EXACT <= item <= EXACT:
                        return False
            if not kinds.isdisjoint(_HOLDERS):
                below.extend(item for item in values if type(item) in _HOLDERS)
        # Every value takes a byte at least. Without this, a list that holds another many times over, and so on,
        # would be written out until the memory ends.
        if count > most:
            raise Unsendable(_too_long(most), place, "ERR-8")
        level = below
    return True


class _Open:
    """An array or object that is being written."""

    __slots__ = ("close", "holder", "items", "name")

    def __init__(self, holder: Any, items: Iterator[Any], close: bytes) -> None:
        self.holder = holder
        self.items = items
        self.close = close
        self.name: Any = -1


class _Writer:
    def __init__(self, place: str, hinting: str, hints: dict[str, str], levels: int, max_bytes: int) -> None:
        self._place = place
        self._hinting = hinting
        self._hints = hints
        self._levels = levels
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._open: list[_Open] = []
        self._ids: set[int] = set()

    def write(self, value: Any) -> list[bytes]:
        self._value(value)
        while self._open:
            top = self._open[-1]
            first = top.name == -1
            try:
                item = next(top.items)
            except StopIteration:
                self._put(top.close)
                self._open.pop()
                self._ids.discard(id(top.holder))
                continue
            except RuntimeError as error:
                raise self._refused(f"changed while it was written: {error}", "ERR-7") from None
            if top.close == b"]":
                top.name += 1
                if not first:
                    self._put(b",")
            else:
                name, item = item
                written = self._name(name)
                top.name = written
                self._put((b"" if first else b",") + encode_text(written) + b":")
            self._value(item)
        return self._parts

    def _value(self, value: Any) -> None:
        # Subclasses are written as what they derive from, as everywhere in Python's json.
        if isinstance(value, str):
            self._put(encode_text(value))
        elif value is None:
            self._put(b"null")
        elif value is True:
            self._put(b"true")
        elif value is False:
            self._put(b"false")
        elif isinstance(value, int):
            self._integer(int(value))
        elif isinstance(value, float):
            self._float(float(value))
        elif isinstance(value, dict):
            self._enter(value, iter(value.items()), b"{", b"}")
        elif isinstance(value, (list, tuple)):
            self._enter(value, iter(value), b"[", b"]")
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self._bytes(value)
        else:
            raise self._refused(f"{_a_type(value)} is not a JSON value", "ERR-7")

    def _enter(self, holder: Any, items: Iterator[Any], bracket: bytes, close: bytes) -> None:
        if id(holder) in self._ids:
            raise self._refused(f"{_a_type(holder)} contains itself", "ERR-7")
        if len(self._open) >= self._levels:
            raise self._refused("nested too deep", "VAL-3")
        self._put(bracket)
        self._ids.add(id(holder))
        self._open.append(_Open(holder, items, close))

    def _name(self, name: Any) -> str:
        # As Python's json does it: apps that ran with gunicorn return such dictionaries.
        if isinstance(name, str):
            return name
        if name is None:
            return "null"
        if name is True:
            return "true"
        if name is False:
            return "false"
        if isinstance(name, int):
            return int.__repr__(name)
        if isinstance(name, float) and math.isfinite(name):
            return float.__repr__(name)
        raise self._refused(f"a key is {_a_type(name)}, which is no name in JSON", "ERR-7")

    def _integer(self, value: int) -> None:
        try:
            digits = str(value)
        except ValueError as error:
            raise self._refused(str(error), "ERR-7") from None
        if self._hinting == ALL and not -EXACT <= value <= EXACT:
            self._hint("int")
            digits = f'"{digits}"'
        self._put(digits.encode("ascii"))

    def _float(self, value: float) -> None:
        if math.isfinite(value):
            self._put(repr(value).encode("ascii"))
            return
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if self._hinting != ALL:
            raise self._refused(f"{name} is not JSON{_ADVICE}", "ERR-7")
        self._hint("float")
        self._put(f'"{name}"'.encode("ascii"))

    def _bytes(self, value: bytes | bytearray | memoryview) -> None:
        if self._hinting == NONE:
            raise self._refused(f"{type(value).__name__} are not JSON{_ADVICE}", "VAL-7")
        self._hint("base64")
        length = value.nbytes if isinstance(value, memoryview) else len(value)
        self._room(4 * ((length + 2) // 3))
        self._put(b'"' + b2a_base64(value, newline=False) + b'"')

    def _hint(self, hint: str) -> None:
        self._hints[self._pointer()] = hint

    def _put(self, part: bytes) -> None:
        self._room(len(part))
        self._size += len(part)
        self._parts.append(part)

    def _room(self, more: int) -> None:
        if self._size + more > self._max_bytes:
            raise self._refused(_too_long(self._max_bytes), "ERR-8")

    def _pointer(self) -> str:
        return self._place + "".join(f"/{escape(str(level.name))}" for level in self._open if level.name != -1)

    def _refused(self, problem: str, requirement: str) -> Unsendable:
        place = self._place + pointer(level.name for level in self._open if level.name != -1)
        return Unsendable(problem, place, requirement)


def _too_long(most: int) -> str:
    return f"the message would exceed the frame limit of {most} bytes"


_ADVICE = ' and can be sent only where hints are accepted, by "accept_hints": true in the request'


def _a_type(value: Any) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"an object of type {name}"
