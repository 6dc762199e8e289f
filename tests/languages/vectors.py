"""Judges every vector with the jsonschema package, and those of the layer `text` with json's own hooks.

    python3 tests/languages/vectors.py        (needs: pip install -r tests/languages/requirements.txt)

Exit status 0: every verdict and every place agree. The files are read as any other project would read them.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
MAX_DEPTH = 512
CONTROL_MAX_DEPTH = 64
PAYLOADS = {"args", "result", "data"}
NAMED_PAYLOADS = {"kwargs", "meta"}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def validator(path):
    schema = load(path)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def definition(schema, name):
    """A validator of one definition, which says where in a message a fault is; the root could only say that nothing fits."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})


MESSAGE = validator(SCHEMAS / "dirty-v1.schema.json")
CONTROL = validator(SCHEMAS / "control-v1.schema.json")
CONTROL_SINGLE = {
    kind: definition(CONTROL.schema, f"{kind.capitalize()}Message")
    for kind in ("status", "manage", "response", "error")
}
SINGLE = {path.name.split(".")[0]: validator(path) for path in sorted((SCHEMAS / "v1").iterdir())}
KNOWN = {kind: set(schema.schema["properties"]) for kind, schema in SINGLE.items()}
DETAILS = set(SINGLE["error"].schema["$defs"]["ErrorDetails"]["properties"])


def pointer(path):
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in path)


def schema_faults(message, single=SINGLE, root=MESSAGE):
    """The places at which the message breaks the schema of its type; none if it is a message."""
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in single:
        assert not root.is_valid(message)
        return {"/type"} if isinstance(message, dict) else {""}
    places = set()
    for error in single[kind].iter_errors(message):
        path = list(error.absolute_path)
        if error.validator == "required":
            places.update(pointer(path + [name]) for name in error.validator_value if name not in error.instance)
        else:
            places.add(pointer(path))
    assert root.is_valid(message) == (not places)
    return places


class Refused(Exception):
    pass


def parse(text, max_depth=MAX_DEPTH):
    """The value of a JSON text under the rules that a plain parser does not know."""
    repeated = []

    def members(pairs):
        names = [name for name, _ in pairs]
        # The outermost object is finished last, so what it leaves here is about itself.
        repeated[:] = [name for i, name in enumerate(names) if name in names[:i]]
        return dict(pairs)

    def constant(name):
        raise Refused(f"{name} is not JSON")

    depth = deepest = 0
    in_string = False
    characters = iter(text)
    for character in characters:
        if character == "\\":
            next(characters, None)
        elif character == '"':
            in_string = not in_string
        elif not in_string:
            depth += (character in "[{") - (character in "]}")
            deepest = max(deepest, depth)
    if deepest > max_depth:
        raise Refused(f"{deepest} levels")
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    try:
        message = json.loads(text, object_pairs_hook=members, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise Refused(str(error)) from error
    if not isinstance(message, dict):
        raise Refused("not an object")
    if repeated:
        raise Refused(f"{repeated[0]} stands twice")
    return message


def strings(message):
    """The strings of a message that are not payload."""
    for name in KNOWN.get(message.get("type"), set()) & set(message):
        value = message[name]
        if name in NAMED_PAYLOADS and isinstance(value, dict):
            yield from value
        elif name not in PAYLOADS:
            yield from inner(name, value)


def inner(name, value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if name == "hints":
                yield key
            if name != "details" or key in DETAILS:
                yield from inner(key, item)


def accepts_text(text):
    try:
        message = parse(text)
        for string in [message.get("type"), *strings(message)]:
            if isinstance(string, str):
                string.encode("utf-8")
    except (Refused, UnicodeEncodeError):
        return False
    return not schema_faults(message)


def accepts_control_text(text):
    try:
        message = parse(text, CONTROL_MAX_DEPTH)
        for name in ("type", "id", "op"):
            if isinstance(message.get(name), str):
                message[name].encode("utf-8")
    except (Refused, UnicodeEncodeError):
        return False
    return not schema_faults(message, CONTROL_SINGLE, CONTROL)


def judge_control(problems, count):
    for folder in ("valid", "invalid"):
        for path in sorted((SCHEMAS / "vectors/control" / folder).glob("*.json")):
            vector = load(path)
            count[vector["layer"]] += 1
            if vector["layer"] == "text":
                if accepts_control_text(vector["text"]) != (folder == "valid"):
                    problems.append(f"control/{folder}/{path.name}: judged the other way")
                continue
            faults = schema_faults(vector["message"], CONTROL_SINGLE, CONTROL)
            expected = {vector["pointer"]} if folder == "invalid" else set()
            if faults != expected:
                problems.append(
                    f"control/{folder}/{path.name}: expected {expected or 'no fault'}, found {faults or 'none'}"
                )


def main():
    problems = []
    count = {"schema": 0, "text": 0}
    judge_control(problems, count)
    for folder in ("valid", "invalid"):
        for path in sorted((SCHEMAS / "vectors" / folder).glob("*.json")):
            vector = load(path)
            count[vector["layer"]] += 1
            if vector["layer"] == "text":
                if accepts_text(vector["text"]) != (folder == "valid"):
                    problems.append(f"{folder}/{path.name}: judged the other way")
                continue
            faults = schema_faults(vector["message"])
            expected = {vector["pointer"]} if folder == "invalid" else set()
            if faults != expected:
                problems.append(f"{folder}/{path.name}: expected {expected or 'no fault'}, found {faults or 'none'}")
    for problem in problems:
        print(problem)
    print(f"python: {count['schema']} vectors by schema, {count['text']} by text, {len(problems)} problems")
    sys.exit(1 if problems or not all(count.values()) else 0)


if __name__ == "__main__":
    main()
