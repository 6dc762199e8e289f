"""The client: call actions of apps behind an arbiter, one result or a stream of items at a time."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import _blocking, _failure
from ._discovery import find_socket
from ._encode import Unsendable
from ._exchange import EXECUTE, STREAM, Inbox
from ._frame import Limits
from ._messages import request_parts
from ._shape import Misshapen
from ._shapes import MESSAGES

if TYPE_CHECKING:
    import asyncio

    from ._aio import AsyncConnection

__all__ = [
    "DEFAULT_TIMEOUT",
    "DirtyAsyncStream",
    "DirtyClient",
    "DirtyStream",
    "close_dirty_client",
    "close_dirty_client_async",
    "get_dirty_client",
    "get_dirty_client_async",
]

DEFAULT_TIMEOUT = 330.0
"""How long a caller waits who has not said otherwise, in seconds: the arbiter's own default limit of 300, and 30 for its
answer. The arbiter's limit is the one that ends work and says what happened; the client's is there for an arbiter that does
not answer at all, and the arbiter is not told about it."""

_LONGEST_TIMEOUT = 1e9
# How many connections are tried in turn for one request, as long as nothing of it has been sent.
_ATTEMPTS = 3


class _Default:
    """The default limit."""

    def __repr__(self) -> str:
        return "DEFAULT"


_DEFAULT = _Default()


class _Shared:
    """What a client and its variants share: the connections."""

    def __init__(self, path: str, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.connecting = threading.Lock()
        self.connection: _blocking.Connection | None = None
        # One connection for each event loop, and the lock that is held while it is made.
        self.loops: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop]" = weakref.WeakKeyDictionary()
        _all_shared.add(self)

    def after_fork(self) -> None:
        """In the child: everything is the parent's."""
        self.connecting = threading.Lock()
        if self.connection is not None:
            self.connection.abandon()
            self.connection = None
        # The loops do not live here.
        for place in list(self.loops.values()):
            if place.connection is not None:
                place.connection.abandon()
        self.loops = weakref.WeakKeyDictionary()


class _OfLoop:
    """The connection of an event loop."""

    def __init__(self) -> None:
        import asyncio

        self.connecting = asyncio.Lock()
        self.connection: AsyncConnection | None = None


_all_shared: "weakref.WeakSet[_Shared]" = weakref.WeakSet()


def _after_fork() -> None:
    _clients_lock_reset()
    for shared in list(_all_shared):
        shared.after_fork()


class DirtyClient:
    """A client of an arbiter.

    One client serves any number of threads, greenlets and tasks at once: they share one connection (one for blocking
    calls, and one for each event loop), on which their calls run at the same time, told apart by id. Connections are made
    by the first call. If one is lost, the calls in flight fail, and the next call makes a new one; no call is ever
    repeated once any of its bytes have been sent. A process that is forked makes connections of its own.

    - `socket_path`: the arbiter's socket; without it, `DIRTY_SOCKET`, `GUNICORN_DIRTY_SOCKET` or
      `$XDG_RUNTIME_DIR/dirty/arbiter.sock`.
    - `timeout`: how long to wait for a result, or for the next item of a stream, in seconds; `None` for ever. The arbiter
      is told, and ends the work too (TIME-2). Without it, `DEFAULT_TIMEOUT`.
    - `accept_hints`: whether bytes, NaN and integers of any size pass both ways (VAL-5). Turned off, arguments may still
      hold bytes, and results hold what JSON has.
    - `meta`: members for the worker's eyes, such as a trace context (EXT-2).
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        timeout: float | _Default | None = _DEFAULT,
        *,
        accept_hints: bool = True,
        meta: Mapping[str, Any] | None = None,
        max_frame: int | None = None,
    ) -> None:
        limits = Limits() if max_frame is None else Limits(max_payload=max_frame)
        self._shared = _Shared(find_socket(socket_path), limits)
        self._timeout = _checked(timeout)
        self._accept_hints = accept_hints
        self._meta = dict(meta or {})

    @property
    def socket_path(self) -> str:
        """The path of the arbiter's socket."""
        return self._shared.path

    @property
    def timeout(self) -> float | None:
        """How long a caller waits, in seconds."""
        return DEFAULT_TIMEOUT if isinstance(self._timeout, _Default) else self._timeout

    def with_options(
        self,
        *,
        timeout: float | _Default | None = _DEFAULT,
        accept_hints: bool | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> "DirtyClient":
        """The same client with other options; it shares the connections.

        ```python
        client.with_options(timeout=5).execute("shop:Images", "embed", "cat.png")
        ```

        Keyword arguments of a call are all the app's, so limits are given this way."""
        other = DirtyClient.__new__(type(self))
        other._shared = self._shared
        other._timeout = self._timeout if isinstance(timeout, _Default) else _checked(timeout)
        other._accept_hints = self._accept_hints if accept_hints is None else accept_hints
        other._meta = self._meta if meta is None else dict(meta)
        return other

    # ---- blocking --------------------------------------------------------------------------------------------

    def execute(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls an action and returns its one result.

        Raises the error that the call ended with: `DirtyAppError` when the action raised, `DirtyTimeoutError` when a limit
        passed, `DirtyConnectionError` when no arbiter can be reached or it goes away, `DirtyError` when the action streams
        (CALL-9), and the others of this package."""
        parts = self._request(app_path, action, args, kwargs)
        deadline = self._deadline()
        connection, inbox = self._start(EXECUTE, parts, deadline, app_path, action)
        del parts
        try:
            event = connection.wait(inbox, deadline)
        finally:
            connection.leave(inbox)
        if event is None:
            raise self._timed_out("result from", app_path, action)
        return event.value()

    def stream(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> "DirtyStream":
        """Calls an action and gives its items as they come. A plain result is the one item (STREAM-6).

        What goes wrong before the request is sent is raised here, everything else by the stream."""
        parts = self._request(app_path, action, args, kwargs)
        connection, inbox = self._start(STREAM, parts, self._deadline(), app_path, action)
        return DirtyStream(self, connection, inbox, app_path, action)

    def close(self) -> None:
        """Closes the connection of blocking calls; calls that are in flight fail. The next call makes a new one."""
        with self._shared.connecting:
            connection, self._shared.connection = self._shared.connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> "DirtyClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- asynchronous ----------------------------------------------------------------------------------------

    async def execute_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """As `execute`, without blocking the event loop. A task that is cancelled cancels its call."""
        parts = self._request(app_path, action, args, kwargs)
        deadline = self._deadline()
        connection, inbox = await self._start_async(EXECUTE, parts, deadline, app_path, action)
        del parts
        try:
            event = await connection.wait(inbox, deadline)
        finally:
            connection.leave(inbox)
        if event is None:
            raise self._timed_out("result from", app_path, action)
        return event.value()

    def stream_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> "DirtyAsyncStream":
        """As `stream`, for `async for`. The request is sent when the first item is asked for."""
        parts = self._request(app_path, action, args, kwargs)
        return DirtyAsyncStream(self, parts, app_path, action)

    async def close_async(self) -> None:
        """Closes the connection of the running event loop; calls that are in flight fail."""
        import asyncio

        place = self._shared.loops.pop(asyncio.get_running_loop(), None)
        if place is not None and place.connection is not None:
            place.connection.close()

    async def __aenter__(self) -> "DirtyClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    # ---- inside ----------------------------------------------------------------------------------------------

    def _request(self, app_path: str, action: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[bytes]:
        for name, value in (("app_path", app_path), ("action", action)):
            try:
                MESSAGES["request"].members[name].shape.check(value)
            except Misshapen as wrong:
                raise _failure.invalid(name, wrong.problem) from None
        limit = None if isinstance(self._timeout, _Default) else self._timeout
        try:
            return request_parts(
                app_path,
                action,
                args,
                kwargs,
                # Longer than any arbiter's limit could be: it has nothing to say.
                timeout=limit if limit is not None and limit <= _LONGEST_TIMEOUT else None,
                meta=self._meta,
                accept_hints=self._accept_hints,
                limits=self._shared.limits,
            )
        except Unsendable as error:
            raise _failure.unsendable(error) from None

    def _deadline(self) -> float | None:
        limit = self.timeout
        # Python's own waits refuse what is far beyond.
        return None if limit is None or limit > _LONGEST_TIMEOUT else time.monotonic() + limit

    def _timed_out(self, awaited: str, app_path: str, action: str) -> Exception:
        return _failure.timed_out(self.timeout or 0.0, awaited, app_path, action)

    def _start(
        self, kind: str, parts: list[bytes], deadline: float | None, app_path: str, action: str
    ) -> tuple[_blocking.Connection, Inbox]:
        """Sends a request. A connection that was lost in the meantime is replaced, as long as nothing has been sent."""
        for _ in range(_ATTEMPTS):
            connection = self._connection(deadline)
            if connection is None:
                raise self._timed_out("connection for", app_path, action)
            try:
                return connection, connection.start(kind, parts)
            except _blocking.Stale:
                continue
        raise _failure.turned_away(self._shared.path)

    def _connection(self, deadline: float | None) -> _blocking.Connection | None:
        """The open connection; without one, exactly one of the callers makes it. `None` when the deadline passes."""
        shared = self._shared
        connection = shared.connection
        if connection is not None and connection.is_open():
            return connection
        rest = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if not shared.connecting.acquire(timeout=rest):
            return None
        try:
            connection = shared.connection
            if connection is not None and connection.is_open():
                return connection
            try:
                made = _blocking.connect(shared.path, deadline)
            except OSError as error:
                raise _failure.unreachable(shared.path, error) from None
            if made is None:
                return None
            shared.connection = _blocking.Connection(made, shared.path, shared.limits)
            return shared.connection
        finally:
            shared.connecting.release()

    async def _start_async(
        self, kind: str, parts: list[bytes], deadline: float | None, app_path: str, action: str
    ) -> "tuple[AsyncConnection, Inbox]":
        for _ in range(_ATTEMPTS):
            connection = await self._connection_async(deadline)
            if connection is None:
                raise self._timed_out("connection for", app_path, action)
            try:
                return connection, connection.start(kind, parts)
            except _blocking.Stale:
                continue
        raise _failure.turned_away(self._shared.path)

    async def _connection_async(self, deadline: float | None) -> "AsyncConnection | None":
        import asyncio

        from . import _aio

        shared = self._shared
        loop = asyncio.get_running_loop()
        place = shared.loops.get(loop)
        if place is None:
            place = shared.loops[loop] = _OfLoop()
        if place.connection is not None and place.connection.is_open():
            return place.connection
        async with place.connecting:
            if place.connection is not None and place.connection.is_open():
                return place.connection
            try:
                place.connection = await _aio.connect(shared.path, deadline, shared.limits)
            except OSError as error:
                raise _failure.unreachable(shared.path, error) from None
            return place.connection


class DirtyStream(Iterator[Any]):
    """The items of a stream, as they come.

    The first error ends it. Leaving it before its end (by `close`, by `with`, or by dropping it) cancels the call and
    leaves the connection usable (STREAM-7)."""

    def __init__(
        self, client: DirtyClient, connection: _blocking.Connection, inbox: Inbox, app_path: str, action: str
    ) -> None:
        self._client = client
        self._connection = connection
        self._inbox: Inbox | None = inbox
        self._app_path = app_path
        self._action = action

    def __iter__(self) -> "DirtyStream":
        return self

    def __next__(self) -> Any:
        inbox = self._inbox
        if inbox is None:
            raise StopIteration
        ended = True
        try:
            event = self._connection.wait(inbox, self._client._deadline())
            if event is None:
                raise self._client._timed_out("item from", self._app_path, self._action)
            if event.message is None and event.error is None:
                raise StopIteration
            value = event.value()
            ended = event.member == "result" and not inbox.events
            return value
        finally:
            if ended:
                self.close()

    def close(self) -> None:
        """Leaves the stream."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            self._connection.leave(inbox)

    def __enter__(self) -> "DirtyStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_inbox", None) is not None:
            self.close()


class DirtyAsyncStream(AsyncIterator[Any]):
    """The items of a stream, as they come, for `async for`.

    The first error ends it. Leaving it before its end (by `aclose`, by `async with`, by dropping it, or because the task
    was cancelled) cancels the call and leaves the connection usable (STREAM-7)."""

    def __init__(self, client: DirtyClient, parts: list[bytes], app_path: str, action: str) -> None:
        self._client = client
        self._parts: list[bytes] | None = parts
        self._connection: AsyncConnection | None = None
        self._inbox: Inbox | None = None
        self._app_path = app_path
        self._action = action

    def __aiter__(self) -> "DirtyAsyncStream":
        return self

    async def __anext__(self) -> Any:
        client = self._client
        deadline = client._deadline()
        if self._parts is not None:
            parts, self._parts = self._parts, None
            self._connection, self._inbox = await client._start_async(STREAM, parts, deadline, self._app_path, self._action)
        connection, inbox = self._connection, self._inbox
        if connection is None or inbox is None:
            raise StopAsyncIteration
        ended = True
        try:
            event = await connection.wait(inbox, deadline)
            if event is None:
                raise client._timed_out("item from", self._app_path, self._action)
            if event.message is None and event.error is None:
                raise StopAsyncIteration
            value = event.value()
            ended = event.member == "result"
            return value
        finally:
            if ended:
                self._leave()

    async def aclose(self) -> None:
        """Leaves the stream."""
        self._parts = None
        self._leave()

    async def __aenter__(self) -> "DirtyAsyncStream":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _leave(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None and self._connection is not None:
            self._connection.leave(inbox)

    def __del__(self) -> None:
        inbox, connection = getattr(self, "_inbox", None), getattr(self, "_connection", None)
        if inbox is None or connection is None or connection.loop.is_closed():
            return
        # Whoever drops it may be another thread.
        connection.loop.call_soon_threadsafe(connection.leave, inbox)


def _checked(timeout: float | _Default | None) -> float | _Default | None:
    if timeout is None or isinstance(timeout, _Default):
        return timeout
    # NaN is not longer than nothing either.
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ValueError(f"timeout is {timeout!r}: expected seconds, more than 0, or None to wait for ever")
    return float(timeout)


# ---- the clients of the process ----------------------------------------------------------------------------------

_clients: dict[tuple[str, Any], DirtyClient] = {}
_clients_lock = threading.Lock()


def _clients_lock_reset() -> None:
    global _clients_lock
    _clients_lock = threading.Lock()


def get_dirty_client(timeout: float | _Default | None = _DEFAULT) -> DirtyClient:
    """The process's client of the arbiter whose socket the environment names.

    It is made by the first call, and may be used by any number of threads. Calls with the same `timeout` get the same
    client; all of them share a connection."""
    path = find_socket()
    key = (path, _DEFAULT if isinstance(timeout, _Default) else timeout)
    client = _clients.get(key)
    if client is not None:
        return client
    with _clients_lock:
        if key not in _clients:
            first = _clients.setdefault((path, _DEFAULT), DirtyClient(path))
            _clients[key] = first if key[1] is _DEFAULT else first.with_options(timeout=timeout)
        return _clients[key]


async def get_dirty_client_async(timeout: float | _Default | None = _DEFAULT) -> DirtyClient:
    """The same client, for `execute_async` and `stream_async`."""
    return get_dirty_client(timeout)


def close_dirty_client() -> None:
    """Closes the connections of the process's clients for blocking calls. The next call makes new ones."""
    for client in list(_clients.values()):
        client.close()


async def close_dirty_client_async() -> None:
    """Closes the connections of the process's clients that belong to the running event loop."""
    for client in list(_clients.values()):
        await client.close_async()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
