"""Makes dirty_arbiter/messages.py and dirty_arbiter/_shapes.py from the normative schema.

    python3 python/tools/generate_messages.py            rewrites them
    python3 python/tools/generate_messages.py --check    says whether they are up to date

It understands the part of JSON Schema that schemas/dirty-v1.schema.json uses, and refuses every keyword it does not know.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).resolve().parents[1]
SCHEMAS = PYTHON.parent / "schemas"

HEAD = '"""{title}\n\nMade by tools/generate_messages.py from schemas/dirty-v1.schema.json. Do not edit.\n"""\n\n'
WORDS = {"title", "description", "examples", "default"}
WIDTH = 116


class Refused(Exception):
    pass


def know(node: dict[str, Any], place: str, *keywords: str) -> None:
    unknown = set(node) - WORDS - set(keywords)
    if unknown:
        raise Refused(f"{place}: unknown keywords {sorted(unknown)}")


class Generator:
    def __init__(self, schema: dict[str, Any], protocol: dict[str, Any]) -> None:
        self.schema = schema
        self.protocol = protocol
        know(schema, "", "$schema", "$id", "oneOf", "$defs")
        self.defs: dict[str, Any] = schema["$defs"]
        self.messages = [self.name(part["$ref"]) for part in schema["oneOf"]]
        self.records = [name for name, node in self.defs.items() if "properties" in node]

    @staticmethod
    def name(ref: str) -> str:
        return ref.removeprefix("#/$defs/")

    # ---- types -----------------------------------------------------------------------------------------------

    def type_of(self, node: dict[str, Any], place: str) -> str:
        if "$ref" in node:
            know(node, place, "$ref")
            return self.name(node["$ref"])
        if "anyOf" in node:
            know(node, place, "anyOf")
            return " | ".join(self.type_of(part, place) for part in node["anyOf"])
        kind = node.get("type")
        if isinstance(kind, list):
            know(node, place, "type")
            return "Any"
        if kind == "array":
            know(node, place, "type", "items")
            return f"list[{self.type_of(node['items'], place)}]"
        if kind == "object":
            know(node, place, "type", "additionalProperties")
            return f"dict[str, {self.type_of(node['additionalProperties'], place)}]"
        if kind == "string" and "const" in node:
            know(node, place, "type", "const")
            return f'Literal["{node["const"]}"]'
        if kind == "string" and "enum" in node:
            know(node, place, "type", "enum")
            return f"Literal[{', '.join(json.dumps(name) for name in node['enum'])}]"
        know(node, place, "type", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum")
        simple = {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"}
        if kind not in simple:
            raise Refused(f"{place}: unknown type {kind!r}")
        return simple[kind]

    def types(self) -> str:
        lines = [
            HEAD.format(title="The messages of the dirty protocol, as types."),
            "from __future__ import annotations\n\n",
            "from typing import Any, Literal, TypedDict, Union\n\n",
            "__all__ = [\n",
            *(f'    "{name}",\n' for name in sorted([*self.defs, "DirtyMessage"], key=str.lower)),
            "]\n",
        ]
        for name, node in sorted(self.defs.items(), key=lambda item: "#/$defs/" in json.dumps(item[1])):
            if name not in self.records:
                lines += ["\n", f"{name} = {self.type_of(node, name)}\n", doc(node["description"], "")]
        # A record comes after those it is made of.
        for name in sorted(self.records, key=lambda name: self.depth(name), reverse=False):
            lines += self.record(name, self.defs[name])
        union = ",\n    ".join(self.messages)
        lines += ["\n\n", f"DirtyMessage = Union[\n    {union},\n]\n", doc(self.schema["description"], "")]
        return "".join(lines)

    def depth(self, name: str) -> int:
        inner = re.findall(r'"#/\$defs/(\w+)"', json.dumps(self.defs[name]["properties"]))
        return 1 + max((self.depth(part) for part in inner if part in self.records), default=0)

    def record(self, name: str, node: dict[str, Any]) -> list[str]:
        know(node, name, "type", "properties", "required", "additionalProperties")
        # A sender always writes the members that have a default (MSG-2); a receiver finds them filled in.
        always = set(node.get("required", [])) | {
            member for member, part in node["properties"].items() if "default" in part
        }
        optional = [member for member in node["properties"] if member not in always]
        lines: list[str] = []
        base = "TypedDict"
        if always and optional:
            base = f"_{name}Optional"
            lines += [f"\n\nclass {base}(TypedDict, total=False):\n"]
            lines += self.members(name, node, optional)
        total = "" if always else ", total=False"
        lines += [f"\n\nclass {name}({base}{total}):\n", doc(node["description"], "    "), "\n"]
        lines += self.members(name, node, [member for member in node["properties"] if member in always or not always])
        return lines

    def members(self, name: str, node: dict[str, Any], members: list[str]) -> list[str]:
        lines = []
        for member in members:
            part = node["properties"][member]
            lines += [f"    {member}: {self.type_of(part, f'{name}/{member}')}\n", doc(part["description"], "    ")]
        return lines

    # ---- shapes ----------------------------------------------------------------------------------------------

    def shape_of(self, node: dict[str, Any], place: str) -> str:
        if "$ref" in node:
            name = self.name(node["$ref"])
            if name in self.records:
                return f"_{name}"
            return self.shape_of(self.defs[name], name)
        if "anyOf" in node:
            shape, null = node["anyOf"]
            if null != {"type": "null"}:
                raise Refused(f"{place}: anyOf is understood for a value or null only")
            return f"OrNull({self.shape_of(shape, place)})"
        kind = node.get("type")
        if isinstance(kind, list):
            return "Anything()"
        if kind == "array":
            return "Array()"
        if kind == "object":
            of = self.shape_of(node["additionalProperties"], place)
            return "Mapped()" if of == "Anything()" else f"Mapped({of})"
        if kind == "boolean":
            return "Boolean()"
        if kind == "string" and ("enum" in node or "const" in node):
            names = node.get("enum", [node.get("const")])
            return f"Name({', '.join(json.dumps(name) for name in names)})"
        if kind == "string":
            if "maxLength" not in node:
                return "Text()"
            return f"Text({node.get('minLength', 0)}, {node['maxLength']})"
        if kind == "integer":
            return f"Integer({node['minimum']}, {node['maximum']})"
        if "exclusiveMinimum" in node:
            return f"Number({node['exclusiveMinimum']}, {node['maximum']}, above=True)"
        return f"Number({node['minimum']}, {node['maximum']})"

    def shapes(self) -> str:
        lines = [
            HEAD.format(title="What a receiver accepts as the members of each message."),
            "from __future__ import annotations\n\n",
            "from ._shape import (\n",
            *(f"    {name},\n" for name in SHAPES),
            ")\n",
        ]
        for name in sorted(self.records, key=lambda name: self.depth(name)):
            node = self.defs[name]
            lines += [f"\n_{name} = Record(\n    {{\n"]
            for member, part in node["properties"].items():
                ids = re.search(r"\(([A-Z]+-[0-9]+)[,)]", part["description"])
                if not ids:
                    raise Refused(f"{name}/{member}: the description names no requirement")
                required = ", required=True" if member in node.get("required", []) else ""
                shape = self.shape_of(part, f"{name}/{member}")
                line = f'        "{member}": Member("{ids.group(1)}", {shape}{required}),\n'
                lines.append(line)
            lines += ["    }\n)\n"]
        types = self.protocol["types"]
        lines += ["\nMESSAGES = {\n"]
        lines += [f'    "{kind}": _{row["definition"]},\n' for kind, row in types.items()]
        lines += ["}\n\nRECEIVERS = {\n"]
        for kind, row in types.items():
            receivers = ", ".join(f'"{hop["to"]}"' for hop in row["hops"])
            lines += [f'    "{kind}": frozenset({{{receivers}}}),\n']
        lines += ["}\n\n", 'RESERVED = frozenset({"manage", "stash", "status"})\n']
        lines += ["\nDETAILS = _ErrorDetails.members\n"]
        names = ", ".join(json.dumps(name) for name in self.defs["ErrorType"]["examples"])
        lines += ["\nERROR_TYPES = frozenset(\n    {\n"]
        lines += [f"        {name},\n" for name in names.split(", ")]
        lines += ["    }\n)\n"]
        return "".join(lines)


SHAPES = [
    "Anything",
    "Array",
    "Boolean",
    "Integer",
    "Mapped",
    "Member",
    "Name",
    "Number",
    "OrNull",
    "Record",
    "Text",
]


def doc(text: str, indent: str) -> str:
    wrapped = textwrap.wrap(text, WIDTH - len(indent) - 6, break_long_words=False, break_on_hyphens=False)
    return f'{indent}"""' + f"\n{indent}".join(wrapped) + '"""\n'


def sources() -> tuple[dict[str, Any], dict[str, Any]]:
    def load(name: str) -> Any:
        return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))

    return load("dirty-v1.schema.json"), load("protocol.json")


def generated() -> dict[Path, str]:
    generator = Generator(*sources())
    return {
        PYTHON / "dirty_arbiter/messages.py": generator.types(),
        PYTHON / "dirty_arbiter/_shapes.py": generator.shapes(),
    }


def main() -> None:
    stale = []
    for path, text in generated().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        sys.exit(f"stale: {', '.join(stale)}; run python3 python/tools/generate_messages.py")


if __name__ == "__main__":
    main()
