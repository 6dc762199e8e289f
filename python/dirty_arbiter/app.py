"""Apps: the base class, and how a request finds its action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["DirtyApp", "is_action_name"]

_LIFE_CYCLE = frozenset({"init", "close"})


class DirtyApp:
    """An app: an object that a worker makes once and keeps, and whose public methods are its actions.

    ```python
    class MLApp(DirtyApp):
        def __init__(self):
            self.models = {}

        def init(self):
            self.models["default"] = load_model("base-model")

        def inference(self, model_name, input_text):
            return self.models[model_name].predict(input_text)

        def generate(self, prompt):
            for token in self.models["default"].generate(prompt):
                yield token
    ```

    An action may be a plain method, a generator, a coroutine or an asynchronous generator. A class need not derive from
    this one: `init`, `close` and `__call__` are called where they exist.
    """

    workers: ClassVar[int | None] = None
    """How many workers load the app; `None` for all of them (POOL-8)."""

    def init(self) -> None:
        """Called once when the worker starts, after every app has been made. Load models here."""

    def __call__(self, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Runs an action. Override it to dispatch in another way; the host has refused private names before."""
        return find_action(self, action)(*args, **kwargs)

    def close(self) -> None:
        """Called when the worker ends orderly. Give back what `init` took."""


class UnknownAction(ValueError):
    """An app has no such action (CALL-5)."""


def is_action_name(name: str) -> bool:
    """Whether an action may have this name: `init`, `close` and what begins with `_` are no actions (CALL-6)."""
    return not name.startswith("_") and name not in _LIFE_CYCLE


def find_action(app: object, name: str) -> Callable[..., Any]:
    """The method that an action names."""
    method = getattr(app, name, None) if is_action_name(name) else None
    if method is None:
        raise UnknownAction(f"Unknown action: {name}")
    if not callable(method):
        raise UnknownAction(f"Unknown action: {name} is not callable")
    found: Callable[..., Any] = method
    return found
