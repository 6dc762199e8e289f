"""What a receiver accepts as the members of each message.

Made by tools/generate_messages.py from schemas/dirty-v1.schema.json. Do not edit.
"""

from __future__ import annotations

from ._shape import (
    Anything,
    Array,
    Boolean,
    Integer,
    Mapped,
    Member,
    Name,
    Number,
    OrNull,
    Record,
    Text,
)

_RequestMessage = Record(
    {
        "type": Member("MSG-1", Name("request"), required=True),
        "id": Member("MSG-7", Text(1, 256), required=True),
        "app_path": Member("MSG-8", Text(1, 1024), required=True),
        "action": Member("MSG-9", Text(1, 256), required=True),
        "args": Member("MSG-10", Array()),
        "kwargs": Member("MSG-10", Mapped()),
        "timeout": Member("TIME-2", Number(0, 1000000000, above=True)),
        "meta": Member("EXT-2", Mapped()),
        "accept_hints": Member("VAL-6", Boolean()),
        "hints": Member("VAL-5", Mapped(Name("base64", "int", "float"))),
    }
)

_ResponseMessage = Record(
    {
        "type": Member("MSG-1", Name("response"), required=True),
        "id": Member("MSG-7", Text(1, 256), required=True),
        "result": Member("MSG-2", Anything(), required=True),
        "hints": Member("VAL-5", Mapped(Name("base64", "int", "float"))),
    }
)

_ChunkMessage = Record(
    {
        "type": Member("MSG-1", Name("chunk"), required=True),
        "id": Member("MSG-7", Text(1, 256), required=True),
        "data": Member("MSG-2", Anything(), required=True),
        "hints": Member("VAL-5", Mapped(Name("base64", "int", "float"))),
    }
)

_EndMessage = Record(
    {
        "type": Member("MSG-1", Name("end"), required=True),
        "id": Member("MSG-7", Text(1, 256), required=True),
    }
)

_CancelMessage = Record(
    {
        "type": Member("MSG-1", Name("cancel"), required=True),
        "id": Member("MSG-7", Text(1, 256), required=True),
    }
)

_ErrorDetails = Record(
    {
        "app_path": Member("ERR-9", Text(1, 1024)),
        "action": Member("ERR-9", Text(1, 256)),
        "traceback": Member("ERR-9", Text()),
        "timeout": Member("ERR-9", Number(0, 1000000000)),
        "phase": Member("ERR-9", Text()),
        "worker_id": Member("ERR-9", Integer(0, 4294967295)),
        "signal": Member("ERR-9", Integer(0, 255)),
        "exit_code": Member("ERR-9", Integer(0, 255)),
        "retry_after": Member("ERR-9", Number(0, 1000000000)),
        "raw_data": Member("ERR-9", Text(0, 200)),
        "pointer": Member("ERR-9", Text()),
        "requirement": Member("ERR-9", Text()),
        "id": Member("ERR-9", Text(1, 256)),
    }
)

_ErrorObject = Record(
    {
        "error_type": Member("MSG-12", Text(), required=True),
        "message": Member("MSG-12", Text(), required=True),
        "details": Member("MSG-12", _ErrorDetails, required=True),
    }
)

_ErrorMessage = Record(
    {
        "type": Member("MSG-1", Name("error"), required=True),
        "id": Member("MSG-7", OrNull(Text(1, 256)), required=True),
        "error": Member("MSG-12", _ErrorObject, required=True),
    }
)

MESSAGES = {
    "request": _RequestMessage,
    "response": _ResponseMessage,
    "chunk": _ChunkMessage,
    "end": _EndMessage,
    "error": _ErrorMessage,
    "cancel": _CancelMessage,
}

RECEIVERS = {
    "request": frozenset({"arbiter", "worker"}),
    "response": frozenset({"arbiter", "client"}),
    "chunk": frozenset({"arbiter", "client"}),
    "end": frozenset({"arbiter", "client"}),
    "error": frozenset({"arbiter", "client"}),
    "cancel": frozenset({"arbiter", "worker"}),
}

RESERVED = frozenset({"manage", "stash", "status"})

DETAILS = _ErrorDetails.members

ERROR_TYPES = frozenset(
    {
        "DirtyError",
        "DirtyTimeoutError",
        "DirtyConnectionError",
        "DirtyWorkerError",
        "DirtyAppError",
        "DirtyAppNotFoundError",
        "DirtyNoWorkersAvailableError",
        "DirtyProtocolError",
        "DirtyOverloadedError",
        "DirtyCancelledError",
    }
)
