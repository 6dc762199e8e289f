"""The vectors of gd/1, read by the newest gunicorn's own codec. VECTORS is their folder."""

import base64
import json
import os
from pathlib import Path

from gunicorn.dirty.protocol import BinaryProtocol

from checks import check, equal, main

FOLDER = Path(os.environ["VECTORS"])
FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
READ = {"base64": base64.b64decode, "int": int, "float": FLOATS.__getitem__}
# Not for the payload to say: the header and the receiver's own words.
ELSEWHERE = {"type", "id", "hints", "accept_hints"}


def vectors(name):
    found = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert len(found) >= 60, f"{len(found)} vectors in {name}"
    return found


def honour(message):
    """The members of a message with what their hints say in them."""
    message = json.loads(json.dumps(message))
    for pointer, hint in message.get("hints", {}).items():
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        holder = message
        for step in steps[:-1]:
            holder = holder[int(step) if isinstance(holder, list) else step]
        last = int(steps[-1]) if isinstance(holder, list) else steps[-1]
        holder[last] = READ[hint](holder[last])
    return {name: value for name, value in message.items() if name not in ELSEWHERE}


def verdict(vector):
    """What gunicorn makes of the frame: ("reads", type, id, members), or ("refuses", what it says)."""
    try:
        kind, number, payload = BinaryProtocol.decode_message(bytes.fromhex(vector["frame"]))
    except Exception as error:  # Of any type: it lets Python's own through.
        return "refuses", f"{type(error).__name__}: {error}"
    return "reads", kind, number, payload


@check
def the_valid_vectors_mean_the_same_to_gunicorn():
    for vector in vectors("valid.json"):
        seen = verdict(vector)
        if vector.get("gunicorn") == "refuses":
            equal((vector["id"], seen[0]), (vector["id"], "refuses"))
            continue
        message = vector["message"]
        # repr tells 1 from 1.0 and True, and compares NaN.
        told = ("reads", message["type"], int(message["id"]), honour(message))
        equal((vector["id"], repr(seen)), (vector["id"], repr(told)))


@check
def the_invalid_vectors_are_refused_by_gunicorn_unless_they_say_otherwise():
    for vector in vectors("invalid.json"):
        wanted = "reads" if vector.get("gunicorn") == "accepts" else "refuses"
        seen = verdict(vector)
        equal((vector["id"], seen[0], vector["reason"]), (vector["id"], wanted, vector["reason"]))


if __name__ == "__main__":
    main()
