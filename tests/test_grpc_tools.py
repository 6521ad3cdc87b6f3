"""What docs/how-to/grpcurl.md shows works, with the tools themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "how-to" / "grpcurl.md").read_text()
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
BUF = Path(sys.executable).with_name("buf")
CACHE = ROOT / ".run" / "go" / "bin"


def shown(section: str) -> list[str]:
    """Return the commands that a section of the page shows, a text for each block."""
    [part] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```sh\n(.*?)^```", part, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A server with reflection that knows of a build which failed."""
    place = Workplace(tmp_path_factory.mktemp("tools"))
    place.server.options = ("--reflection",)
    with place.server:
        assert place.build("broken").status == "failed"
        yield place
    place.end_senders()


def said(blocks: list[str], workplace: Workplace, *tools: Path) -> list[str]:
    """Run the blocks in one shell, as a reader would, and return what each printed."""
    script = "".join(f"printf '\\0'\n{block}" for block in blocks)
    settings = {"STARDAG_SERVER": workplace.server.address, "STARDAG_TOKEN": workplace.server.token}
    settings["TMPDIR"] = str(workplace.directory)
    path = os.pathsep.join([*map(str, tools), str(BUF.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{script}"],
        cwd=ROOT,
        env=os.environ | settings | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.split("\0")[1:]


@pytest.fixture(scope="session")
def grpcurl() -> Path:
    """The directory of a grpcurl, which is made and kept there if Go is installed."""
    if not (CACHE / "grpcurl").exists():
        if shutil.which("go") is None:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
                "grpcurl is made with Go, which is not installed"
            )
        settings = os.environ | {"GOBIN": str(CACHE)}
        subprocess.run(["go", "install", GRPCURL], env=settings, check=True)
    return CACHE


@pytest.mark.slow  # compiling grpcurl takes a minute or two, the first time
@pytest.mark.timeout(900)
def test_grpcurl_asks_as_the_page_shows(workplace: Workplace, grpcurl: Path) -> None:
    _, listed, failed, groups, watched, error, unreflected = said(
        shown("With grpcurl"), workplace, grpcurl
    )
    assert "stardag.v1.BuildService.ListBuilds" in listed
    assert "rpc ListBuilds ( .stardag.v1.ListBuildsRequest )" in listed
    assert "string filter = 4;" in listed
    assert failed.count('"build_id"') == 1
    assert "broken on purpose at 1" in groups
    assert '"status": "BUILD_STATUS_FAILED"' in watched
    assert '"reason": "BUILD_NOT_FOUND"' in error and "exit code 69" in error
    assert '"principal": "local"' in unreflected and '"version"' in unreflected


def test_buf_asks_as_the_page_shows(workplace: Workplace) -> None:
    listed, unreflected, error, published = said(shown("With buf"), workplace)
    assert "stardag.v1.BuildService/ListBuilds" in listed
    assert '"nextPageToken"' in listed or '"buildId"' in listed
    assert '"principal": "local"' in unreflected
    assert '"google.rpc.ErrorInfo"' in error and "exit code 40" in error
    assert '"committedSequence": "2"' in published
    newest = workplace.read("builds", "list")[0]
    assert (newest["name"], newest["status"]) == ("nightly-dump", "BUILD_STATUS_COMPLETED")


def test_every_block_of_the_page_is_run() -> None:
    blocks = re.findall(r"^```sh$", PAGE, re.MULTILINE)
    assert len(blocks) == len(shown("With grpcurl") + shown("With buf"))
