"""Runs one request: from the message to its one terminal message (CALL-1)."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from .. import _hints
from .._call import Call, _current
from .._encode import Unsendable
from .._frame import Limits
from .._messages import Replies, error_frame
from .._shape import Misshapen
from .._shapes import DETAILS
from ..app import is_action_name
from ..errors import DirtyError
from ._apps import Apps

log = logging.getLogger("dirty_arbiter.worker")

# How long an asynchronous generator that is always ready may keep the event loop, in seconds.
_TURN = 0.005


class Gone(Exception):
    """The answer cannot be written: nobody is there any more."""


class Port(Protocol):
    """How a request is answered, and how its cancel is seen."""

    def send(self, frame: bytes) -> None:
        """Writes a frame, however long that takes. Raises `Gone`."""

    async def send_async(self, frame: bytes) -> None:
        """The same in the event loop."""

    def is_cancelled(self) -> bool:
        """Whether the call has been cancelled. Looks; never waits."""

    def was_cancelled(self) -> bool:
        """Whether the call is known to have been cancelled."""

    def failed(self, error: BaseException) -> None:
        """Is told what the action raised, before the caller is."""

    def wait_for(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs asynchronous work to its end; cancels it when the call is cancelled."""


class _Cancelled(Exception):
    """The action was stopped because of a cancel (CANCEL-4)."""


class _Failed(Exception):
    """Why a call gives no result."""

    def __init__(self, error_type: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.details = details


class Runner:
    """Runs requests for the apps of a worker."""

    def __init__(self, apps: Apps, limits: Limits, timeout: float, send_tracebacks: bool) -> None:
        self._apps = apps
        self._limits = limits
        self._timeout = timeout
        self._send_tracebacks = send_tracebacks

    def run(self, request: dict[str, Any], port: Port) -> None:
        """Runs a request and answers it."""
        _current.set(Call(request, self._timeout or None, port.is_cancelled))
        replies = Replies(request["id"], request.get("accept_hints") is True, self._limits)
        try:
            result = self._start(request)
            if _is_plain(result):
                port.send(replies.response(result))
            elif not inspect.isawaitable(result) and hasattr(result, "__next__"):
                self._stream(result, port, replies)
            else:
                port.wait_for(lambda: self._asynchronous(result, port, replies))
        except Gone:
            raise
        except BaseException as error:
            port.failed(error)
            port.send(self._failure(request, error, port.was_cancelled()))

    def refuse(self, request: dict[str, Any], problem: str, pointer: str) -> bytes:
        """The answer to a request with a value that cannot be held here."""
        return self._failure(request, _Failed("DirtyAppError", problem, pointer=pointer), False)

    def _start(self, request: dict[str, Any]) -> Any:
        app = self._apps.get(request["app_path"])
        if app is None:
            raise _Failed("DirtyAppNotFoundError", f'no app "{request["app_path"]}" is served here')
        action = request["action"]
        if not is_action_name(action):
            raise _Failed("DirtyAppError", f"Unknown action: {action}")
        hints = request.get("hints")
        if hints:
            _hints.apply(request, hints, ("args", "kwargs"))
        return app.run(action, *request["args"], **request["kwargs"])

    def _stream(self, items: Any, port: Port, replies: Replies) -> None:
        """Sends the items of an iterator, each when it is there (STREAM-1, STREAM-9)."""
        try:
            if port.is_cancelled():
                raise _Cancelled
            for item in items:
                port.send(replies.chunk(item))
                if port.is_cancelled():
                    raise _Cancelled
        finally:
            # A generator is told: it may hold files or locks.
            close = getattr(items, "close", None)
            if close is not None:
                _quietly(close)
        port.send(replies.end())

    async def _asynchronous(self, result: Any, port: Port, replies: Replies) -> None:
        """Answers with what an awaitable comes to (CALL-8), or with the items of an asynchronous stream (STREAM-4)."""
        if inspect.isawaitable(result):
            result = await result
        if _is_plain(result):
            await port.send_async(replies.response(result))
        elif hasattr(result, "__aiter__"):
            await self._stream_async(result.__aiter__(), port, replies)
        else:
            # A coroutine that returns a plain generator: its items are made in the event loop.
            await self._stream_async(_in_loop(result), port, replies)

    async def _stream_async(self, items: Any, port: Port, replies: Replies) -> None:
        turn_ends = time.monotonic() + _TURN
        try:
            async for item in items:
                await port.send_async(replies.chunk(item))
                if port.is_cancelled():
                    raise _Cancelled
                now = time.monotonic()
                if now >= turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = time.monotonic() + _TURN
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                try:
                    await close()
                except Exception:
                    log.exception("a stream failed while it was closed")
        await port.send_async(replies.end())

    def _failure(self, request: dict[str, Any], error: BaseException, cancelled: bool) -> bytes:
        """The error for the caller; it names the app and the action (CALL-7, STREAM-8)."""
        failed = _classified(error, cancelled)
        details = {**failed.details, "app_path": request["app_path"], "action": request["action"]}
        raised = not isinstance(error, (_Failed, _Cancelled, Unsendable, _hints.Misfit))
        if raised and failed.error_type == "DirtyAppError":
            text = _traceback(error)
            log.debug("%s", text)
            if self._send_tracebacks:
                details["traceback"] = text
        log.info(
            "a call failed: app=%s action=%s id=%s error_type=%s exception=%s",
            request["app_path"],
            request["action"],
            request["id"],
            failed.error_type,
            type(error).__name__ if raised else "-",
        )
        return error_frame(request["id"], failed.error_type, failed.message, details, self._limits)


def _is_plain(result: Any) -> bool:
    """Whether a result is one value: not a stream, and not the promise of something."""
    kind = type(result)
    if kind in (dict, list, str, int, float, bytes, bool, type(None)):
        return True
    return not (hasattr(kind, "__next__") or hasattr(kind, "__aiter__") or inspect.isawaitable(result))


async def _in_loop(items: Any) -> Any:
    try:
        for item in items:
            yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            _quietly(close)


def _quietly(close: Callable[[], Any]) -> None:
    try:
        close()
    except Exception:
        log.exception("a stream failed while it was closed")


def _classified(error: BaseException, cancelled: bool) -> _Failed:
    if isinstance(error, _Failed):
        return error
    # Whatever it gives as its reason: it knew of the cancel, and stopped (CANCEL-4).
    if cancelled and not isinstance(error, Unsendable):
        return _Failed("DirtyCancelledError", "the request was cancelled")
    if isinstance(error, Unsendable):
        return _Failed("DirtyAppError", str(error), requirement=error.requirement, pointer=error.pointer)
    if isinstance(error, _hints.Misfit):
        return _Failed("DirtyAppError", str(error), pointer=error.pointer)
    if isinstance(error, DirtyError):
        # An error from elsewhere is an app error to this caller, with what is known about it.
        return _Failed("DirtyAppError", error.message, **_sendable(error.details))
    return _Failed("DirtyAppError", _text(error))


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        return f"{type(error).__name__}, whose text cannot be had"
    if isinstance(error, Exception):
        return text
    # The text of these says nothing alone: sys.exit(1) has "1".
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _sendable(details: dict[str, Any]) -> dict[str, Any]:
    """The details whose registered meaning and type are kept (ERR-9)."""
    kept = {}
    for name, value in details.items():
        if name in DETAILS:
            try:
                DETAILS[name].shape.check(value)
            except Misshapen:
                continue
        kept[str(name)] = value
    return kept


def _traceback(error: BaseException) -> str:
    """Python's text for the exception, from the app's first frame on."""
    stack = error.__traceback__
    while stack is not None and stack.tb_next is not None and stack.tb_frame.f_code.co_filename in _OURS:
        stack = stack.tb_next
    return "".join(traceback.format_exception(type(error), error, stack))


_OURS = frozenset({_traceback.__code__.co_filename, is_action_name.__code__.co_filename})
