"""The fixture app, by which arbiters and worker hosts are judged (WORK-9)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..app import DirtyApp


class App(DirtyApp):
    """`fixture:App`, which every host that wants to be judged provides, in any language."""

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._lock = threading.Lock()

    def echo(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"args": args, "kwargs": kwargs}

    def fail(self, message: str) -> None:
        raise RuntimeError(message)

    async def sleep(self, seconds: float, tag: Any) -> Any:
        await asyncio.sleep(seconds)
        return tag

    def count(self, n: int) -> Iterator[int]:
        yield from range(n)

    async def count_async(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number

    def count_then_fail(self, n: int) -> Iterator[int]:
        yield from range(n)
        raise RuntimeError("boom")

    def empty(self) -> Iterator[int]:
        yield from ()

    async def slow_count(self, n: int, seconds: float) -> AsyncIterator[int]:
        for number in range(n):
            if number:
                await asyncio.sleep(seconds)
            yield number

    def blob(self, n: int) -> bytes:
        return bytes(n)

    def nan(self) -> float:
        return float("nan")

    def big(self, n: int) -> str:
        return "x" * n

    def incr(self, key: str) -> int:
        with self._lock:
            self._counters[key] = self._counters.get(key, 0) + 1
            return self._counters[key]

    async def whoami(self) -> dict[str, Any]:
        return {"worker_id": os.environ.get("DIRTY_WORKER_ID"), "pid": os.getpid()}

    def die(self, code: int) -> None:
        os._exit(code)

    def hang(self) -> None:
        while True:
            time.sleep(3600)
