"""Hints of a message, applied to the values they are about (VAL-5)."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any

from ._json import kind_of

_FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_DECIMAL = re.compile(r"-?[0-9]+")
_INDEX = re.compile(r"0|[1-9][0-9]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Misfit(Exception):
    """A hint that fits no value."""

    def __init__(self, problem: str, pointer: str) -> None:
        super().__init__(f"value at {pointer}: {problem}")
        self.pointer = pointer


def apply(message: dict[str, Any], hints: Mapping[str, str], members: tuple[str, ...]) -> None:
    """Replaces the strings that hints are about, in the `members` of the message that may hold such strings."""
    # What has been replaced: two pointers cannot name the same string, so each is read once.
    for place, hint in hints.items():
        names = [name.replace("~1", "/").replace("~0", "~") for name in place.split("/")]
        if len(names) < 2 or names[0] or names[1] not in members:
            raise Misfit("a hint names nothing (VAL-5)", place)
        holder: Any = message
        for name in names[1:-1]:
            holder = holder[_key(holder, name, place)]
        key = _key(holder, names[-1], place)
        holder[key] = _meaning(holder[key], hint, place)


def _key(holder: Any, name: str, place: str) -> Any:
    if isinstance(holder, dict) and name in holder:
        return name
    if isinstance(holder, list) and _INDEX.fullmatch(name) and len(name) < 20 and int(name) < len(holder):
        return int(name)
    raise Misfit("a hint names nothing (VAL-5)", place)


def _meaning(value: Any, hint: str, place: str) -> Any:
    if not isinstance(value, str):
        kind = "bytes" if isinstance(value, bytes) else kind_of(value)
        raise Misfit(f"a hint names something that is not a string but {kind} (VAL-5)", place)
    if hint == "base64":
        # binascii overlooks much; the hint promises RFC 4648, section 4, with padding.
        if len(value) % 4 or not _BASE64.fullmatch(value):
            raise Misfit("expected base64 with padding (VAL-5)", place)
        try:
            return a2b_base64(value)
        except (Base64Error, ValueError):
            raise Misfit("expected base64 with padding (VAL-5)", place) from None
    if hint == "float":
        if value not in _FLOATS:
            raise Misfit('expected "NaN", "Infinity" or "-Infinity" (VAL-5)', place)
        return _FLOATS[value]
    if not _DECIMAL.fullmatch(value):
        raise Misfit("expected decimal digits (VAL-5)", place)
    try:
        return int(value)
    except ValueError as error:
        raise Misfit(str(error), place) from None
