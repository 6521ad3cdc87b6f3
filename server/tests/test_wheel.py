"""What is published: a wheel made from the source distribution runs by itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))


def run(*command: str, cwd: Path, **environment: str) -> str:
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_the_wheels_migrate_a_database_with_the_migrations_they_bring(tmp_path: Path):
    built, site = tmp_path / "dist", tmp_path / "site"
    for distribution in ("sdk", "server"):
        # The wheel is made from the source distribution, which must thus be complete.
        run(UV, "build", "--quiet", str(REPOSITORY / distribution), "-o", str(built), cwd=tmp_path)
    wheels = [str(wheel) for wheel in built.glob("*.whl")]
    assert len(wheels) == 2
    run(UV, "pip", "install", "--quiet", "--no-deps", "--target", str(site), *wheels, cwd=tmp_path)
    program = "import stardag_server.store.migration as m; print(m.scripts())"
    paths = {"PYTHONPATH": str(site)}
    found = run(sys.executable, "-c", program, cwd=tmp_path, **paths)
    assert found.strip() == str(site / "stardag_server" / "migrations")
    command = [sys.executable, "-m", "stardag_server", "migrate", "--data-dir", str(tmp_path)]
    said = run(*command, cwd=tmp_path, **paths)
    assert said.startswith("the database is at revision ")
    assert (tmp_path / "stardag.sqlite").stat().st_size
