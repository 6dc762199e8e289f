"""Strict JSON (RFC 8259) as the wire has it: no NaN, bounded nesting, no recursion, repeated members noticed.

The standard library's parser does the work. What it cannot say (where a NaN literal stands, whether a text that is
nested too deep is JSON at all) a second parser finds out: slower, iterative, and needed for odd texts only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_LONGEST_POINTER = 256
_SPACE = re.compile(r"[ \t\n\r]*")


class NotJson(Exception):
    """A text that is not JSON."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


class Document:
    """The members of a JSON object, in their order, repeated ones included; and what is wrong beyond the syntax."""

    __slots__ = ("depth", "members", "non_finite", "oversize_integer", "too_deep", "whole")

    def __init__(self, members: list[tuple[str, Any]], whole: dict[str, Any] | None = None) -> None:
        self.members = members
        self.whole = whole
        """The object, if it is known that no member of it is repeated."""
        self.non_finite: str | None = None
        """Pointer to the first NaN or Infinity literal."""
        self.too_deep: str | None = None
        """Pointer to the first value that is nested too deep."""
        self.depth = 0
        """How deep the text is nested, if too deep."""
        self.oversize_integer: str | None = None
        """Pointer to the first integer with more digits than this Python reads."""


class NotAnObject(Exception):
    """JSON, but not an object."""

    def __init__(self, value: Any) -> None:
        super().__init__(kind_of(value))


class _SlowCase(Exception):
    """A NaN or Infinity literal."""


def _slow_case(_: str) -> Any:
    raise _SlowCase


_scan = json.JSONDecoder(parse_constant=_slow_case).raw_decode


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _SlowCase
    return members


_scan_unrepeated = json.JSONDecoder(parse_constant=_slow_case, object_pairs_hook=_unrepeated).raw_decode
# Up to so many objects it is quicker to be told of each than to read the members one by one.
_FEW = 16


def parse(text: str, max_depth: int) -> Document:
    """Parses a text that must be one JSON object."""
    try:
        whole = _quick(text) if text.count("{") <= _FEW else None
        members = _members(text) if whole is None else list(whole.items())
    except (_SlowCase, RecursionError):
        return _Parser(text, max_depth).run()
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    except ValueError:
        # Too many digits for int(): see sys.set_int_max_str_digits.
        return _Parser(text, max_depth).run()
    if text.count("[") + text.count("{") > max_depth and _deeper_than(members, max_depth):
        return _Parser(text, max_depth).run()
    return Document(members, whole)


def _quick(text: str) -> dict[str, Any] | None:
    """The object that the text is, if there is nothing odd about it."""
    try:
        value, at = _scan_unrepeated(text, 0)
    except (_SlowCase, ValueError, RecursionError):
        return None
    return value if at == len(text) and type(value) is dict else None


def _members(text: str) -> list[tuple[str, Any]]:
    skip = _SPACE.match
    at = _end(skip(text, 0))
    if text[at : at + 1] != "{":
        value, at = _scan(text, at)
        _nothing_more(text, at)
        raise NotAnObject(value)
    members: list[tuple[str, Any]] = []
    at = _end(skip(text, at + 1))
    if text[at : at + 1] == "}":
        _nothing_more(text, at + 1)
        return members
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("expected a member's name", text, at)
        name, at = _scan(text, at)
        at = _end(skip(text, at))
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("expected ':'", text, at)
        value, at = _scan(text, _end(skip(text, at + 1)))
        members.append((name, value))
        at = _end(skip(text, at))
        after = text[at : at + 1]
        if after == "}":
            _nothing_more(text, at + 1)
            return members
        if after != ",":
            raise json.JSONDecodeError("expected ',' or '}'", text, at)
        at = _end(skip(text, at + 1))


def _end(match: re.Match[str] | None) -> int:
    # The pattern matches everywhere, if only the empty text.
    return match.end() if match else 0


def _nothing_more(text: str, at: int) -> None:
    at = _end(_SPACE.match(text, at))
    if at != len(text):
        raise json.JSONDecodeError("text after the end of the value", text, at)


def _deeper_than(members: list[tuple[str, Any]], limit: int) -> bool:
    level = [value for _, value in members if type(value) in (dict, list)]
    depth = 1
    while level:
        depth += 1
        if depth > limit:
            return True
        below: list[Any] = []
        for holder in level:
            values = holder.values() if type(holder) is dict else holder
            kinds = set(map(type, values))
            if dict in kinds or list in kinds:
                below.extend(value for value in values if type(value) in (dict, list))
        level = below
    return False


_TOKEN = re.compile(
    r'[ \t\n\r]*(?:([][{},:])|(")|(-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)'
    r"|(true|false|null|NaN|-?Infinity))"
)
_LITERALS = {"true": True, "false": False, "null": None}

# What may come next.
_VALUE, _ITEM_OR_END, _NAME_OR_END, _NAME, _COLON, _MORE_OR_END, _NOTHING = range(7)
_EXPECTED = [
    "a value",
    "a value or ']'",
    "a member's name or '}'",
    "a member's name",
    "':'",
    "',' or the end of the array or object",
    "nothing more",
]


class _Parser:
    """The parser for odd texts. It keeps what is open in lists, so depth costs it memory and nothing else."""

    def __init__(self, text: str, max_depth: int) -> None:
        self._text = text
        self._max_depth = max_depth
        # What is open, outermost first; beyond the limit only the brackets are kept.
        self._brackets = bytearray()
        self._holders: list[Any] = []
        self._names: list[Any] = []
        self._top: list[tuple[str, Any]] = []
        self._document = Document(self._top)

    def run(self) -> Document:
        text, at, state = self._text, 0, _VALUE
        document, brackets = self._document, self._brackets
        while True:
            match = _TOKEN.match(text, at)
            if match is None:
                at = _end(_SPACE.match(text, at))
                if at == len(text) and state == _NOTHING:
                    return document
                raise NotJson(f"expected {_EXPECTED[state]}", at)
            at = match.end()
            mark, quote, number, fraction, exponent, literal = match.groups()
            if mark is not None and state in (_MORE_OR_END, _NAME_OR_END, _ITEM_OR_END) and mark in "]}":
                if state == (_NAME_OR_END if mark == "]" else _ITEM_OR_END):
                    raise NotJson(f"expected {_EXPECTED[state]}", at - 1)
                if not brackets or brackets[-1] != ord("[" if mark == "]" else "{"):
                    raise NotJson(f"expected {_EXPECTED[state]}", at - 1)
                state = self._leave(at)
            elif mark == "," and state == _MORE_OR_END:
                in_array = brackets[-1] == ord("[")
                state = _VALUE if in_array else _NAME
                if in_array and len(brackets) == len(self._names):
                    self._names[-1] += 1
            elif mark == ":" and state == _COLON:
                state = _VALUE
            elif quote is not None and state in (_NAME, _NAME_OR_END):
                name, at = _scan_string(text, at)
                if len(brackets) == len(self._names):
                    self._names[-1] = name
                state = _COLON
            elif state not in (_VALUE, _ITEM_OR_END) or (mark is not None and mark not in "[{"):
                raise NotJson(f"expected {_EXPECTED[state]}", match.end() - 1)
            elif mark is not None:
                state = self._enter(mark)
            else:
                value: Any
                if quote is not None:
                    value, at = _scan_string(text, at)
                elif number is not None:
                    value = self._number(number, fraction is None and exponent is None)
                else:
                    value = _LITERALS.get(literal)
                    if literal not in _LITERALS and document.non_finite is None:
                        document.non_finite = self._pointer()
                if not brackets:
                    _nothing_more_slow(text, at)
                    raise NotAnObject(value)
                self._put(value)
                state = _MORE_OR_END

    def _enter(self, bracket: str) -> int:
        depth = len(self._brackets) + 1
        if depth > self._max_depth:
            document = self._document
            if document.too_deep is None:
                document.too_deep = self._pointer()
            document.depth = max(document.depth, depth)
        else:
            holder: Any = [] if bracket == "[" else {}
            if self._brackets:
                self._put(holder)
            self._holders.append(holder)
            self._names.append(0 if bracket == "[" else "")
        self._brackets.append(ord(bracket))
        return _ITEM_OR_END if bracket == "[" else _NAME_OR_END

    def _leave(self, at: int) -> int:
        if len(self._brackets) == len(self._names):
            holder = self._holders.pop()
            self._names.pop()
            if not self._holders and isinstance(holder, list):
                _nothing_more_slow(self._text, at)
                raise NotAnObject(holder)
        self._brackets.pop()
        return _MORE_OR_END if self._brackets else _NOTHING

    def _put(self, value: Any) -> None:
        if len(self._brackets) != len(self._names):
            return
        holder, name = self._holders[-1], self._names[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif len(self._holders) == 1:
            self._top.append((name, value))
        else:
            holder[name] = value

    def _number(self, number: str, is_integer: bool) -> Any:
        try:
            return int(number) if is_integer else float(number)
        except ValueError:
            if self._document.oversize_integer is None:
                self._document.oversize_integer = self._pointer()
            return None

    def _pointer(self) -> str:
        return pointer(self._names)


def _scan_string(text: str, at: int) -> tuple[str, int]:
    """The string whose body begins at `at`."""
    try:
        value, end = _scan(text, at - 1)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    return value, end


def _nothing_more_slow(text: str, at: int) -> None:
    try:
        _nothing_more(text, at)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None


def pointer(names: Iterable[Any]) -> str:
    """JSON Pointer (RFC 6901), cut at the last level that fits: names come from the peer and can be long."""
    whole = ""
    for name in names:
        longer = f"{whole}/{escape(str(name))}"
        if len(longer.encode("utf-8", "replace")) > _LONGEST_POINTER or not is_text(longer):
            break
        whole = longer
    return whole


def escape(name: str) -> str:
    """One reference token of a JSON Pointer."""
    if "~" in name or "/" in name:
        return name.replace("~", "~0").replace("/", "~1")
    return name


def is_text(text: str) -> bool:
    """Whether a string is Unicode text: it has no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
