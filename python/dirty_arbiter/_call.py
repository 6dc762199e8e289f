"""The call that an action serves, for actions that want to know."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .errors import DirtyCancelledError

__all__ = ["Call", "current_call"]

_current: ContextVar["Call"] = ContextVar("dirty_call")


class Call:
    """What was asked, by when, and whether it still matters."""

    def __init__(self, request: dict[str, Any], limit: float | None, cancelled: Callable[[], bool]) -> None:
        self._request = request
        limits = [seconds for seconds in (limit, request.get("timeout")) if seconds]
        self._deadline = time.monotonic() + min(limits) if limits else None
        self._cancelled = cancelled

    @property
    def id(self) -> str:
        """The id of the request: good for logs."""
        return str(self._request["id"])

    @property
    def app_path(self) -> str:
        """The app that was asked."""
        return str(self._request["app_path"])

    @property
    def action(self) -> str:
        """The action that was asked for."""
        return str(self._request["action"])

    @property
    def meta(self) -> dict[str, Any]:
        """What the client sent along, for example a trace context (EXT-2)."""
        return dict(self._request.get("meta", {}))

    @property
    def accepts_hints(self) -> bool:
        """Whether the caller reads hints: whether a result may hold bytes and NaN (VAL-6)."""
        return self._request.get("accept_hints") is True

    @property
    def cancelled(self) -> bool:
        """Whether the caller has cancelled the call, or it has ended. Asking is cheap."""
        return self._cancelled()

    def check(self) -> None:
        """Raises `DirtyCancelledError` if the call has been cancelled.

        A plain action cannot be stopped from outside. A long one asks now and then, and gives up (CANCEL-4)."""
        if self.cancelled:
            raise DirtyCancelledError("the request was cancelled")

    def time_left(self) -> float | None:
        """How long the caller will still wait, in seconds; `None` without a limit. In a stream the limit is on the gap
        between two items, so this is a lower bound."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def __repr__(self) -> str:
        return f"<Call {self.id}: {self.action} of {self.app_path}>"


def current_call() -> Call:
    """The call that the running action serves. Raises `LookupError` outside of one.

    Threads that an action starts do not inherit it; pass it on, or run them in a copy of the context."""
    try:
        return _current.get()
    except LookupError:
        raise LookupError("no call is being served here") from None
