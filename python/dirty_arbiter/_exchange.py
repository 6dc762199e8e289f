"""The calls of one connection, without any I/O: ids, what a message means for whom, and when the connection has to end.

An id is a random part, drawn once per connection, and a counter. The random part makes ids unique among all clients
(CORR-8). The counter tells for good, with the memory of one integer, which ids were ever sent on the connection: so only
calls that somebody waits for are kept, a late message for any other is dropped however late it comes (CORR-3), and one
with an id that was never sent is recognised with certainty (CORR-4).
"""

from __future__ import annotations

import uuid
from collections import deque
from typing import Any, NamedTuple

from . import _failure, _hints
from ._decode import BadMessage, Unreadable, decode
from ._frame import BadFrame, Limits
from ._messages import cancel_frame
from .errors import DirtyConnectionError, DirtyError, error_from_object

EXECUTE = "execute"
STREAM = "stream"

STREAM_BUFFER = 1024 * 1024
"""How much of a stream may wait to be read before an asynchronous connection stops reading, in bytes."""

STREAM_LIMIT = 64 * 1024 * 1024
"""How much of a stream may wait to be read at all, in bytes: it is reached only while other callers keep waiting on the
same connection. One item may always wait, however large."""

# What an item costs beside its text, in bytes: many small items are bounded as well as few large ones.
_ITEM_OVERHEAD = 128


class Event(NamedTuple):
    """What a waiting caller gets: a message with a value, the end (`None`), or an error."""

    message: dict[str, Any] | None = None
    member: str = ""
    error: DirtyError | None = None
    cost: int = 0

    def value(self) -> Any:
        """The result or item, with its hints applied."""
        if self.error is not None:
            raise self.error
        if self.message is None:
            raise _failure.not_a_plain_result()
        hints = self.message.get("hints")
        if hints:
            try:
                _hints.apply(self.message, hints, (self.member,))
            except _hints.Misfit as error:
                raise _failure.unreadable(str(error), error.pointer) from None
        return self.message[self.member]


class Inbox:
    """What has arrived for one call and has not been taken yet."""

    __slots__ = ("complete", "events", "held", "kind", "number", "streaming", "waiter")

    def __init__(self, number: int, kind: str) -> None:
        self.number = number
        self.kind = kind
        self.events: deque[Event] = deque()
        self.held = 0
        self.complete = False
        # Whether a chunk has come: from then on it is a stream.
        self.streaming = False
        # Who waits for the next event: whatever the connection wakes its callers with.
        self.waiter: Any = None

    def pop(self) -> Event | None:
        """The next event, if there is one."""
        if not self.events:
            return None
        event = self.events.popleft()
        self.held -= event.cost
        return event

    def push(self, event: Event) -> None:
        self.held += event.cost
        self.events.append(event)

    def finish(self, event: Event) -> None:
        self.complete = True
        self.events.append(event)


class Delivery(NamedTuple):
    """Whom a message was for, and the cancel that is to be sent because of it."""

    inbox: Inbox | None = None
    cancel: bytes | None = None


class Exchange:
    """The calls of one connection."""

    def __init__(self, path: str, limits: Limits, stream_limit: int = STREAM_LIMIT) -> None:
        self._path = path
        self._limits = limits
        self._stream_limit = stream_limit
        self._prefix = uuid.uuid4().hex
        self._next = 0
        self._notice: DirtyError | None = None
        self.waiting: dict[int, Inbox] = {}
        self.ended: DirtyError | None = None

    def begin(self, kind: str) -> tuple[Inbox, str]:
        """Takes up a call, and gives it its id."""
        inbox = Inbox(self._next, kind)
        self._next += 1
        self.waiting[inbox.number] = inbox
        return inbox, self._id(inbox.number)

    def leave(self, inbox: Inbox) -> bytes | None:
        """Ends a call whose caller no longer waits. If it was still in flight, returns the cancel to be sent (STREAM-7);
        what still comes for it is dropped."""
        if self.waiting.pop(inbox.number, None) is None:
            return None
        return cancel_frame(self._id(inbox.number), self._limits)

    def read(self, payload: bytes) -> dict[str, Any]:
        """Decodes a payload; needs no lock. Raises the error that ends the connection (FRAME-12, MSG-14)."""
        try:
            return decode(payload, self._limits, "client")
        except Unreadable as error:
            error.message["unreadable"] = _failure.unreadable(f"value at {error.pointer}: {error.problem}", error.pointer)
            return error.message
        except BadFrame as error:
            raise _failure.bad_frame(error) from None
        except BadMessage as error:
            raise _failure.bad_message(error) from None

    def take(self, message: dict[str, Any], size: int, somebody_waits: bool) -> Delivery:
        """Says what a message means. Raises the error that ends the connection."""
        request_id = message["id"]
        if request_id is None:
            # About the connection, and the reply to nothing (CORR-10).
            self._notice = error_from_object(message["error"])
            return Delivery()
        number = self._number(request_id)
        if number is None:
            raise _failure.foreign_id(request_id)
        inbox = self.waiting.get(number)
        if inbox is None:
            return Delivery()
        after_chunk, inbox.streaming = inbox.streaming, True
        kind = message["type"]
        if kind == "chunk":
            return self._chunk(inbox, message, size + _ITEM_OVERHEAD, somebody_waits)
        if kind == "response" and after_chunk:
            raise _failure.response_in_stream()
        del self.waiting[number]
        if kind == "error":
            inbox.finish(Event(error=error_from_object(message["error"])))
        elif kind == "end":
            refused = _failure.not_a_plain_result() if inbox.kind == EXECUTE else None
            inbox.finish(Event(error=refused))
        else:
            inbox.finish(Event(message, "result", message.pop("unreadable", None)))
        return Delivery(inbox)

    def lose(self, cause: Any) -> list[Inbox]:
        """Ends the connection because the arbiter closed it, or the socket failed."""
        return self.end(_failure.lost(self._path, cause))

    def end(self, error: DirtyError) -> list[Inbox]:
        """Ends the connection: every call that is not complete gets the error, after what has arrived for it. Returns
        those that are to be woken."""
        if self.ended is not None:
            return []
        if self._notice is not None and isinstance(error, DirtyConnectionError):
            error = _failure.after_notice(self._notice)
        self.ended = error
        woken = list(self.waiting.values())
        self.waiting.clear()
        for inbox in woken:
            # Each caller raises its own: a traceback belongs to one of them.
            inbox.finish(Event(error=type(error)(error.message, error.details)))
        return woken

    def _chunk(self, inbox: Inbox, message: dict[str, Any], cost: int, somebody_waits: bool) -> Delivery:
        if inbox.kind == EXECUTE:
            error = _failure.not_a_plain_result()
        elif not inbox.held or inbox.held + cost <= self._stream_limit or not somebody_waits:
            inbox.push(Event(message, "data", message.pop("unreadable", None), cost))
            return Delivery(inbox)
        else:
            error = _failure.too_slow(inbox.held, self._stream_limit)
        cancel = self.leave(inbox)
        inbox.finish(Event(error=error))
        return Delivery(inbox, cancel)

    def _id(self, number: int) -> str:
        return f"{self._prefix}-{number}"

    def _number(self, request_id: str) -> int | None:
        """The number of the call that was sent with this id; only the one spelling that was sent counts."""
        prefix, _, digits = request_id.rpartition("-")
        if prefix != self._prefix or not digits.isascii() or not digits.isdigit() or len(digits) > 20:
            return None
        number = int(digits)
        return number if str(number) == digits and number < self._next else None
