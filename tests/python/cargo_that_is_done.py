#!/usr/bin/env python3
"""Stands in for `cargo` while a test lets maturin build a wheel: what maturin asks cargo to compile is compiled already.

`cargo test` and `cargo build` differ in the features of dependencies, so the real one would build the program anew, and put
it under the feet of the tests that are running it. Everything but the compilation goes to the real cargo.
"""

import json
import os
import sys


def main():
    if sys.argv[1:2] != ["rustc"]:
        os.execv(os.environ["REAL_CARGO"], ["cargo", *sys.argv[1:]])
    manifest = sys.argv[sys.argv.index("--manifest-path") + 1]
    root = os.path.dirname(os.path.abspath(manifest))
    target = {
        "kind": ["bin"],
        "crate_types": ["bin"],
        "name": "dirty",
        "src_path": os.path.join(root, "src/main.rs"),
        "edition": "2024",
        "doc": True,
        "doctest": False,
        "test": True,
    }
    profile = {"opt_level": "0", "debuginfo": 0, "debug_assertions": True, "overflow_checks": True, "test": False}
    artifact = {
        "reason": "compiler-artifact",
        "package_id": f"path+file://{root}#dirty-arbiter@{os.environ['PACKAGE_VERSION']}",
        "manifest_path": os.path.join(root, "Cargo.toml"),
        "target": target,
        "profile": profile,
        "features": [],
        "filenames": [os.environ["BUILT_PROGRAM"]],
        "executable": os.environ["BUILT_PROGRAM"],
        "fresh": True,
    }
    print(json.dumps(artifact))
    print(json.dumps({"reason": "build-finished", "success": True}))


main()
