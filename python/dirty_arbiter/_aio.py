"""One connection of the asynchronous client, shared by any number of tasks of one event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Any

from . import _failure
from ._blocking import CONNECT_LIMIT, Stale
from ._exchange import STREAM_BUFFER, Event, Exchange, Inbox
from ._frame import BadFrame, FrameDecoder, Limits
from ._messages import request_frame
from .errors import DirtyError


async def connect(path: str, deadline: float | None, limits: Limits) -> "AsyncConnection | None":
    """A connection to the arbiter; `None` when the deadline passes. Raises `OSError`."""
    limit = time.monotonic() + CONNECT_LIMIT
    pause = 0.001
    while True:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            # At once or not at all: with a full backlog the event loop would take it for connected.
            made.connect(path)
            loop = asyncio.get_running_loop()
            _, protocol = await loop.create_unix_connection(lambda: AsyncConnection(path, limits), sock=made)
            return protocol
        except (BlockingIOError, InterruptedError) as error:
            made.close()
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return None
            if now >= limit:
                raise error
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)
        except BaseException:
            made.close()
            raise


class AsyncConnection(asyncio.Protocol):
    """A connection in use. All of it happens in the thread of its event loop."""

    def __init__(self, path: str, limits: Limits) -> None:
        self.loop = asyncio.get_running_loop()
        self._path = path
        self._limits = limits
        self._exchange = Exchange(path, limits)
        self._frames = FrameDecoder(limits)
        self._transport: Any = None
        self._full: set[Inbox] = set()
        self._waiters = 0
        self._paused = False

    # ---- calls -----------------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """Whether calls may be started on it."""
        return self._exchange.ended is None and not self._transport.is_closing()

    def start(self, kind: str, parts: list[bytes]) -> Inbox:
        """Starts a call. Raises `Stale`."""
        if not self.is_open():
            raise Stale
        inbox, request_id = self._exchange.begin(kind)
        try:
            self._transport.write(request_frame(request_id, parts, self._limits))
        except BaseException:
            self._exchange.leave(inbox)
            raise
        return inbox

    async def wait(self, inbox: Inbox, deadline: float | None) -> Event | None:
        """Waits for the next event of a call; `None` when the deadline passes."""
        event = self._pop(inbox)
        if event is not None:
            return event
        ready: asyncio.Future[None] = self.loop.create_future()
        alarm = None
        if deadline is not None:
            alarm = self.loop.call_later(max(0.0, deadline - time.monotonic()), _wake, ready)
        inbox.waiter = ready
        self._waiters += 1
        self._resume()
        try:
            await ready
        finally:
            self._waiters -= 1
            inbox.waiter = None
            if alarm is not None:
                alarm.cancel()
        return self._pop(inbox)

    def leave(self, inbox: Inbox) -> None:
        """Notes that nobody waits for a call any more."""
        self._full.discard(inbox)
        cancel = None if inbox.complete else self._exchange.leave(inbox)
        if cancel is not None and self.is_open():
            self._transport.write(cancel)
        self._resume()

    def close(self) -> None:
        """Ends the connection; the calls on it fail."""
        self._end(self._exchange.lose("the client was closed"))
        if self._transport is not None:
            self._transport.abort()

    def abandon(self) -> None:
        """Lets go of the connection in a forked child: it is the parent's, and ends when the parent closes it.

        The event loop, which is not to be touched, still has the descriptor: that stays, with nothing behind it."""
        made = self._transport.get_extra_info("socket")
        if made is None or made.fileno() < 0:
            return
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            os.dup2(nothing, made.fileno(), inheritable=False)
        finally:
            os.close(nothing)

    # ---- the protocol of asyncio -----------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        try:
            while True:
                payload = self._frames.next()
                if payload is None:
                    break
                self._deliver(self._exchange.read(payload), len(payload))
        except BadFrame as error:
            self._end(self._exchange.end(_failure.bad_frame(error)))
            self._transport.abort()
        except DirtyError as error:
            self._end(self._exchange.end(error))
            self._transport.abort()
        if self._full and not self._waiters and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        try:
            self._frames.finish()
        except BadFrame as error:
            self._end(self._exchange.end(_failure.bad_frame(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(self._exchange.lose(error or "closed by the arbiter"))

    # ---- inside ----------------------------------------------------------------------------------------------

    def _deliver(self, message: dict[str, Any], size: int) -> None:
        inbox, cancel = self._exchange.take(message, size, self._waiters > 0)
        if cancel is not None:
            self._transport.write(cancel)
        if inbox is None:
            return
        if inbox.held > STREAM_BUFFER and not inbox.complete:
            self._full.add(inbox)
        else:
            self._full.discard(inbox)
        _wake(inbox.waiter)

    def _pop(self, inbox: Inbox) -> Event | None:
        event = inbox.pop()
        if inbox.held <= STREAM_BUFFER and inbox in self._full:
            self._full.discard(inbox)
            self._resume()
        return event

    def _resume(self) -> None:
        if self._paused and (not self._full or self._waiters):
            self._paused = False
            self._transport.resume_reading()

    def _end(self, inboxes: list[Inbox]) -> None:
        for inbox in inboxes:
            _wake(inbox.waiter)


def _wake(ready: "asyncio.Future[None] | None") -> None:
    if ready is not None and not ready.done():
        ready.set_result(None)
