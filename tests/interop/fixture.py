"""The fixture app, as an app for gunicorn's own dirty workers.

Plain Python with the three methods that gunicorn asks for; it needs nothing from gunicorn."""

import os
import threading
import time


class App:
    def init(self):
        self._counters = {}

    def __call__(self, action, *args, **kwargs):
        method = None if action.startswith("_") or action in ("init", "close") else getattr(self, action, None)
        if method is None:
            raise ValueError(f"no action {action!r}")
        return method(*args, **kwargs)

    def close(self):
        pass

    def echo(self, *args, **kwargs):
        return {"args": list(args), "kwargs": kwargs}

    def fail(self, message):
        raise RuntimeError(message)

    def sleep(self, seconds, tag):
        time.sleep(seconds)
        return tag

    def count(self, n):
        yield from range(n)

    async def count_async(self, n):
        for number in range(n):
            yield number

    def count_then_fail(self, n):
        yield from range(n)
        raise RuntimeError("boom")

    def empty(self):
        yield from ()

    def slow_count(self, n, seconds):
        for number in range(n):
            if number:
                time.sleep(seconds)
            yield number

    def blob(self, n):
        return bytes(n)

    def nan(self):
        return float("nan")

    def big(self, n):
        return "x" * n

    def incr(self, key):
        self._counters[key] = self._counters.get(key, 0) + 1
        return self._counters[key]

    def whoami(self):
        # gunicorn does not tell an app its worker's number.
        return {"worker_id": os.environ.get("DIRTY_WORKER_ID", f"w{os.getpid()}"), "pid": os.getpid()}

    def die(self, code):
        os._exit(code)

    def hang(self):
        threading.Event().wait()
