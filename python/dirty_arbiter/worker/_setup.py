"""What a worker is to do: the environment that the arbiter starts it with (WORK-1)."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from .._frame import MAX_DEPTH, MAX_PAYLOAD, Limits

T = TypeVar("T")


# The arbiter's words, which has the variable too, and Python's own.
_LEVELS = {
    "off": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": 1,
}


class SetupError(Exception):
    """What is wrong with the environment of a worker."""


class Setup:
    """What a worker is to do."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        read = _Reader(variables)
        self.socket: str = read.needed("DIRTY_WORKER_SOCKET")
        read.needed("DIRTY_APPS")
        self.apps: list[str] = read.optional("DIRTY_APPS", "a JSON array of app paths", _app_paths, [])
        self.threads: int = read.optional("DIRTY_THREADS", "a number of slots, at least 1", _positive, 1)
        self.worker_id: str = variables.get("DIRTY_WORKER_ID", "")
        expected = "a number of seconds, 0 for no limit"
        self.timeout: float = read.optional("DIRTY_TIMEOUT", expected, _seconds, 0.0)
        self.limits = Limits(
            read.optional("DIRTY_MAX_FRAME", "a number of bytes, at least 1", _positive, MAX_PAYLOAD),
            read.optional("DIRTY_MAX_DEPTH", "a number of levels, at least 1", _positive, MAX_DEPTH),
        )
        self.seat: int = read.optional("DIRTY_SEAT", "a place in the pool, from 0", _natural, 0)
        self.fixed_apps: list[str] = read.optional("DIRTY_FIXED_APPS", "a JSON array of app paths", _any_app_paths, [])
        self.notify_socket: str | None = variables.get("NOTIFY_SOCKET") or None
        expected = "a number of microseconds, at least 1"
        self.watchdog_usec: int | None = read.optional("WATCHDOG_USEC", expected, _positive, None)
        self.hooks_file: str | None = variables.get("DIRTY_HOOKS_FILE") or None
        self.send_tracebacks: bool = read.optional("DIRTY_TRACEBACKS", "0 or 1", _flag, True)
        expected = f"one of {', '.join(_LEVELS)}"
        self.log_level: int = read.optional("DIRTY_LOG_LEVEL", expected, _level, logging.INFO)


class _Reader:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def needed(self, name: str) -> str:
        value = self._variables.get(name)
        if not value:
            raise SetupError(f"{name} is not set: an arbiter starts this program and says what to do (WORK-1)")
        return value

    def optional(self, name: str, expected: str, read: Callable[[str], T | None], default: T) -> T:
        text = self._variables.get(name)
        if text is None:
            return default
        try:
            value = read(text)
        except (ValueError, RecursionError):
            value = None
        if value is None:
            raise SetupError(f"{name} is {text!r}: expected {expected} (WORK-1)")
        return value


def _app_paths(text: str) -> list[str] | None:
    return _any_app_paths(text) or None


def _any_app_paths(text: str) -> list[str] | None:
    apps = json.loads(text)
    if not isinstance(apps, list) or not all(isinstance(app, str) for app in apps):
        return None
    return apps


def _natural(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _positive(text: str) -> int | None:
    number = _natural(text)
    return number if number else None


def _seconds(text: str) -> float | None:
    seconds = float(text)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _flag(text: str) -> bool | None:
    return {"0": False, "1": True}.get(text)


def _level(text: str) -> int | None:
    return _LEVELS.get(text.lower())
