"""What docs/how-to/grpcurl.md shows works, with the tools themselves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.go import path_with_go
from support.shell_pages import ROOT, blocks, said

from .conftest import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "how-to/grpcurl.md"
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
CACHE = ROOT / ".run" / "go" / "bin"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A server with reflection that knows of a build which failed."""
    place = Workplace(tmp_path_factory.mktemp("tools"))
    place.server.options = ("--reflection",)
    with place.server:
        assert place.build("broken").status == "failed"
        yield place
    place.end_senders()


def answers(section: str, workplace: Workplace, *tools: Path) -> list[str]:
    """Return what each block of a section printed."""
    settings = {
        "STARDAG_SERVER": workplace.server.address,
        "STARDAG_TOKEN": workplace.server.token,
        "TMPDIR": str(workplace.directory),
    }
    return said(blocks(PAGE, section), ROOT, settings, *tools)


@pytest.fixture(scope="session")
def grpcurl() -> Path:
    """The directory of a grpcurl, which is made and kept there if Go is to be had."""
    if not (CACHE / "grpcurl").exists():
        if (path := path_with_go()) is None:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
                "grpcurl is made with Go, which is neither installed nor to be had"
            )
        settings = os.environ | {"GOBIN": str(CACHE), "PATH": path}
        subprocess.run(["go", "install", GRPCURL], env=settings, check=True)
    return CACHE


@pytest.mark.timeout(900)  # compiling grpcurl takes a minute, the first time
def test_grpcurl_asks_as_the_page_shows(workplace: Workplace, grpcurl: Path) -> None:
    texts = answers("With grpcurl", workplace, grpcurl)
    _, listed, failed, groups, watched, error, unreflected = texts
    assert "grpc.reflection.v1.ServerReflection\n" in listed
    assert "stardag.v1.BuildService.ListBuilds" in listed
    assert "rpc ListBuilds ( .stardag.v1.ListBuildsRequest )" in listed
    assert "string filter = 4;" in listed
    assert failed.count('"build_id"') == 1
    assert "broken on purpose at 1" in groups
    assert '"status": "BUILD_STATUS_FAILED"' in watched
    assert '"reason": "BUILD_NOT_FOUND"' in error and "exit code 69" in error
    assert '"principal": "local"' in unreflected and '"version"' in unreflected


def test_buf_asks_as_the_page_shows(workplace: Workplace) -> None:
    listed, unreflected, error, published = answers("With buf", workplace)
    assert "stardag.v1.BuildService/ListBuilds" in listed
    assert '"nextPageToken"' in listed or '"buildId"' in listed
    assert '"principal": "local"' in unreflected
    assert '"google.rpc.ErrorInfo"' in error and "exit code 40" in error
    assert '"committedSequence": "2"' in published
    newest = workplace.read("builds", "list")[0]
    assert (newest["name"], newest["status"]) == ("nightly-dump", "BUILD_STATUS_COMPLETED")


def test_every_block_of_the_page_is_run() -> None:
    assert blocks(PAGE) == blocks(PAGE, "With grpcurl") + blocks(PAGE, "With buf")
