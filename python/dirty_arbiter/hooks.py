"""Hooks from a Python file, by the names that gunicorn.conf.py uses.

| hook | runs in | when |
|---|---|---|
| `on_dirty_starting(arbiter)` | the arbiter | before the first worker is started |
| `dirty_post_fork(arbiter, worker)` | the worker | the process exists, no app is made |
| `dirty_worker_init(worker)` | the worker | every `init()` has returned, READY is not yet sent |
| `dirty_worker_exit(arbiter, worker)` | the arbiter | a worker has ended, however it ended |

Those of the arbiter are run by `python3 -m dirty_arbiter.hooks FILE HOOK`, with the context as JSON on standard input.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .worker._setup import Setup

__all__ = ["Arbiter", "Hooks", "HooksError", "Settings", "Worker"]

NAMES = ("on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit")


# What a file and its hooks may raise. sys.exit() in a hook is a hook that failed, whatever its code.
_WHATEVER = (Exception, SystemExit, KeyboardInterrupt)


class HooksError(Exception):
    """A hooks file cannot be used, or a hook failed."""


class Settings:
    """The settings, as attributes: those of the arbiter by their names, and whatever else the hooks file sets."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings: dict[str, Any] = dict(settings)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["settings"][name]
        except KeyError:
            raise AttributeError(f"no setting {name!r} is known here") from None


class Arbiter:
    """The arbiter, as a hook sees it."""

    def __init__(self, pid: int, cfg: Settings, log: logging.Logger, details: Mapping[str, Any]) -> None:
        self.pid = pid
        self.cfg = cfg
        self.log = log
        self.details: dict[str, Any] = dict(details)
        """Everything that is known about it here."""

    @property
    def socket(self) -> str | None:
        """Where clients connect; known in the arbiter's own hooks."""
        return self.details.get("socket")


class Worker:
    """A worker, as a hook sees it."""

    def __init__(self, pid: int, age: int, apps: Any, arbiter: Arbiter, details: Mapping[str, Any]) -> None:
        self.pid = pid
        self.age = age
        """Its number, from 1, never used again: `DIRTY_WORKER_ID`."""
        self.apps = apps
        """The apps by their paths; until they are made, and in the arbiter, a list of the paths."""
        self.app_paths = list(apps)
        self.cfg = arbiter.cfg
        self.log = arbiter.log
        self.details: dict[str, Any] = dict(details)
        """Everything that is known about it here."""

    @property
    def exit_code(self) -> int | None:
        """How it exited, in `dirty_worker_exit`, unless a signal killed it."""
        return self._exit("exit_code")

    @property
    def signal(self) -> int | None:
        """The signal that killed it, in `dirty_worker_exit`."""
        return self._exit("signal")

    def _exit(self, name: str) -> int | None:
        how = self.details.get("exit")
        return how.get(name) if isinstance(how, dict) else None


class Hooks:
    """The hooks of a file."""

    def __init__(self, path: str | None, names: Mapping[str, Any]) -> None:
        self.path = path
        self.names = dict(names)

    @classmethod
    def load(cls, path: str | None) -> "Hooks":
        """Runs the file and keeps the names that it defines. Without a file there are no hooks."""
        if path is None:
            return cls(None, {})
        try:
            with open(path, "rb") as file:
                code = compile(file.read(), path, "exec")
        except (OSError, SyntaxError, ValueError) as error:
            raise HooksError(f"failed to read the hooks file {path}: {error}") from error
        names: dict[str, Any] = {"__name__": "dirty_hooks", "__file__": os.path.abspath(path)}
        try:
            exec(code, names)
        except _WHATEVER as error:
            raise HooksError(f"failed to run the hooks file {path}: {type(error).__name__}: {error}") from error
        for name in NAMES:
            if name in names and not callable(names[name]):
                raise HooksError(f"{path}: {name} is not callable")
        return cls(path, names)

    def settings(self) -> dict[str, Any]:
        """What the file sets besides hooks, in the manner of gunicorn.conf.py."""
        return {
            name: value
            for name, value in self.names.items()
            if not name.startswith("_") and name not in NAMES and not inspect.ismodule(value)
        }

    def run(self, name: str, *objects: Any) -> bool:
        """Runs a hook, if the file has it; says whether it has."""
        hook = self.names.get(name)
        if hook is None:
            return False
        try:
            hook(*objects)
        except _WHATEVER as error:
            logging.getLogger("dirty_arbiter.hooks").exception("hook %s failed", name)
            raise HooksError(f"hook {name} of {self.path} failed: {type(error).__name__}: {error}") from error
        return True


def arbiter_of_worker(setup: "Setup", hooks: Hooks) -> Arbiter:
    """The arbiter, as far as one of its workers knows it."""
    settings = {
        "dirty_apps": list(setup.apps),
        "dirty_threads": setup.threads,
        "dirty_timeout": setup.timeout,
    }
    cfg = Settings({**hooks.settings(), **settings})
    return Arbiter(os.getppid(), cfg, logging.getLogger("dirty_arbiter.hooks"), {})


def this_worker(setup: "Setup", arbiter: Arbiter) -> Worker:
    """This worker, before its apps are made."""
    age = int(setup.worker_id) if setup.worker_id.isdigit() else 0
    return Worker(os.getpid(), age, list(setup.apps), arbiter, {"seat": setup.seat})


def run_with_context(path: str, name: str, context: Mapping[str, Any]) -> bool:
    """Runs a hook with the context that the arbiter gives (schemas/hook.schema.json); says whether the file has it."""
    if name not in NAMES:
        raise HooksError(f"unknown hook {name!r}: expected one of {', '.join(NAMES)}")
    if context.get("hook", name) != name:
        raise HooksError(f"the context is that of {context['hook']}, expected that of {name}")
    hooks = Hooks.load(path)
    about = _record(context, "arbiter")
    arbiter = Arbiter(_number(about, "pid"), Settings(hooks.settings()), logging.getLogger("dirty_arbiter.hooks"), about)
    if name == "on_dirty_starting":
        return hooks.run(name, arbiter)
    about = _record(context, "worker")
    apps = about.get("apps", [])
    worker = Worker(_number(about, "pid"), _number(about, "id"), apps if isinstance(apps, list) else [], arbiter, about)
    return hooks.run(name, worker) if name == "dirty_worker_init" else hooks.run(name, arbiter, worker)


def _record(context: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = context.get(name, {})
    if not isinstance(value, dict):
        raise HooksError(f"the context's member {name!r} is not an object")
    return value


def _number(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name, 0)
    return value if isinstance(value, int) else 0


def main() -> int:
    """`python3 -m dirty_arbiter.hooks FILE HOOK`: exit code 0 when the hook ran or is not there, else 1."""
    if len(sys.argv) != 3:
        print("usage: python3 -m dirty_arbiter.hooks FILE HOOK < context.json", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        text = sys.stdin.read()
        context = json.loads(text) if text.strip() else {}
        if not isinstance(context, dict):
            raise HooksError("the context is not a JSON object")
        run_with_context(sys.argv[1], sys.argv[2], context)
    except (HooksError, ValueError) as error:
        print(f"dirty hooks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
