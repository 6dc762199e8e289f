"""The apps of a worker: found, made, initialised, closed."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from ..app import find_action

log = logging.getLogger("dirty_arbiter.worker")

# Apps that come with this package, for paths that name no module of the user's.
BUILT_IN = {
    "fixture:App": "dirty_arbiter.apps.fixture:App",
    "demo:LLM": "dirty_arbiter.apps.demo:LLM",
}


class BootError(Exception):
    """Why a worker cannot start (WORK-6)."""


class Stopped(BaseException):
    """The worker was told to end while it was starting."""


def load(app_path: str) -> type[Any]:
    """The class that an app path names: `module:Class`, or `module:Outer.Inner`."""
    module_name, colon, class_name = app_path.partition(":")
    if not colon or not module_name or not class_name or ":" in class_name:
        raise BootError(f'app "{app_path}": expected "module:Class"')
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name == missing or module_name.startswith(f"{missing}."):
            if app_path in BUILT_IN:
                return load(BUILT_IN[app_path])
            places = ", ".join(place or "." for place in sys.path[:3])
            raise BootError(f'app "{app_path}": there is no module {missing!r} (looked in {places}, ...)') from None
        raise _failed(app_path, f"importing {module_name}", error) from error
    except Stopped:
        raise
    except BaseException as error:
        raise _failed(app_path, f"importing {module_name}", error) from error
    for name in class_name.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            if app_path in BUILT_IN:
                return load(BUILT_IN[app_path])
            raise BootError(f'app "{app_path}": module {module_name!r} has no {class_name!r}') from None
    if not inspect.isclass(found):
        raise BootError(f'app "{app_path}": {class_name!r} is {_described(found)}, expected a class')
    return found


def _described(value: Any) -> str:
    return f"a {type(value).__name__}"


class App:
    """An app that has been made."""

    def __init__(self, app_path: str, instance: Any) -> None:
        self.app_path = app_path
        self.instance = instance
        self.run = _dispatch(instance)


def _dispatch(instance: Any) -> Callable[..., Any]:
    """How an action is run: the app's own `__call__`, or a look-up of the method by name.

    gunicorn's base class looks names up as well, but an argument called `action` or `self` collides with its own."""
    own = next((kind.__dict__["__call__"] for kind in type(instance).__mro__ if "__call__" in kind.__dict__), None)
    if own is None or getattr(own, "__module__", "") == "gunicorn.dirty.app":
        return lambda action, /, *args, **kwargs: find_action(instance, action)(*args, **kwargs)
    call: Callable[..., Any] = instance
    return call


class Apps:
    """The apps of a worker, in the order of `DIRTY_APPS`."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}
        self._initialised: list[App] = []

    def get(self, app_path: str) -> App | None:
        return self._apps.get(app_path)

    def paths(self) -> list[str]:
        return list(self._apps)

    def add(self, app_path: str, instance: Any) -> None:
        """Takes in an app that has been made and initialised elsewhere."""
        self._apps[app_path] = App(app_path, instance)

    def boot(
        self,
        app_paths: Iterable[str],
        seat: int,
        fixed: Iterable[str],
        turn_to: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Makes every app, then initialises each.

        `turn_to` is told of each app before something of it runs, and of "" at the end (WORK-17).
        An app that is not `fixed` and whose class says `workers = N` is left to the first N workers (POOL-8)."""
        fixed = set(fixed)
        for app_path in dict.fromkeys(app_paths):
            turn_to(app_path)
            kind = load(app_path)
            if app_path not in fixed and seat >= _allocation(app_path, kind):
                continue
            try:
                self._apps[app_path] = App(app_path, kind())
            except Stopped:
                raise
            except BaseException as error:
                raise _failed(app_path, "making it", error) from error
        for app_path, app in self._apps.items():
            turn_to(app_path)
            try:
                result = app.instance.init() if hasattr(app.instance, "init") else None
                if inspect.isawaitable(result):
                    _discard(result)
                    raise TypeError("init() is a coroutine; expected a plain method")
            except Stopped:
                raise
            except BaseException as error:
                raise _failed(app_path, "init()", error) from error
            self._initialised.append(app)
            log.info("initialised app %s", app_path)
        turn_to("")

    def close(self) -> None:
        """Ends the life of every app that was initialised, in order."""
        closing, self._initialised = self._initialised, []
        for app in closing:
            try:
                if hasattr(app.instance, "close"):
                    app.instance.close()
            except BaseException:
                log.exception("close() of app %s failed", app.app_path)


def _allocation(app_path: str, kind: type[Any]) -> float:
    workers = getattr(kind, "workers", None)
    if workers is None:
        return float("inf")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise BootError(f'app "{app_path}": the attribute workers is {workers!r}: expected a number, at least 1')
    return workers


def _discard(awaitable: Any) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _failed(app_path: str, phase: str, error: BaseException) -> BootError:
    """The reason in one line; the stack, which is the developer's, goes to standard error before."""
    traceback.print_exception(type(error), error, error.__traceback__)
    text = traceback.format_exception_only(type(error), error)[-1].strip().replace("\n", " ")
    return BootError(f'app "{app_path}": {phase} failed: {text}')
