"""What the parts of a message may be: the vocabulary of the generated shapes (`_shapes.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._json import escape, is_text, kind_of

_SHOWN = 64


class Misshapen(Exception):
    """A value that is not what the schema says. The pointer is relative to the value that was judged."""

    def __init__(self, problem: str, pointer: str = "", requirement: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.pointer = pointer
        self.requirement = requirement


class Shape:
    """What a value may be."""

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def check(self, value: Any) -> None:
        """Raises `Misshapen` unless the value fits."""
        raise NotImplementedError

    def _wrong_type(self, value: Any) -> Misshapen:
        return Misshapen(f"expected {self.expected}, found {kind_of(value)}")


class Anything(Shape):
    """Any JSON value."""

    def __init__(self) -> None:
        super().__init__("a value")

    def check(self, value: Any) -> None:
        pass


class Text(Shape):
    """A string of Unicode characters."""

    def __init__(self, shortest: int = 0, longest: int | None = None) -> None:
        self._shortest, self._longest = shortest, longest
        bounds = "" if longest is None else f" of at most {longest} characters"
        if shortest:
            bounds = f" of {shortest} to {longest} characters"
        super().__init__(f"a string{bounds}")

    def check(self, value: Any) -> None:
        if not isinstance(value, str):
            raise self._wrong_type(value)
        if not value.isascii() and not is_text(value):
            raise Misshapen("lone surrogate escape, expected Unicode text")
        if len(value) < self._shortest or (self._longest is not None and len(value) > self._longest):
            raise Misshapen(f"expected {self.expected}, found one of {len(value)}")


class Name(Shape):
    """One of a closed list of names."""

    def __init__(self, *names: str) -> None:
        self._names = names
        super().__init__(" or ".join(f'"{name}"' for name in names))

    def check(self, value: Any) -> None:
        if not isinstance(value, str):
            raise self._wrong_type(value)
        if value not in self._names:
            raise Misshapen(f"expected {self.expected}, found {shown(value)}")


class Boolean(Shape):
    """`true` or `false`."""

    def __init__(self) -> None:
        super().__init__("true or false")

    def check(self, value: Any) -> None:
        if not isinstance(value, bool):
            raise self._wrong_type(value)


class Number(Shape):
    """A number within bounds."""

    def __init__(self, least: float, most: float, *, above: bool = False) -> None:
        self._least, self._most, self._above = least, most, above
        lower = f"above {least:g}" if above else f"from {least:g}"
        super().__init__(f"a number {lower} to {most:.0f}")

    def check(self, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong_type(value)
        if not self._least <= value <= self._most or (self._above and value == self._least):
            raise Misshapen(f"expected {self.expected}, found {value if abs(value) < 1e300 else 'another'}")


class Integer(Shape):
    """A whole number within bounds, however it is written: `1.0` is one too."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        super().__init__(f"an integer from {least} to {most}")

    def check(self, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong_type(value)
        if not self._least <= value <= self._most or value != int(value):
            raise Misshapen(f"expected {self.expected}, found another number")


class Array(Shape):
    """An array of any values."""

    def __init__(self) -> None:
        super().__init__("an array")

    def check(self, value: Any) -> None:
        if not isinstance(value, list):
            raise self._wrong_type(value)


class Mapped(Shape):
    """An object whose values are all of one shape."""

    def __init__(self, of: Shape | None = None) -> None:
        self._of = of
        super().__init__("an object")

    def check(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise self._wrong_type(value)
        for name in value:
            if not is_text(name):
                raise Misshapen("lone surrogate escape, expected Unicode text")
        if self._of is None:
            return
        for name, item in value.items():
            try:
                self._of.check(item)
            except Misshapen as wrong:
                raise Misshapen(wrong.problem, f"/{escape(name)}{wrong.pointer}", wrong.requirement) from None


class OrNull(Shape):
    """A value of a shape, or null."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        super().__init__(f"{shape.expected} or null")

    def check(self, value: Any) -> None:
        if value is not None:
            self._shape.check(value)


class Member:
    """What a member of an object may be, whether it must be there, and which requirement says so."""

    def __init__(self, requirement: str, shape: Shape, *, required: bool = False) -> None:
        self.requirement = requirement
        self.shape = shape
        self.required = required


class Record(Shape):
    """An object with members of its own; further ones are ignored."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self.members = members
        super().__init__("an object")

    def check(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise self._wrong_type(value)
        for name, member in self.members.items():
            try:
                if name in value:
                    member.shape.check(value[name])
                elif member.required:
                    raise Misshapen(f"missing member, expected {member.shape.expected}")
            except Misshapen as wrong:
                requirement = wrong.requirement or member.requirement
                raise Misshapen(wrong.problem, f"/{name}{wrong.pointer}", requirement) from None


def shown(text: str) -> str:
    """A string in quotes, shortened: it may come from a peer."""
    if len(text) > _SHOWN:
        text = text[:_SHOWN] + "…"
    escaped = text.encode("utf-8", "backslashreplace").decode()
    return f'"{escaped}"'
