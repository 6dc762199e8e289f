"""The errors that clients make themselves, each in one place."""

from __future__ import annotations

import errno
from typing import Any

from ._decode import BadMessage
from ._encode import Unsendable
from ._frame import BadFrame
from ._shape import shown
from .errors import (
    DirtyConnectionError,
    DirtyError,
    DirtyProtocolError,
    DirtyTimeoutError,
)


def invalid(name: str, problem: str) -> DirtyError:
    """An app path, action or the like that no message can carry."""
    return DirtyProtocolError(f"nothing was sent: invalid {name}: {problem}")


def unsendable(error: Unsendable) -> DirtyError:
    """An argument that cannot be encoded, or too much of them."""
    advice = "; send less at once, or pass a reference to the data" if error.requirement == "ERR-8" else ""
    requirement = "FRAME-3" if error.requirement == "ERR-8" else error.requirement
    return DirtyProtocolError(f"nothing was sent: {error}{advice}", pointer=error.pointer, requirement=requirement)


def bad_frame(error: BadFrame) -> DirtyError:
    """Bytes from the arbiter that are no frame."""
    made = _closed_for(error.requirement, str(error))
    if error.start:
        made.details["raw_data"] = error.start.hex()
    return made


def bad_message(error: BadMessage) -> DirtyError:
    """A frame from the arbiter that is no message of an arbiter."""
    made = _closed_for(error.requirement, str(error))
    made.details["pointer"] = error.pointer
    return made


def foreign_id(request_id: str) -> DirtyError:
    """A reply to a request that was never made (CORR-4)."""
    return _closed_for("CORR-4", f"a reply carries id {shown(request_id)}, which was never sent on this connection")


def _closed_for(requirement: str, problem: str) -> DirtyError:
    text = f"the arbiter broke the protocol, and its connection was closed: {problem}"
    return DirtyProtocolError(text, requirement=requirement)


def after_notice(notice: DirtyError) -> DirtyError:
    """The connection ended after an error that answered no request (ERR-10)."""
    text = f"the arbiter closed the connection after it had reported {notice.error_type}: {notice.message}"
    return DirtyProtocolError(text, notice.details)


def not_a_plain_result() -> DirtyError:
    """`execute` on a stream (CALL-9)."""
    return DirtyError("the action answers with a stream, not with one result: call it with stream() (CALL-9)")


def response_in_stream() -> DirtyError:
    """A response after chunks (STREAM-5)."""
    return _closed_for("STREAM-5", "a stream went on with a response: expected a chunk, end or error (STREAM-5)")


def too_slow(held: int, limit: int) -> DirtyError:
    """A reader that fell too far behind."""
    return DirtyError(
        f"the stream was cancelled: {held} bytes of it are unread (the limit is {limit}) while other calls wait on the "
        "same connection; read it faster, or give it a client of its own"
    )


def unreadable(problem: str, pointer: str) -> DirtyError:
    """A result or item that this program cannot hold."""
    return DirtyError(f"the call succeeded, but its answer cannot be read: {problem}", pointer=pointer)


def timed_out(limit: float, awaited: str, app_path: str, action: str) -> DirtyError:
    """The caller's own limit (TIME-1 is the arbiter's)."""
    text = f"no {awaited} {app_path} {action} within {limit:g} s; the call was cancelled"
    return DirtyTimeoutError(text, timeout=limit, app_path=app_path, action=action)


def unreachable(path: str, error: OSError) -> DirtyError:
    """No connection could be made."""
    if error.errno == errno.ENOENT:
        text = f"no socket at {path}: start an arbiter there (dirty serve --socket {path}) or name another socket"
    elif error.errno == errno.ECONNREFUSED:
        text = (
            f"nobody listens on {path}: the file is left from an arbiter that is gone; start one "
            f"(dirty serve --socket {path})"
        )
    elif error.errno in (errno.EACCES, errno.EPERM):
        text = (
            f"no permission to connect to {path}: the socket belongs to another user; run as that user, or let the "
            "arbiter's configuration admit this one"
        )
    elif error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
        text = f"the arbiter at {path} does not accept connections: its backlog is full; try again later"
    elif error.errno is None:
        text = f"{path} cannot be a socket path: {error}; a path of at most 107 bytes is needed"
    else:
        text = f"cannot connect to {path}: {error}"
    return _about_socket(path, text)


def lost(path: str, cause: Any) -> DirtyError:
    """A connection that ended under its calls."""
    text = f"connection to the arbiter at {path} lost: {cause}; the call may or may not have run, and is not repeated"
    return _about_socket(path, text)


def turned_away(path: str) -> DirtyError:
    """An arbiter that does not even take a request."""
    text = (
        f"the arbiter at {path} closes new connections at once, and nothing was sent: it may be stopping, serve another "
        "user only, or have as many connections as it allows"
    )
    return _about_socket(path, text)


def forked(path: str) -> DirtyError:
    """A stream of the parent process."""
    return _about_socket(path, "the stream belongs to the process that this one was forked from")


def _about_socket(path: str, text: str) -> DirtyError:
    return DirtyConnectionError(text, socket_path=path)
