"""Print what the installed Stardag makes of the programs: ids, output URIs and errors, as JSON.

    python describe.py            # {"<module>": {"<case>": {"id": ..., "uri": ...}}}
    python describe.py --seed 7   # the same of tasks made at random

A script: it runs on our Stardag and, in an environment of its own, on a published release.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

RULES = (
    "scalars",
    "text",
    "times",
    "collections",
    "models",
    "tasks",
    "families",
    "functions",
    "names",
    "paths",
    "defaults",
)
ROOTS = {"default": "/roots/d/", "other": "/roots/o"}


def describe(make: Any, output: Any) -> dict[str, str]:
    """Return a case's id and URI, or what was raised in their place."""
    found: dict[str, str] = {}
    try:
        task = make()
        found["id"] = str(task.id)
        found["uri"] = output(task).uri
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"
    return found


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int)
    seed = parser.parse_args().seed
    os.environ["STARDAG_TARGET_ROOTS"] = json.dumps(ROOTS)
    os.environ["STARDAG_PICKLE_AS_LAST_RESORT"] = "1"  # as the releases do without being told
    sys.path.insert(0, str(Path(__file__).parent))
    warnings.simplefilter("ignore")
    output = importlib.import_module("programs.dialect").output
    if seed is None:
        rules = {name: importlib.import_module(f"programs.{name}").CASES for name in RULES}
    else:
        rules = {"sweep": importlib.import_module("programs.sweep").cases(seed)}
    found = {
        rule: {case: describe(make, output) for case, make in cases.items()}
        for rule, cases in rules.items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
