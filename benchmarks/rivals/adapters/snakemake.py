"""Snakemake: one rule with a wildcard, its job a line of shell; tasks exchange files only."""

from __future__ import annotations

import os
from pathlib import Path

from snakemake.cli import main as snakemake
from workload import TASKS, WORKERS, main

RULES = f"""
rule all:
    input: expand("{{n}}.json", n=range({TASKS}))

rule small:
    output: "{{n}}.json"
    shell: "echo '{{{{\\"n\\": {{wildcards.n}}}}}}' > {{output}}"
"""


def files(folder: str) -> None:
    os.chdir(folder)
    Path("Snakefile").write_text(RULES)
    try:
        snakemake(["--cores", str(WORKERS), "--quiet", "all"])
    except SystemExit as end:
        assert not end.code


if __name__ == "__main__":
    main(files=files)
