"""Dirty arbiters for Python: apps in a pool of their own, called from web workers.

from dirty_arbiter import DirtyApp, get_dirty_client
"""

from ._call import Call, current_call
from ._discovery import set_dirty_socket_path
from .app import DirtyApp
from .client import (
    DirtyAsyncStream,
    DirtyClient,
    DirtyStream,
    close_dirty_client,
    close_dirty_client_async,
    get_dirty_client,
    get_dirty_client_async,
)
from .errors import (
    DirtyAppError,
    DirtyAppNotFoundError,
    DirtyCancelledError,
    DirtyConnectionError,
    DirtyError,
    DirtyNoWorkersAvailableError,
    DirtyOverloadedError,
    DirtyProtocolError,
    DirtyTimeoutError,
    DirtyWorkerError,
)

__all__ = [
    "Call",
    "DirtyApp",
    "DirtyAppError",
    "DirtyAppNotFoundError",
    "DirtyAsyncStream",
    "DirtyCancelledError",
    "DirtyClient",
    "DirtyConnectionError",
    "DirtyError",
    "DirtyNoWorkersAvailableError",
    "DirtyOverloadedError",
    "DirtyProtocolError",
    "DirtyStream",
    "DirtyTimeoutError",
    "DirtyWorkerError",
    "close_dirty_client",
    "close_dirty_client_async",
    "current_call",
    "get_dirty_client",
    "get_dirty_client_async",
    "set_dirty_socket_path",
]
