"""The errors of calls: what a client raises, and what travels in an error message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "DirtyAppError",
    "DirtyAppNotFoundError",
    "DirtyCancelledError",
    "DirtyConnectionError",
    "DirtyError",
    "DirtyNoWorkersAvailableError",
    "DirtyOverloadedError",
    "DirtyProtocolError",
    "DirtyTimeoutError",
    "DirtyWorkerError",
    "error_from_object",
]


class DirtyError(Exception):
    """A call that failed. Every other error of this package is a kind of it.

    `message` says what happened, in words. `details` holds particulars by their registered names (ERR-9); those that
    are often asked for are attributes too, and `None` when they are not known.

    The particulars can be given as a mapping, as keyword arguments, or both.
    """

    error_type: str = "DirtyError"
    """The type as it was sent. A type that this package does not know is raised as `DirtyError` (ERR-2)."""

    def __init__(self, message: str = "", details: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = {**(details or {}), **more}

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Classes of apps may have constructors of their own; what counts is the state.
        return _restore, (type(self), self.message, self.details, self.error_type)

    @property
    def app_path(self) -> str | None:
        """The app of the request."""
        return self._text("app_path")

    @property
    def action(self) -> str | None:
        """The action of the request."""
        return self._text("action")

    @property
    def traceback(self) -> str | None:
        """The stack of the exception in the app, if the worker sent it (ERR-5)."""
        return self._text("traceback")

    @property
    def timeout(self) -> float | None:
        """The limit that passed, in seconds."""
        return self._number("timeout")

    @property
    def phase(self) -> str | None:
        """What the request was doing when its limit passed: `queue`, `boot`, `run` or `stream`."""
        return self._text("phase")

    @property
    def worker_id(self) -> int | None:
        """The worker on which the request ran."""
        return self._integer("worker_id")

    @property
    def signal(self) -> int | None:
        """The signal that killed the worker."""
        return self._integer("signal")

    @property
    def exit_code(self) -> int | None:
        """The exit code of the worker."""
        return self._integer("exit_code")

    @property
    def retry_after(self) -> float | None:
        """When to try again, in seconds from now."""
        return self._number("retry_after")

    @property
    def pointer(self) -> str | None:
        """JSON Pointer to what was wrong in a message."""
        return self._text("pointer")

    @property
    def requirement(self) -> str | None:
        """The requirement of the specification that was broken."""
        return self._text("requirement")

    @property
    def socket_path(self) -> str | None:
        """The socket of the arbiter, in errors about the connection."""
        return self._text("socket_path")

    @property
    def raw_data(self) -> str | None:
        """The first bytes of what was no frame, in hexadecimal."""
        return self._text("raw_data")

    def _text(self, name: str) -> str | None:
        value = self.details.get(name)
        return value if isinstance(value, str) else None

    def _number(self, name: str) -> float | None:
        value = self.details.get(name)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def _integer(self, name: str) -> int | None:
        value = self._number(name)
        return int(value) if value is not None else None


class DirtyTimeoutError(DirtyError):
    """A time limit passed: the arbiter's, or the caller's own."""

    error_type = "DirtyTimeoutError"


class DirtyConnectionError(DirtyError):
    """The arbiter cannot be reached, or the connection ended. Made by clients, never sent (ERR-4)."""

    error_type = "DirtyConnectionError"


class DirtyWorkerError(DirtyError):
    """The worker died or broke the protocol while it ran the request (ERR-6)."""

    error_type = "DirtyWorkerError"


class DirtyAppError(DirtyError):
    """The action raised, does not exist, or its result cannot be sent (CALL-7)."""

    error_type = "DirtyAppError"


class DirtyAppNotFoundError(DirtyError):
    """No such app is served (CALL-4)."""

    error_type = "DirtyAppNotFoundError"


class DirtyNoWorkersAvailableError(DirtyError):
    """The app is served, but no worker can run it now."""

    error_type = "DirtyNoWorkersAvailableError"


class DirtyProtocolError(DirtyError):
    """A bad frame or a bad message, or a request that cannot be sent."""

    error_type = "DirtyProtocolError"


class DirtyOverloadedError(DirtyError):
    """Too many requests wait; `retry_after` says when to try again (POOL-3)."""

    error_type = "DirtyOverloadedError"


class DirtyCancelledError(DirtyError):
    """The request was cancelled (CANCEL-1)."""

    error_type = "DirtyCancelledError"


class _Registry:
    kinds: ClassVar[dict[str, type[DirtyError]]] = {
        kind.error_type: kind
        for kind in (
            DirtyError,
            DirtyTimeoutError,
            DirtyConnectionError,
            DirtyWorkerError,
            DirtyAppError,
            DirtyAppNotFoundError,
            DirtyNoWorkersAvailableError,
            DirtyProtocolError,
            DirtyOverloadedError,
            DirtyCancelledError,
        )
    }


def error_from_object(error: Mapping[str, Any]) -> DirtyError:
    """The exception for the `error` of an error message; an unknown type becomes `DirtyError` (ERR-2)."""
    error_type = error["error_type"]
    made = _Registry.kinds.get(error_type, DirtyError)(error["message"], error["details"])
    made.error_type = error_type
    return made


def _restore(kind: type[DirtyError], message: str, details: dict[str, Any], error_type: str) -> DirtyError:
    made = kind.__new__(kind)
    DirtyError.__init__(made, message, details)
    made.error_type = error_type
    return made
