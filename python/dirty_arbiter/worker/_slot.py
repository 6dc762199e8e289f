"""One slot: a connection from the arbiter, on which one request is served after the other (WORK-3)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .._decode import BadMessage, Unreadable, decode
from .._frame import BadFrame, Limits
from .._messages import error_frame
from ._link import Link
from ._loop import LoopThread
from ._run import Gone, Runner

if TYPE_CHECKING:
    from ._service import Control

log = logging.getLogger("dirty_arbiter.worker")


class Slot:
    """Serves connections, one after the other: read, run, write."""

    def __init__(self, number: int, runner: Runner, control: "Control", loop: LoopThread, limits: Limits) -> None:
        self._number = number
        self._runner = runner
        self._control = control
        self._loop = loop
        self._limits = limits

    def serve(self, connection: socket.socket) -> None:
        """Serves one connection to its end."""
        self._control.connected(self._number, connection)
        link = Link(connection, self._limits)
        try:
            while True:
                payload = link.next_frame()
                if payload is None:
                    return
                self._answer(payload, link)
        except BadFrame as error:
            # A reader that is out of step cannot be told anything sensible: the end of the connection is the
            # answer (FRAME-12).
            log.warning("slot %d: closed the connection on a bad frame: %s", self._number + 1, error)
        except (OSError, Gone) as error:
            log.warning("slot %d: lost the connection: %s", self._number + 1, error)
        finally:
            self._control.disconnected(self._number)
            connection.close()

    def _answer(self, payload: bytes, link: Link) -> None:
        """Answers one message. An error of the connection is raised, an error of the message is answered (MSG-5)."""
        try:
            message = decode(payload, self._limits, "worker")
        except BadMessage as error:
            details = {"pointer": error.pointer, "requirement": error.requirement}
            answer = error_frame(error.request_id, "DirtyProtocolError", str(error), details, self._limits)
            link.connection.sendall(answer)
            return
        except Unreadable as error:
            problem = f"value at {error.pointer}: {error.problem}"
            if error.message["type"] == "request":
                link.connection.sendall(self._runner.refuse(error.message, problem, error.pointer))
            return
        # A cancel: nothing runs, so the request it is for has ended (CANCEL-2).
        if message["type"] == "request":
            # What an action sets in its context does not reach the next one.
            contextvars.copy_context().run(self._run, message, link)

    def _run(self, request: dict[str, Any], link: Link) -> None:
        number = link.begin(request["id"])
        self._control.began(self._number, request)
        try:
            self._runner.run(request, _SlotPort(link, number, self._loop))
        finally:
            link.finish()
            self._control.ended(self._number)


class _SlotPort:
    """The way from an action back to the arbiter."""

    def __init__(self, link: Link, number: int, loop: LoopThread) -> None:
        self._link = link
        self._number = number
        self._loop = loop

    def send(self, frame: bytes) -> None:
        try:
            self._link.connection.sendall(frame)
        except OSError as error:
            raise Gone(str(error)) from None

    async def send_async(self, frame: bytes) -> None:
        connection = self._link.connection
        rest = memoryview(frame)
        while True:
            try:
                sent = connection.send(rest, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                await _writable(connection)
                continue
            except OSError as error:
                raise Gone(str(error)) from None
            rest = rest[sent:]
            if not rest:
                return

    def is_cancelled(self) -> bool:
        return self._link.is_cancelled(self._number)

    def was_cancelled(self) -> bool:
        return self._link.was_cancelled(self._number)

    def failed(self, error: BaseException) -> None:
        pass

    def wait_for(self, work: Callable[[], Awaitable[None]]) -> None:
        outcome: list[BaseException | None] = []

        async def watched() -> None:
            task = asyncio.current_task()
            loop = asyncio.get_running_loop()
            connection = self._link.connection

            def look() -> None:
                if self._link.look_now(self._number):
                    if task is not None:
                        task.cancel()
                elif self._link.is_open():
                    return
                loop.remove_reader(connection)

            loop.add_reader(connection, look)
            try:
                # What has come already, together with the request.
                look()
                await work()
                outcome.append(None)
            except BaseException as error:
                # Whatever it is, SystemExit included: it is the caller's to know, and does not end the loop.
                outcome.append(error)
            finally:
                loop.remove_reader(connection)

        try:
            self._loop.submit(watched()).result()
        except concurrent.futures.CancelledError as error:
            # The cancel came before the work began, or after its end: then it is too late.
            outcome.append(error)
        if outcome[0] is not None:
            raise outcome[0]


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(connection, wake)
    try:
        await ready
    finally:
        loop.remove_writer(connection)


class Activity:
    """What a slot is doing."""

    def __init__(self) -> None:
        self.connection: socket.socket | None = None
        self.request: dict[str, Any] | None = None
        self.since = 0.0

    def began(self, request: dict[str, Any]) -> None:
        self.request, self.since = request, time.monotonic()

    def hang_up(self) -> None:
        """Lets the slot come to the end of what has arrived: it reads that, and then the end of the connection.
        Replies can still be written."""
        if self.connection is not None:
            try:
                self.connection.shutdown(socket.SHUT_RD)
            except OSError:
                # The other end was quicker.
                pass
