"""Stubs are made as docs/stubs.md shows, and those that are shipped load where it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.shell_pages import ROOT, blocks, said

UV = Path(sys.executable).with_name("uv")
LOAD = """
import importlib, pathlib
names = sorted(path.stem for path in pathlib.Path("stardag/v1").glob("*_pb2*.py"))
for name in names:
    importlib.import_module(f"stardag.v1.{name}")
print(len(names))
"""


def test_stubs_are_made_from_the_protos_alone(tmp_path: Path) -> None:
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    said(blocks("stubs.md"), tmp_path, {})
    stub = (tmp_path / "out/python/stardag/v1/event_service_pb2_grpc.py").read_text()
    assert "self.PublishEvents = channel.stream_stream(" in stub
    assert b"ImportBuild" in (tmp_path / "out/stardag.binpb").read_bytes()


@pytest.mark.slow  # installs other versions than the ones that are locked
@pytest.mark.parametrize(
    ("protobuf", "grpcio"), [("==6.31.1", "==1.76.0"), (">=6.33,<7", ""), (">=7,<8", "")]
)
def test_the_stubs_of_the_sdk_load_on_the_versions_they_promise(
    protobuf: str, grpcio: str, tmp_path: Path
) -> None:
    package = tmp_path / "stardag"
    package.mkdir()
    (package / "v1").symlink_to(ROOT / "sdk/src/stardag/v1")
    versions = ["--with", f"protobuf{protobuf}", "--with", f"grpcio{grpcio}"]
    command = [UV, "run", "--no-project", "--python", sys.executable, *versions]
    done = subprocess.run(
        [*command, "python", "-c", LOAD], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(list((ROOT / "sdk/src/stardag/v1").glob("*_pb2*.py")))
