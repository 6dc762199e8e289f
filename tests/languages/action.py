"""Reads action.yml and checks what GitHub would: known keys, declared inputs, variables that the script reads."""

import re
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1])
text = (root / "action.yml").read_text()
action = yaml.safe_load(text)
script = (root / ".ci" / "action").read_text()

assert set(action) == {"name", "description", "inputs", "outputs", "runs"}, sorted(action)
assert action["runs"]["using"] == "composite"
for name, it in action["inputs"].items():
    assert set(it) <= {"description", "required", "default"} and it["description"], name
    assert f"inputs.{name} }}}}" in text, f"the input {name} is not used"
used = set(re.findall(r"inputs\.([\w-]+)", text))
assert used == set(action["inputs"]), used ^ set(action["inputs"])
variables = set()
for step in action["runs"]["steps"]:
    assert set(step) <= {"name", "id", "if", "shell", "env", "run", "uses", "with"}, sorted(step)
    assert ("run" in step) != ("uses" in step)
    if "run" in step:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in a script can be a script"
        variables |= set(step["env"])
assert variables == set(re.findall(r"DIRTY_ACTION_\w+", script)), variables
