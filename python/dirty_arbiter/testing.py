"""For the tests of apps: call an app in this process, without sockets; or start an arbiter for a while.

```python
from dirty_arbiter.testing import LocalClient

def test_thumbnail():
    client = LocalClient("myapp.images:ImageApp")
    assert client.execute("myapp.images:ImageApp", "thumbnail", image, size=64)[:2] == b"\\xff\\xd8"
```

With pytest, the fixtures `dirty_arbiter` and `dirty_client` are there without an import: see `dirty_arbiter.pytest_plugin`.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import _failure
from ._decode import Unreadable, decode
from ._encode import Unsendable
from ._exchange import Event
from ._frame import HEADER, Limits
from ._messages import request_frame, request_parts
from .client import DirtyClient
from .errors import DirtyConnectionError, error_from_object
from .worker._apps import Apps
from .worker._loop import LoopThread
from .worker._run import Runner

__all__ = ["ArbiterProcess", "LocalClient", "dirty_binary"]


class LocalClient:
    """Calls apps in this process: `execute` in the calling thread, the items of a stream in a thread of their own.

    Everything else is as through an arbiter: arguments and results are encoded and decoded, private names are no actions,
    generators stream, and what an action raises arrives as `DirtyAppError`, caused by the original.

    - `apps`: app paths, which are loaded and initialised; or a mapping from paths to apps that the test has made itself.
    """

    def __init__(
        self,
        apps: str | Iterable[str] | Mapping[str, Any],
        *,
        accept_hints: bool = True,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self._apps = Apps()
        if isinstance(apps, Mapping):
            for app_path, app in apps.items():
                self._apps.add(app_path, app)
        else:
            paths = [apps] if isinstance(apps, str) else list(apps)
            self._apps.boot(paths, 0, paths)
        self._limits = Limits()
        self._accept_hints = accept_hints
        self._meta = dict(meta or {})
        self._runner = Runner(self._apps, self._limits, 0.0, True)
        self._loop = LoopThread()

    def execute(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls an action and returns its one result; raises as `DirtyClient.execute` does."""
        frames: list[bytes] = []
        port = _Port(self._loop, frames.append)
        self._run(self._request(app_path, action, args, kwargs), port)
        message, error = self._read(frames[0])
        if error is not None:
            raise error from port.error
        if message is None or message["type"] != "response":
            raise _failure.not_a_plain_result()
        return Event(message, "result").value()

    def stream(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Calls an action and yields its items; raises as `DirtyClient.stream` does. Closing it cancels the call."""
        return self._items(self._request(app_path, action, args, kwargs))

    async def execute_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """As `execute`, in a thread."""

        def call() -> Any:
            return self.execute(app_path, action, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, call)

    async def stream_async(self, app_path: str, action: str, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """As `stream`, for `async for`."""
        loop = asyncio.get_running_loop()
        items = self._items(self._request(app_path, action, args, kwargs))
        end = object()
        try:
            while (item := await loop.run_in_executor(None, next, items, end)) is not end:
                yield item
        finally:
            await loop.run_in_executor(None, items.close)

    def close(self) -> None:
        """Closes the apps that were loaded here."""
        self._apps.close()

    def __enter__(self) -> "LocalClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, app_path: str, action: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            parts = request_parts(
                app_path,
                action,
                args,
                kwargs,
                timeout=None,
                meta=self._meta,
                accept_hints=self._accept_hints,
                limits=self._limits,
            )
        except Unsendable as error:
            raise _failure.unsendable(error) from None
        return decode(request_frame("local", parts, self._limits)[HEADER:], self._limits, "worker")

    def _run(self, request: dict[str, Any], port: "_Port") -> None:
        contextvars.copy_context().run(self._runner.run, request, port)

    def _read(self, frame: bytes) -> tuple[dict[str, Any] | None, BaseException | None]:
        try:
            message = decode(frame[HEADER:], self._limits, "client")
        except Unreadable as error:
            return None, _failure.unreadable(f"value at {error.pointer}: {error.problem}", error.pointer)
        if message["type"] == "error":
            return None, error_from_object(message["error"])
        return message, None

    def _items(self, request: dict[str, Any]) -> Generator[Any, None, None]:
        frames: queue.Queue[bytes] = queue.Queue(1)
        port = _Port(self._loop, frames.put)
        context = contextvars.copy_context()
        worker = threading.Thread(target=context.run, args=(self._runner.run, request, port), daemon=True)
        worker.start()
        try:
            while True:
                message, error = self._read(frames.get())
                if error is not None:
                    raise error from port.error
                if message is None or message["type"] == "end":
                    return
                is_item = message["type"] == "chunk"
                yield Event(message, "data" if is_item else "result").value()
                if not is_item:
                    return
        finally:
            port.cancelled = True
            while worker.is_alive():
                # Make room for what it still has to say.
                try:
                    frames.get(timeout=0.01)
                except queue.Empty:
                    pass


class _Port:
    """The way from an action back to a caller in the same process."""

    def __init__(self, loop: LoopThread, take: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._take = take
        self.cancelled = False
        self.error: BaseException | None = None

    def send(self, frame: bytes) -> None:
        self._take(frame)

    async def send_async(self, frame: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._take, frame)

    def is_cancelled(self) -> bool:
        return self.cancelled

    def was_cancelled(self) -> bool:
        return self.cancelled

    def failed(self, error: BaseException) -> None:
        self.error = error

    def wait_for(self, work: Callable[[], Awaitable[None]]) -> None:
        failure: list[BaseException] = []

        async def run() -> None:
            try:
                await work()
            except BaseException as error:
                failure.append(error)

        self._loop.submit(run()).result()
        if failure:
            raise failure[0]


def dirty_binary() -> str:
    """The `dirty` program: `DIRTY_BINARY`, the one that was installed with this package, or the one on the path."""
    chosen = os.environ.get("DIRTY_BINARY")
    if chosen:
        return chosen
    beside = Path(sysconfig.get_path("scripts")) / "dirty"
    if beside.exists():
        return str(beside)
    found = shutil.which("dirty")
    if found is None:
        raise FileNotFoundError(f"no program dirty: not at {beside}, not on PATH; set DIRTY_BINARY")
    return found


class ArbiterProcess:
    """`dirty serve` with Python workers, on a private socket.

    ```python
    with ArbiterProcess("myapp.ml:MLApp") as arbiter:
        arbiter.client.execute("myapp.ml:MLApp", "inference", "default", "text")
    ```

    - `apps`: app paths. Modules are looked for in `python_path`, in the current directory and where this Python looks.
    - `worker_command`: another worker than the host of this Python.
    - `arguments`: more arguments for `dirty serve`, such as `["--timeout", "5"]`.
    """

    def __init__(
        self,
        *apps: str,
        workers: int = 1,
        threads: int = 1,
        arguments: Sequence[str] = (),
        python_path: Iterable[str | os.PathLike[str]] = (),
        environment: Mapping[str, str] | None = None,
        worker_command: str | None = None,
        patience: float = 60.0,
    ) -> None:
        program = dirty_binary()
        self._folder = tempfile.TemporaryDirectory(prefix="dirty-", dir=_short_place())
        self.socket = os.path.join(self._folder.name, "d.sock")
        self._log = open(os.path.join(self._folder.name, "log"), "w+", encoding="utf-8", errors="replace")
        command = [program, "serve", "--socket", self.socket]
        command += ["--workers", str(workers), "--threads", str(threads)]
        for app in apps:
            command += ["--app", app]
        command += ["--python", sys.executable]
        if worker_command is not None:
            command += ["--worker-command", worker_command]
        variables = {**os.environ, **(environment or {})}
        package = str(Path(__file__).resolve().parents[1])
        places = [*(os.fspath(place) for place in python_path), *variables.get("PYTHONPATH", "").split(os.pathsep), package]
        variables["PYTHONPATH"] = os.pathsep.join(place for place in places if place)
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=self._log, stdin=subprocess.DEVNULL, env=variables
        )
        try:
            self._await_start(patience)
        except BaseException:
            self.stop()
            raise
        self.client = DirtyClient(self.socket)

    def log(self) -> str:
        """What the arbiter and its workers have logged."""
        self._log.flush()
        with open(self._log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self) -> int:
        """Ends the arbiter the graceful way; gives its exit code."""
        client = getattr(self, "client", None)
        if client is not None:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        self._folder.cleanup()
        return self.process.returncode

    def __enter__(self) -> "ArbiterProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _await_start(self, patience: float) -> None:
        output = self.process.stdout
        timer = threading.Timer(patience, self.process.kill)
        timer.start()
        try:
            # It says "listening on PATH" when it does, and nothing else.
            line = output.readline() if output is not None else b""
        finally:
            timer.cancel()
        if not line.startswith(b"listening on"):
            self.process.wait()
            raise DirtyConnectionError(
                f"dirty serve did not start (exit code {self.process.returncode}): {self.log().strip()}"
            )


def _short_place() -> str | None:
    """Where sockets go: their paths are bounded, and some temporary directories are deep."""
    return "/tmp" if len(tempfile.gettempdir()) > 40 and os.path.isdir("/tmp") else None
