"""Write vectors.json: the ids and URIs that the published releases give the programs' tasks.

    python tests/compatibility/record.py

Run it after a case is added. What a release has given never changes, so neither may what is in
the file.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from compatibility.releases import RELEASES, describe, install

VECTORS = Path(__file__).with_name("vectors.json")


def main() -> None:
    """Install the releases, run the programs on each, and write what they give."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        found = {v: describe(install(v, home), home=home) for v in RELEASES}
    vectors: dict[str, dict[str, Any]] = {}
    for release, rules in found.items():
        for rule, cases in rules.items():
            for case, outcome in cases.items():
                if "error" not in outcome:
                    outcomes = vectors.setdefault(rule, {}).setdefault(case, [])
                    note(outcomes, outcome, release)
    VECTORS.write_text(as_lines(vectors), encoding="utf-8")


def note(outcomes: list[dict[str, Any]], outcome: dict[str, str], release: str) -> None:
    """Add a release to the outcome that it shares with earlier ones, or add its own."""
    for known in outcomes:
        if (known["id"], known["uri"]) == (outcome["id"], outcome["uri"]):
            known["releases"].append(release)
            return
    outcomes.append({**outcome, "releases": [release]})


def as_lines(vectors: dict[str, dict[str, Any]]) -> str:
    """Return the vectors as JSON with a case a line."""
    rules = (
        f" {json.dumps(rule)}: {{\n"
        + ",\n".join(
            f"  {json.dumps(case)}: {json.dumps(outcomes, ensure_ascii=False)}"
            for case, outcomes in cases.items()
        )
        + "\n }"
        for rule, cases in vectors.items()
    )
    return "{\n" + ",\n".join(rules) + "\n}\n"


if __name__ == "__main__":
    main()
