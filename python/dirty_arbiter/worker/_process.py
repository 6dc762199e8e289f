"""A worker as a process of its own: the contract with the arbiter that started it."""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from ..hooks import Hooks, HooksError, arbiter_of_worker, this_worker
from ._apps import Apps, BootError, Stopped
from ._run import Runner
from ._service import Control, Service
from ._setup import Setup, SetupError

log = logging.getLogger("dirty_arbiter.worker")

BOOT_FAILURE = 3
"""Exit code of a worker that cannot start (WORK-6)."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
# How long threads of apps may hold up an orderly end, in seconds.
_LAST_THREADS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs this process as a worker, from its start to its end; returns the exit code."""
    options = _options(arguments)
    try:
        setup = Setup()
        if options.hooks is not None:
            setup.hooks_file = options.hooks
        _start_logging(setup)
        return _Process(setup).run()
    except (SetupError, BootError, HooksError) as error:
        _say(f"failed to start: {error}")
        return BOOT_FAILURE


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m dirty_arbiter.worker",
        description="A worker that hosts Python apps. An arbiter starts it, and says in the environment what to do: "
        "dirty serve --app module:Class.",
    )
    parser.add_argument(
        "--hooks", metavar="FILE", help="a Python file with dirty_post_fork and dirty_worker_init (DIRTY_HOOKS_FILE)"
    )
    return parser.parse_args(arguments)


class _Process:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._control = Control(setup.threads)
        self._notifier = _Notifier(setup.notify_socket)
        self._apps = Apps()
        self._booting = True

    def run(self) -> int:
        _name_process(self._setup.worker_id)
        _die_with_parent()
        self._take_signals()
        _start_lifeline()
        if self._setup.watchdog_usec is not None:
            self._start_watchdog(self._setup.watchdog_usec / 1e6)
        try:
            self._boot()
        except Stopped:
            pass
        except BaseException:
            self._apps.close()
            raise
        finally:
            self._booting = False
        if self._control.stopping:
            self._apps.close()
            return 0
        setup = self._setup
        runner = Runner(self._apps, setup.limits, setup.timeout, setup.send_tracebacks)
        service = Service(runner, setup, self._control)
        self._notifier.send(self._ready_message())
        log.info("ready: apps=%s slots=%d", ",".join(self._apps.paths()), setup.threads)
        service.wait()
        self._apps.close()
        _end_with_threads()
        return 0

    def _boot(self) -> None:
        setup = self._setup
        hooks = Hooks.load(setup.hooks_file)
        arbiter = arbiter_of_worker(setup, hooks)
        worker = this_worker(setup, arbiter)
        hooks.run("dirty_post_fork", arbiter, worker)
        self._apps.boot(setup.apps, setup.seat, setup.fixed_apps, self._turn_to)
        worker.apps = {path: app.instance for path in self._apps.paths() if (app := self._apps.get(path))}
        hooks.run("dirty_worker_init", worker)

    def _turn_to(self, app_path: str) -> None:
        # Without it the arbiter only knows less, should this worker fail (WORK-17).
        self._notifier.send(f"X_DIRTY_LOADING={app_path}", quietly=True)

    def _ready_message(self) -> str:
        served = self._apps.paths()
        if len(served) == len(dict.fromkeys(self._setup.apps)):
            return "READY=1"
        # Before READY and in one datagram with it, so that the arbiter knows both at once (WORK-14).
        return f"X_DIRTY_APPS={json.dumps(served)}\nREADY=1"

    # ---- signals, lifeline, watchdog -------------------------------------------------------------------------

    def _take_signals(self) -> None:
        # The stacks of all threads, written by C code: also when Python code holds the interpreter (WORK-7).
        faulthandler.enable(all_threads=True)
        _no_core_dump()
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        # What a worker logs goes to stderr, which is the arbiter's: there is nothing to reopen.
        signal.signal(signal.SIGUSR1, lambda *_: None)

    def _stop(self, number: int, frame: Any) -> None:
        self._control.stop()
        # The arbiter knows: it sent the signal.
        self._notifier.send("STOPPING=1", quietly=True)
        if self._booting:
            self._booting = False
            # Nothing is being served yet, so there is nothing to wait for.
            raise Stopped

    def _start_watchdog(self, period: float) -> None:
        def beat() -> None:
            while True:
                self._notifier.send("WATCHDOG=1", quietly=True)
                # At least once in every half of the period, with time to spare (WORK-8).
                time.sleep(period / 3)

        threading.Thread(target=beat, name="watchdog", daemon=True).start()


class _Notifier:
    """Tells the arbiter how the worker is (the notify protocol of systemd)."""

    def __init__(self, path: str | None) -> None:
        self._address = path
        if path is not None and path.startswith("@"):
            self._address = "\0" + path[1:]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if path is not None else None

    def send(self, message: str, *, quietly: bool = False) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            if quietly:
                return
            raise BootError(f"failed to tell the arbiter that the worker is ready: {error}") from None


def _start_lifeline() -> None:
    """Ends the process when the arbiter is gone, however it went (WORK-5)."""
    try:
        lifeline = os.dup(0)
        # Apps, and the programs they start, find nothing to read, instead of the arbiter's end.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
    except OSError:
        _orphaned()
        return

    def watch() -> None:
        while True:
            try:
                if not os.read(lifeline, 4096):
                    _orphaned()
            except OSError:
                _orphaned()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _orphaned() -> None:
    """Exits at once: nobody is there to finish anything for."""
    _say("the arbiter is gone")
    os._exit(0)


def _die_with_parent() -> None:
    """On Linux the kernel ends the worker when the thread that started it ends: the lifeline's second."""
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        _orphaned()


def _name_process(worker_id: str) -> None:
    """Makes `ps` show a dirty worker: its command line if setproctitle is installed, its short name anyway."""
    title = f"dirty-worker [{worker_id}]"
    try:
        import setproctitle  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        _prctl(_PR_SET_NAME, b"dirty-worker")
    else:
        setproctitle.setproctitle(title)


def _prctl(option: int, argument: int | bytes) -> None:
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
    except (ImportError, OSError, AttributeError) as error:
        log.debug("prctl(%d) is not to be had: %s", option, error)


def _no_core_dump() -> None:
    """SIGQUIT and SIGABRT end the process at once, not after gigabytes of models have been written to disk."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _end_with_threads() -> None:
    """Python waits for all threads before it ends; an app that has left some behind does not hold up the arbiter."""

    def last() -> None:
        time.sleep(_LAST_THREADS)
        main = threading.main_thread()
        left = [thread.name for thread in threading.enumerate() if not thread.daemon and thread is not main]
        _say(f"ended without waiting longer for threads that apps left running: {', '.join(left)}")
        os._exit(0)

    threading.Thread(target=last, name="last", daemon=True).start()


def _start_logging(setup: Setup) -> None:
    """The log of the worker and of its apps goes to standard error, which the arbiter logs line by line (WORK-12)."""
    logging.basicConfig(level=setup.log_level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        # What an app prints is in the log when it is printed.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


def _say(line: str) -> None:
    """Writes a line to stderr, whatever the log's level. A stderr that is gone is no reason to fail."""
    try:
        os.write(2, f"dirty worker: {line}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass
