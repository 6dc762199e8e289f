"""A running worker: its slots, and how they are stopped."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Any

from ._apps import BootError
from ._loop import LoopThread
from ._run import Runner
from ._setup import Setup
from ._slot import Activity, Slot

log = logging.getLogger("dirty_arbiter.worker")


class Control:
    """Stops a worker, from any thread and at any time of its life."""

    def __init__(self, slots: int) -> None:
        self.stopping = False
        # Reentrant: a signal handler may stop the worker while its own thread holds the lock.
        self._lock = threading.RLock()
        self._listener: socket.socket | None = None
        self._slots = [Activity() for _ in range(slots)]

    def stop(self) -> None:
        """Idle slots end at once, busy ones after their request. What has arrived already is still served: the arbiter
        could not know better when it sent it."""
        self.stopping = True
        with self._lock:
            for slot in self._slots:
                if slot.request is None:
                    slot.hang_up()
            self._close_listener()

    def listen_with(self, listener: socket.socket) -> None:
        with self._lock:
            self._listener = listener
            if self.stopping:
                self._close_listener()

    def connected(self, slot: int, connection: socket.socket) -> None:
        with self._lock:
            self._slots[slot].connection = connection
            if self.stopping:
                self._slots[slot].hang_up()

    def disconnected(self, slot: int) -> None:
        with self._lock:
            self._slots[slot].connection = None

    def began(self, slot: int, request: dict[str, Any]) -> None:
        with self._lock:
            self._slots[slot].began(request)

    def ended(self, slot: int) -> None:
        with self._lock:
            self._slots[slot].request = None
            if self.stopping:
                self._slots[slot].hang_up()

    def describe(self) -> list[str]:
        """What every slot is doing, a line each."""
        lines = []
        for number, slot in enumerate(self._slots, 1):
            request = slot.request
            if request is None:
                lines.append(f"slot {number}: idle")
                continue
            doing = f"{request['action']} of {request['app_path']}, request {request['id']}"
            lines.append(f"slot {number}: {doing}, for {time.monotonic() - slot.since:.3f} s")
        return lines

    def _close_listener(self) -> None:
        if self._listener is not None:
            try:
                # Wakes the slots that wait for a connection.
                self._listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Service:
    """The slots of a worker, each in a thread of its own."""

    def __init__(self, runner: Runner, setup: Setup, control: Control) -> None:
        self._control = control
        self._path = setup.socket
        self._listener = _listen(setup.socket)
        control.listen_with(self._listener)
        loop = LoopThread()
        self._threads = []
        for number in range(setup.threads):
            slot = Slot(number, runner, control, loop, setup.limits)
            thread = threading.Thread(target=self._accept, args=(slot,), name=f"slot-{number + 1}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self) -> None:
        """Waits until every slot has ended, and removes the socket."""
        for thread in self._threads:
            thread.join()
        self._listener.close()
        try:
            os.unlink(self._path)
        except OSError:
            # The arbiter may have been quicker.
            pass

    def is_over(self) -> bool:
        """Whether every slot has ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def _accept(self, slot: Slot) -> None:
        """Serves one connection after the other, until the worker is told to end."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if self._control.stopping:
                    return
                log.error("failed to accept a connection: %s", error)
                # Descriptors or memory are short: others must give some back first.
                time.sleep(0.1)
                continue
            slot.serve(connection)


def _listen(path: str) -> socket.socket:
    """Listens on a socket that nobody but this user can connect to (SEC-1)."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise BootError(f"failed to listen on {path}: {error}") from None
    return listener
