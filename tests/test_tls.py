"""Builds that report over TLS: with a CA of one's own, by a certificate, and with the wrong CA."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from support.waiting import until

from .conftest import Workplace


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "ca")


@pytest.fixture
def place(tmp_path: Path, authority: Authority) -> Iterator[Workplace]:
    """A place to work whose server, which does not run yet, speaks TLS."""
    place = Workplace(tmp_path)
    certificate, key = authority.issue("server")
    place.server.options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    yield place
    place.end_senders()


def test_a_build_reports_over_mutual_tls_with_a_certificate_as_its_credential(
    place: Workplace, authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue("builder", uri="spiffe://example.com/builder")
    known = tmp_path / "principals.toml"
    known.write_text('["spiffe://example.com/builder"]\nscopes = ["ingest", "read"]\n')
    place.server.options += ("--tls-client-ca", str(authority.file), "--tls-principals", str(known))
    place.extra = {
        "STARDAG_TOKEN_FILE": "",
        "XDG_DATA_HOME": str(tmp_path / "empty"),
        "STARDAG_CA_FILE": str(authority.file),
        "STARDAG_CLIENT_CERTIFICATE": str(certificate),
        "STARDAG_CLIENT_KEY": str(key),
    }
    with place.server:
        built = place.build("small")
        assert (built.code, built.status) == (0, "completed"), built.err
        history = place.read("builds", "show", built.id)
        assert history["build"]["status"] == "BUILD_STATUS_COMPLETED"
        locking = "import stardag as sd; assert sd.ServiceLocks().acquire('a lease')"
        subprocess.run([sys.executable, "-c", locking], env=place.settings(), check=True)
        shown = place.stardag("config", "show").stdout
        assert str(key) in shown and "PRIVATE" not in shown


def test_a_wrong_ca_is_told_and_does_not_hurt_the_build(
    place: Workplace, authority: Authority, tmp_path: Path
) -> None:
    wrong = Authority.make(tmp_path / "wrong").file
    place.extra = {"STARDAG_CA_FILE": str(wrong), "STARDAG_FLUSH_TIMEOUT": "5"}
    with place.server:
        built = place.build("small")
        assert (built.code, built.status, built.counts) == (0, "completed", "4 completed")
        assert "there is no secure connection to https://127.0.0.1" in built.err
        assert "set STARDAG_CA_FILE to the file of the CA" in built.err
        [line] = place.stardag("builds", "list").stderr.splitlines()
        assert line.startswith("stardag: https://127.0.0.1:")
        # A build with the right one delivers what waits, too.
        place.extra = {"STARDAG_CA_FILE": str(authority.file)}
        assert "warning" not in place.build("small").err

        def is_there() -> bool:
            return place.stardag("builds", "show", built.id).returncode == 0

        until(is_there, "the first build to be delivered")
