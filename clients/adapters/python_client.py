"""An adapter (golden/adapters.md) for the Python package of this repository.

    dirty check client -- python3 clients/adapters/python_client.py            # the blocking client
    dirty check client -- python3 clients/adapters/python_client.py asyncio    # the asynchronous one
"""

import asyncio
import base64
import importlib.metadata
import json
import os
import sys
import threading
from math import isfinite

from dirty_arbiter import DirtyClient

KIND = "asyncio" if sys.argv[1:] == ["asyncio"] else "blocking"
EXACT = 2**53 - 1

try:
    VERSION = importlib.metadata.version("dirty-arbiter")
except importlib.metadata.PackageNotFoundError:
    VERSION = "from source"

output = threading.Lock()
clients = {}


def say(**line):
    with output:
        print(json.dumps(line, allow_nan=False), flush=True)


def plain(value, at, hints):
    """A value as JSON has it; notes in `hints` what stands for something else (VAL-5)."""
    if isinstance(value, bytes):
        hints[at] = "base64"
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not isfinite(value):
        hints[at] = "float"
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        hints[at] = "int"
        return str(value)
    if isinstance(value, list):
        return [plain(item, f"{at}/{index}", hints) for index, item in enumerate(value)]
    if isinstance(value, dict):
        escaped = {name: name.replace("~", "~0").replace("/", "~1") for name in value}
        return {name: plain(item, f"{at}/{escaped[name]}", hints) for name, item in value.items()}
    return value


def real(value, at, hints):
    """The value that JSON with hints stands for."""
    if at in hints:
        return {"base64": base64.b64decode, "int": int, "float": float}[hints[at]](value)
    if isinstance(value, list):
        return [real(item, f"{at}/{index}", hints) for index, item in enumerate(value)]
    if isinstance(value, dict):
        escaped = {name: name.replace("~", "~0").replace("/", "~1") for name in value}
        return {name: real(item, f"{at}/{escaped[name]}", hints) for name, item in value.items()}
    return value


def seen(call, kind, value):
    hints = {}
    value = plain(value, f"/{kind}", hints)
    say(call=call["call"], **{kind: value}, **({"hints": hints} if hints else {}))


def raised(call, error):
    # A caller cannot tell a type that the package does not know from a DirtyError.
    say(
        call=call["call"],
        raises={
            "error_type": type(error).__name__,
            "message": getattr(error, "message", str(error)),
            "details": getattr(error, "details", {}),
        },
    )


def prepared(call):
    client = clients[call["on"]]
    if "timeout" in call:
        client = client.with_options(timeout=call["timeout"])
    hints = call.get("hints", {})
    arguments = real(call["args"], "/args", hints)
    return client, (call["app_path"], call["action"], *arguments), real(call["kwargs"], "/kwargs", hints)


def blocking(call):
    try:
        client, args, kwargs = prepared(call)
        if call["method"] == "execute":
            return seen(call, "returns", client.execute(*args, **kwargs))
        with client.stream(*args, **kwargs) as stream:
            for count, item in enumerate(stream, 1):
                seen(call, "yields", item)
                if count == call.get("take"):
                    break
        seen(call, "returns", None)
    except Exception as error:
        raised(call, error)


async def asynchronous(call):
    try:
        client, args, kwargs = prepared(call)
        if call["method"] == "execute":
            return seen(call, "returns", await client.execute_async(*args, **kwargs))
        count = 0
        async with client.stream_async(*args, **kwargs) as stream:
            async for item in stream:
                seen(call, "yields", item)
                count += 1
                if count == call.get("take"):
                    break
        seen(call, "returns", None)
    except Exception as error:
        raised(call, error)


def main():
    if KIND == "asyncio":
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
    name = f"the {KIND} Python client"
    say(hello={"adapter": "dirty-adapter/1", "name": name, "version": VERSION, "lacks": []})
    for line in sys.stdin:
        call = json.loads(line)
        if call["on"] not in clients:
            clients[call["on"]] = DirtyClient(os.environ["DIRTY_SOCKET"])
        if KIND == "asyncio":
            asyncio.run_coroutine_threadsafe(asynchronous(call), loop)
        else:
            threading.Thread(target=blocking, args=(call,), daemon=True).start()
    os._exit(0)


main()
