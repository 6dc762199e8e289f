"""The receiving side of a slot: requests one after the other, and `cancel` at any time."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque

from .._decode import BadMessage, Unreadable, decode
from .._frame import BadFrame, FrameDecoder, Limits

_READ = 256 * 1024
# How often, at most, a running action looks for a cancel: looking costs a system call.
_LOOK_EVERY = 200e-6


class Link:
    """What has arrived on the connection of a slot, and whether the call that runs has been cancelled."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self.connection = connection
        self._limits = limits
        self._frames = FrameDecoder(limits)
        self._scratch = bytearray(_READ)
        # A frame that came while a call ran and is no cancel. No arbiter sends one (WORK-3).
        self._later: deque[bytes] = deque()
        self._fault: BadFrame | None = None
        self._at_end = False
        self._lock = threading.Lock()
        self._calls = 0
        self._running = 0
        self._cancelled = 0
        self._id = ""
        self._looked = 0.0

    def next_frame(self) -> bytes | None:
        """Waits for the next frame; `None` when the arbiter has closed the connection between two frames."""
        with self._lock:
            if self._later:
                return self._later.popleft()
            if self._fault is not None:
                raise self._fault
            while True:
                payload = self._frames.next()
                if payload is not None:
                    return payload
                if self._at_end:
                    self._frames.finish()
                    return None
                self._receive(0)

    def begin(self, request_id: str) -> int:
        """Starts a call: from here on a cancel with this id is for it. One may have come together with the request."""
        with self._lock:
            self._calls += 1
            self._id = request_id
            if self._sort():
                self._cancelled = self._calls
            self._running = self._calls
            return self._calls

    def finish(self) -> None:
        """Ends the call that runs."""
        self._running = 0

    def was_cancelled(self, call: int) -> bool:
        """Whether the call is known to have been cancelled."""
        return self._cancelled == call

    def is_cancelled(self, call: int) -> bool:
        """Whether the call has been cancelled, or has ended. Never waits."""
        if self._running != call or self._cancelled == call:
            return True
        # Whoever else holds the lock is looking too.
        if not self._lock.acquire(blocking=False):
            return False
        try:
            now = time.monotonic()
            if self._calls == call and now - self._looked >= _LOOK_EVERY:
                self._looked = now
                self._look()
        finally:
            self._lock.release()
        return self._cancelled == call

    def look_now(self, call: int) -> bool:
        """Reads what has arrived. Whether the call is now known to be cancelled. Never waits."""
        with self._lock:
            self._look()
        return self._cancelled == call

    def is_open(self) -> bool:
        """Whether reading on could still bring a cancel."""
        return not (self._at_end or self._later or self._fault)

    def _look(self) -> None:
        while self.is_open():
            try:
                self._receive(socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            if self._sort():
                self._cancelled = self._calls
                return

    def _receive(self, flags: int) -> None:
        try:
            got = self.connection.recv_into(self._scratch, 0, flags)
        except ConnectionResetError:
            # The other end is gone; so is whoever waited for an answer.
            got = 0
        if got:
            with memoryview(self._scratch) as view:
                self._frames.feed(view[:got])
        else:
            self._at_end = True

    def _sort(self) -> bool:
        """Takes up what has arrived, up to a frame that is no cancel. Whether one for the running call was there."""
        while True:
            if self._later:
                payload: bytes | None = self._later.popleft()
            else:
                try:
                    payload = self._frames.next()
                except BadFrame as fault:
                    self._fault = fault
                    return False
            if payload is None:
                return False
            try:
                message = decode(payload, self._limits, "worker")
            except (BadFrame, BadMessage, Unreadable):
                message = {}
            if message.get("type") != "cancel":
                self._later.appendleft(payload)
                return False
            # A cancel for another call is for one that has ended (CANCEL-2).
            if message["id"] == self._id:
                return True
