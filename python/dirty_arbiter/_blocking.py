"""One connection of the blocking client, shared by any number of threads.

There are no threads of its own. Of the callers that wait, one reads for all: it hands messages to whom they belong, and
when its own has come it leaves the reading to another. So the connection works wherever its callers do: in threads, in
greenlets, in a signal handler's aftermath; and nothing is left running when they are gone.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from typing import Any

from . import _failure
from ._exchange import Event, Exchange, Inbox
from ._frame import BadFrame, FrameDecoder, Limits
from ._messages import request_frame
from .errors import DirtyError

CONNECT_LIMIT = 10.0
"""How long to wait for an arbiter that does not accept connections because its backlog is full, in seconds."""

_READ = 256 * 1024
# The longest single wait, in seconds: the system call takes milliseconds in an int.
_LONGEST_WAIT = 3600.0


class Stale(Exception):
    """A call was not started: the connection turned out to be dead before anything of it was sent."""


def connect(path: str, deadline: float | None) -> socket.socket | None:
    """A connection to the arbiter; `None` when the deadline passes. Raises `OSError`."""
    limit = time.monotonic() + CONNECT_LIMIT
    pause = 0.001
    while True:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Not to wait in the kernel, which greenlets could not bear.
            made.setblocking(False)
            made.connect(path)
            return made
        except (BlockingIOError, InterruptedError) as error:
            made.close()
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return None
            if now >= limit:
                raise error
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        except BaseException:
            made.close()
            raise


class _Outgoing:
    """A frame that the socket has not taken yet."""

    __slots__ = ("request", "rest", "whole")

    def __init__(self, request: Inbox | None, frame: bytes) -> None:
        # The call whose request it is; None for a cancel.
        self.request = request
        self.rest = memoryview(frame)
        self.whole = len(frame)


class Connection:
    """A connection in use."""

    def __init__(self, made: socket.socket, path: str, limits: Limits) -> None:
        self._socket = made
        self._path = path
        self._limits = limits
        self._exchange = Exchange(path, limits)
        self._frames = FrameDecoder(limits)
        self._scratch = bytearray(_READ)
        self._lock = threading.Lock()
        self._outbox: deque[_Outgoing] = deque()
        # Whether calls may be started: not after a failed write, and not after the end.
        self._open = True
        # Whether one of the callers reads, and those that wait for it to hand over.
        self._leading = False
        self._followers: deque[Inbox] = deque()
        # Calls that were left by finalizers, which must not wait for the lock: their thread may hold it.
        self._left: deque[Inbox] = deque()
        # Wakes the caller that reads when there is something to write.
        self._alarm, self._bell = os.pipe()
        os.set_blocking(self._alarm, False)
        os.set_blocking(self._bell, False)
        self._abandoned = False

    # ---- calls -----------------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """Whether calls may be started on it."""
        return self._open

    def start(self, kind: str, parts: list[bytes]) -> Inbox:
        """Starts a call; its request is written at once, as far as the socket takes it. Raises `Stale`."""
        with self._lock:
            if not self._open:
                raise Stale
            inbox, request_id = self._exchange.begin(kind)
        try:
            frame = request_frame(request_id, parts, self._limits)
            with self._lock:
                outgoing = _Outgoing(inbox, frame)
                self._outbox.append(outgoing)
                self._flush()
                if not self._open and len(outgoing.rest) == outgoing.whole:
                    raise Stale
        except BaseException:
            self._forget(inbox)
            raise
        finally:
            self._tidy()
        return inbox

    def wait(self, inbox: Inbox, deadline: float | None) -> Event | None:
        """Waits for the next event of a call; `None` when the deadline passes."""
        if self._abandoned:
            raise _failure.forked(self._path)
        while True:
            with self._lock:
                try:
                    event = inbox.pop()
                    if event is not None:
                        return event
                    rest = None if deadline is None else deadline - time.monotonic()
                    if rest is not None and rest <= 0:
                        return None
                    if self._leading:
                        self._follow(inbox, rest)
                        continue
                    self._leading = True
                finally:
                    # Whoever was called to lead may have gone instead.
                    if not self._leading:
                        self._call_a_leader()
            try:
                self._lead(inbox, deadline)
            finally:
                self._hand_over()
                self._tidy()

    def leave(self, inbox: Inbox) -> None:
        """Notes that nobody waits for a call any more: its request is withdrawn, or a cancel is sent. Never waits, and
        may be called by a finalizer."""
        if not inbox.complete and not self._abandoned:
            self._left.append(inbox)
        if self._left:
            self._tidy()
            if self._left:
                # Somebody holds the lock; whoever reads sees to it.
                self._ring()

    def close(self) -> None:
        """Ends the connection; the calls on it fail."""
        self._end_with(self._exchange.lose, "the client was closed")

    def abandon(self) -> None:
        """Lets go of the connection in a forked child. It is the parent's: nothing is sent, nothing is shut down."""
        self._abandoned = True
        self._open = False
        # The lock is not touched: another thread of the parent may have held it when the process was forked.
        self._close_descriptors()

    # ---- waiting ---------------------------------------------------------------------------------------------

    def _follow(self, inbox: Inbox, rest: float | None) -> None:
        """Waits while another caller reads. The lock is held."""
        if inbox.waiter is None:
            inbox.waiter = threading.Condition(self._lock)
        self._followers.append(inbox)
        try:
            inbox.waiter.wait(rest)
        finally:
            self._followers.remove(inbox)

    def _lead(self, inbox: Inbox, deadline: float | None) -> None:
        """Reads and writes for all, until there is something for this call."""
        while True:
            wait = _LONGEST_WAIT
            if deadline is not None:
                wait = min(wait, deadline - time.monotonic())
                if wait <= 0:
                    return
            readable, writable = self._poll(wait)
            try:
                if readable:
                    self._read()
                with self._lock:
                    if writable:
                        self._flush()
                    if inbox.events:
                        return
                self._tidy()
            except DirtyError as error:
                self._end_with(self._exchange.end, error)
                return
            except BaseException as error:
                # Interrupted in the middle: nobody knows which bytes have been taken in.
                self._end_with(self._exchange.lose, f"the caller that was reading was interrupted by {error!r}")
                raise

    def _hand_over(self) -> None:
        with self._lock:
            self._leading = False
            if self._exchange.ended is not None:
                self._close_descriptors()
            self._call_a_leader()

    def _call_a_leader(self) -> None:
        for inbox in self._followers:
            # Those with something to read are awake already.
            if not inbox.events:
                inbox.waiter.notify()
                return

    def _poll(self, wait: float) -> tuple[bool, bool]:
        """Waits until there is something to read, or to write. Never called by two callers at once."""
        to_write = bool(self._outbox)
        # Looked up each time: gevent puts its own functions there.
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | (select.POLLOUT if to_write else 0))
            poll.register(self._alarm, select.POLLIN)
            events = dict(poll.poll(max(1, int(wait * 1000 + 0.999))))
            got = events.get(self._socket.fileno(), 0)
            alarm = self._alarm in events
            readable, writable = bool(got & ~select.POLLOUT), bool(got & select.POLLOUT)
        else:
            number = self._socket.fileno()
            reading, writing, _ = select.select([number, self._alarm], [number] if to_write else [], [], wait)
            readable, writable, alarm = number in reading, bool(writing), self._alarm in reading
        if alarm:
            try:
                os.read(self._alarm, 4096)
            except BlockingIOError:
                pass
        return readable, writable

    def _read(self) -> None:
        """Takes in what has arrived, and gives it to whom it belongs. Only the caller that leads does this."""
        try:
            got = self._socket.recv_into(self._scratch)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end_with(self._exchange.lose, error)
            return
        try:
            if not got:
                self._frames.finish()
                self._end_with(self._exchange.lose, "closed by the arbiter")
                return
            with memoryview(self._scratch) as view:
                self._frames.feed(view[:got])
            while True:
                payload = self._frames.next()
                if payload is None:
                    return
                # Decoded before the lock is taken: it may be large.
                message = self._exchange.read(payload)
                with self._lock:
                    self._deliver(message, len(payload))
        except BadFrame as error:
            raise _failure.bad_frame(error) from None

    def _deliver(self, message: dict[str, Any], size: int) -> None:
        # Reading happens only because somebody waits.
        inbox, cancel = self._exchange.take(message, size, True)
        if cancel is not None:
            self._outbox.append(_Outgoing(None, cancel))
            self._flush()
        if inbox is not None and inbox.waiter is not None:
            inbox.waiter.notify()

    # ---- writing ---------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Writes what the socket takes now. The lock is held."""
        while self._outbox:
            first = self._outbox[0]
            try:
                sent = self._socket.send(first.rest)
            except (BlockingIOError, InterruptedError):
                if self._leading:
                    self._ring()
                return
            except OSError:
                # What has been sent may still be answered.
                self._open = False
                self._outbox.clear()
                return
            first.rest = first.rest[sent:]
            if not first.rest:
                self._outbox.popleft()

    def _ring(self) -> None:
        try:
            os.write(self._bell, b"!")
        except OSError:
            # It has been rung often enough.
            pass

    # ---- leaving ---------------------------------------------------------------------------------------------

    def _tidy(self) -> None:
        """Does what has been left to do. If the lock is held, its holder will."""
        while self._left and self._lock.acquire(blocking=False):
            try:
                while self._left:
                    self._leave_now(self._left.popleft())
            finally:
                self._lock.release()

    def _leave_now(self, inbox: Inbox) -> None:
        cancel = self._exchange.leave(inbox)
        if cancel is None or not self._open:
            return
        for at, outgoing in enumerate(self._outbox):
            if outgoing.request is inbox:
                if len(outgoing.rest) == outgoing.whole:
                    # Nothing of it has been written: it is as if it had never been.
                    del self._outbox[at]
                    return
                break
        self._outbox.append(_Outgoing(None, cancel))
        self._flush()

    def _forget(self, inbox: Inbox) -> None:
        with self._lock:
            self._exchange.leave(inbox)
            self._outbox = deque(outgoing for outgoing in self._outbox if outgoing.request is not inbox)

    def _end_with(self, end: Any, cause: Any) -> None:
        with self._lock:
            if self._abandoned:
                return
            self._open = False
            self._outbox.clear()
            for inbox in end(cause):
                if inbox.waiter is not None:
                    inbox.waiter.notify()
            if self._leading:
                # The caller that reads sees the end of the socket, and closes it.
                self._ring()
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if not self._leading:
                self._close_descriptors()

    def _close_descriptors(self) -> None:
        self._socket.close()
        for descriptor in (self._alarm, self._bell):
            try:
                os.close(descriptor)
            except OSError:
                pass
        self._alarm = self._bell = -1

    def __del__(self) -> None:
        if getattr(self, "_alarm", -1) != -1:
            self._close_descriptors()
