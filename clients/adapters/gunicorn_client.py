"""An adapter (golden/adapters.md) for the stock client of gunicorn 25.0, which makes one call at a time.

    dirty check client -- python3 clients/adapters/gunicorn_client.py
"""

import json
import os
import sys

import gunicorn
from gunicorn.dirty.client import DirtyClient

LACKS = ["multiplex", "call-timeout", "hints"]

clients = {}


def say(**line):
    print(json.dumps(line), flush=True)


say(hello={"adapter": "dirty-adapter/1", "name": "gunicorn's client", "version": gunicorn.__version__, "lacks": LACKS})
for line in sys.stdin:
    call = json.loads(line)
    number = call["call"]
    if call["on"] not in clients:
        clients[call["on"]] = DirtyClient(os.environ["DIRTY_SOCKET"], timeout=30)
    method = getattr(clients[call["on"]], call["method"])
    try:
        result = method(call["app_path"], call["action"], *call["args"], **call["kwargs"])
        if call["method"] == "stream":
            for count, item in enumerate(result, 1):
                say(call=number, yields=item)
                if count == call.get("take"):
                    break
            result = None
        say(call=number, returns=result)
    except Exception as error:
        message, details = getattr(error, "message", str(error)), getattr(error, "details", {})
        say(call=number, raises={"error_type": type(error).__name__, "message": message, "details": details})
