"""The generated modules are what the schema says now, and the generator refuses what it does not understand."""

import copy
import importlib.util
import unittest
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[1]


def generator():
    spec = importlib.util.spec_from_file_location("generate_messages", PYTHON / "tools/generate_messages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Generated(unittest.TestCase):
    def test_the_modules_are_up_to_date(self):
        for path, text in generator().generated().items():
            self.assertEqual(path.read_text(encoding="utf-8"), text, f"{path.name}: run tools/generate_messages.py")

    def test_the_types_name_every_member_of_the_schema(self):
        module = generator()
        made = module.Generator(*module.sources())
        from dirty_arbiter import messages

        for name in made.records:
            members = set(made.defs[name]["properties"])
            self.assertEqual(set(getattr(messages, name).__annotations__), members)
            required = set(made.defs[name].get("required", []))
            self.assertLessEqual(required, getattr(messages, name).__required_keys__)

    def test_a_keyword_that_is_not_understood_is_refused(self):
        module = generator()
        schema, protocol = module.sources()
        for pointer, keyword in [
            ([], "anyOf"),
            (["$defs", "RequestMessage"], "minProperties"),
            (["$defs", "RequestMessage", "properties", "args"], "minItems"),
            (["$defs", "AppPath"], "pattern"),
            (["$defs", "Hint"], "not"),
        ]:
            changed = copy.deepcopy(schema)
            node = changed
            for name in pointer:
                node = node[name]
            node[keyword] = 1
            with self.assertRaises(module.Refused, msg=keyword):
                module.Generator(changed, protocol).types()


if __name__ == "__main__":
    unittest.main()
