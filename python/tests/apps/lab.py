"""Apps for the tests of the worker host: well-behaved ones, and others."""

import asyncio
import datetime
import enum
import os
import sys
import threading
import time

from dirty_arbiter import DirtyApp, DirtyAppError, current_call

NOT_A_CLASS = 7


def diary(line):
    """What happened, for the tests, in a file that they name."""
    with open(os.environ["DIARY"], "a") as file:
        print(line, file=file, flush=True)


class Lab(DirtyApp):
    def __init__(self):
        self.models = {}
        self.entered = threading.Event()

    # ---- plain results ---------------------------------------------------------------------------------------

    def echo(self, value):
        return value

    def types(self, *values):
        return [type(value).__name__ for value in values]

    def names(self, /, **kwargs):
        return sorted(kwargs)

    def a_set(self):
        return {"deep": [0, {1, 2}]}

    def a_date(self):
        return [datetime.datetime(2026, 1, 1)]

    def a_loop(self):
        loop = []
        loop.append({"again": loop})
        return loop

    def deep(self, levels):
        value = []
        for _ in range(levels - 1):
            value = [value]
        return value

    def bad_key(self):
        return {"a": {(1, 2): 3}}

    def odd_keys(self):
        return {1: "int", 2.5: "float", False: "bool", None: "none"}

    def big_key(self, n):
        return {"k" * n: 1}

    def subclasses(self):
        class Text(str):
            pass

        class Colour(enum.IntEnum):
            RED = 1

        return [Text("t"), Colour.RED, (1, 2)]

    def lone_surrogate(self):
        return "a\ud83d"

    def huge_integer(self):
        return 10**5000

    # ---- failures --------------------------------------------------------------------------------------------

    def fail(self, kind, *args):
        raise {
            "SystemExit": SystemExit,
            "KeyboardInterrupt": KeyboardInterrupt,
            "StopIteration": StopIteration,
            "GeneratorExit": GeneratorExit,
            "CancelledError": asyncio.CancelledError,
            "TimeoutError": TimeoutError,
            "Unprintable": Unprintable,
        }[kind](*args)

    async def fail_async(self, kind, *args):
        self.fail(kind, *args)

    def stream_fail(self, kind, *args):
        yield 1
        self.fail(kind, *args)

    async def stream_fail_async(self, kind, *args):
        yield 1
        self.fail(kind, *args)

    async def task_exit(self):
        async def leave():
            sys.exit(5)

        asyncio.ensure_future(leave())
        await asyncio.sleep(0.05)
        return "still here"

    def fail_dirty(self):
        raise DirtyAppError("from elsewhere", requirement="MSG-7", timeout="soon", shop="flowers")

    def fail_surrogate(self):
        raise ValueError("a\ud83d")

    def fail_long(self, n):
        raise ValueError("x" * n)

    # ---- streams ---------------------------------------------------------------------------------------------

    def count(self, n):
        try:
            yield from range(n)
        finally:
            diary("closed")

    async def count_async(self, n, pause=0.0):
        try:
            for number in range(n):
                if pause:
                    await asyncio.sleep(pause)
                yield number
        finally:
            diary("closed")

    def mapped(self, n):
        return map(str, range(n))

    async def later_stream(self, n):
        return iter(range(n))

    async def later_async_stream(self, n):
        return self.count_async(n)

    def set_in_stream(self):
        yield 1
        yield {2}
        yield 3

    async def large_chunks(self, n, size):
        for _ in range(n):
            yield "x" * size

    # ---- cancel, time, context -------------------------------------------------------------------------------

    async def never(self):
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            diary("cancelled")
            raise

    async def stubborn(self):
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            return "finished all the same"

    def until_cancelled(self):
        self.entered.set()
        while True:
            current_call().check()
            time.sleep(0.001)

    def ignore_cancel(self, seconds):
        time.sleep(seconds)
        return "finished"

    def wait_entered(self):
        return self.entered.wait(20)

    def sleep(self, seconds):
        time.sleep(seconds)
        return threading.current_thread().name

    def busy(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    def about(self):
        call = current_call()
        return [call.id, call.app_path, call.action, call.meta, call.accepts_hints, call.time_left() is not None]

    async def about_async(self):
        return self.about()

    def about_stream(self):
        yield self.about()

    # ---- the process -----------------------------------------------------------------------------------------

    def say(self, text):
        print(text)
        print(text, file=sys.stderr)

    def read_input(self):
        return sys.stdin.read()

    def leave_thread(self):
        threading.Thread(target=time.sleep, args=(600,), daemon=False, name="left-behind").start()

    def _private(self):
        return "private"


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Witness(DirtyApp):
    """Writes its life into the diary."""

    def __init__(self):
        diary(f"make {type(self).__name__}")

    def init(self):
        diary(f"init {type(self).__name__}")

    def close(self):
        diary(f"close {type(self).__name__}")


class Second(Witness):
    pass


class Failing(Witness):
    def init(self):
        raise RuntimeError("no model file")


class BadClose(Witness):
    def close(self):
        diary("close BadClose")
        raise RuntimeError("cannot")


class Exiting(Witness):
    def init(self):
        sys.exit(0)


class Unmade(DirtyApp):
    def __init__(self):
        raise OSError("no memory")


class Slow(Witness):
    def init(self):
        diary("init Slow")
        time.sleep(600)


class Duck:
    """Derives from nothing, and dispatches by itself."""

    def init(self):
        self.ready = True

    def __call__(self, action, *args, **kwargs):
        return [action, list(args), kwargs, self.ready]

    def close(self):
        pass


class Bare:
    """Has actions and nothing else."""

    def hello(self, name):
        return f"hello {name}"


class Few(Witness):
    workers = 2


class Wrong(DirtyApp):
    workers = 0


class Coroutines(DirtyApp):
    async def init(self):
        pass


class Seed(DirtyApp):
    """The dispatch of the seed document, which would run private methods."""

    def __call__(self, action, *args, **kwargs):
        method = getattr(self, action, None)
        if method is None:
            raise ValueError(f"Unknown action: {action}")
        return method(*args, **kwargs)

    def hello(self):
        return "hello"

    def _private(self):
        return "private"


class Outer:
    class Inner(DirtyApp):
        def hello(self):
            return "inner"
