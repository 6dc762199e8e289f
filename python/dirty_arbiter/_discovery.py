"""Where the arbiter's socket is: the same search as every other client's."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .errors import DirtyConnectionError

SOCKET_VARIABLES = ("DIRTY_SOCKET", "GUNICORN_DIRTY_SOCKET")

# Set by set_dirty_socket_path(); it wins over the environment, as in gunicorn.
_chosen: str | None = None


def set_dirty_socket_path(path: str | os.PathLike[str] | None) -> None:
    """Names the arbiter's socket for clients that are made without one; `None` leaves it to the environment again."""
    global _chosen
    _chosen = None if path is None else os.fspath(path)


def find_socket(path: str | os.PathLike[str] | None = None, variables: Mapping[str, str] = os.environ) -> str:
    """The socket's path: the argument, `DIRTY_SOCKET`, `GUNICORN_DIRTY_SOCKET`, or `$XDG_RUNTIME_DIR/dirty/arbiter.sock`.

    Empty variables count as unset. Raises `DirtyConnectionError` when nothing is set."""
    if path is not None:
        return os.fspath(path)
    if _chosen is not None:
        return _chosen
    looked_at = []
    for name in (*SOCKET_VARIABLES, "XDG_RUNTIME_DIR"):
        value = variables.get(name)
        if value:
            return os.path.join(value, "dirty/arbiter.sock") if name == "XDG_RUNTIME_DIR" else value
        looked_at.append(f"{name} is {'empty' if value == '' else 'not set'}")
    raise DirtyConnectionError(
        f"no socket path: none was given as an argument, {', '.join(looked_at)}; give one, or set DIRTY_SOCKET"
    )
