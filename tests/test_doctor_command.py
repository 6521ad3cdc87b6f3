"""`stardag doctor`: each thing that can be wrong here is told, with what to do about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.collector import Collector

from stardag.cli.doctor.server_checks import clock_check

from .conftest import Workplace


def examined(workplace: Workplace) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code and the checks by name; without a problem there is nothing to do."""
    done = workplace.stardag("doctor", "--json")
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert len(checks) == len(report["checks"])
    assert report["ok"] == all(check["ok"] for check in report["checks"]) == (not done.returncode)
    assert all(check["ok"] or check["action"] for check in report["checks"])
    return done.returncode, checks


def test_all_is_well_where_a_server_answers(workplace: Workplace) -> None:
    code, checks = examined(workplace)
    assert code == 0
    assert [*checks] == [
        *("configuration", "server", "clock", "credential"),
        *("state", "spool", "traces", "root default"),
    ]
    assert "on sqlite" in checks["server"]["detail"]
    assert checks["credential"]["detail"].startswith("local in workspace default: ")
    told = workplace.stardag("doctor").stdout.splitlines()
    assert [line.split()[0] for line in told] == ["ok"] * 8
    assert not list((workplace.directory / "targets").iterdir()), "what was tried is taken back"


def test_a_server_that_is_away_is_told_and_so_is_what_waits_for_it(workplace: Workplace) -> None:
    workplace.server.terminate()
    workplace.extra = {"STARDAG_FLUSH_TIMEOUT": "0"}
    assert workplace.build("small").status == "completed"
    workplace.end_senders()
    code, checks = examined(workplace)
    assert code == 1
    assert "can't be reached" in checks["server"]["detail"]
    assert "nothing listens there" in checks["server"]["detail"]
    assert "the server runs" in checks["server"]["action"]
    assert "events wait in" in checks["spool"]["detail"]
    assert checks["spool"]["action"] == "run `stardag sync`"
    assert not {"clock", "credential"} & {*checks}


def test_what_keeps_traces_from_their_collector_is_told(workplace: Workplace) -> None:
    collector = Collector()
    workplace.extra["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    workplace.extra["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
    code, checks = examined(workplace)
    assert (code, checks["traces"]["detail"]) == (0, "the collector takes them")
    collector.close()
    workplace.extra["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{workplace.server.address}"
    workplace.extra["OTEL_TRACES_SAMPLER"] = "sometimes"
    code, checks = examined(workplace)
    assert code == 1
    assert "UNIMPLEMENTED" in checks["traces"]["detail"]
    assert "OTEL_TRACES_SAMPLER=sometimes" in checks["sampler"]["detail"]
    workplace.extra["OTEL_EXPORTER_OTLP_PROTOCOL"] = "smoke"
    code, checks = examined(workplace)
    assert code == 1
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=smoke" in checks["traces"]["detail"]


def test_a_credential_that_is_refused_or_may_not_report_is_told(workplace: Workplace) -> None:
    key = workplace.stardag("keys", "create", "reader", "--scope", "read", "--days", "3")
    workplace.extra = {"STARDAG_TOKEN": key.stdout.strip()}
    code, checks = examined(workplace)
    assert (code, checks["server"]["ok"], checks["credential"]["ok"]) == (1, True, False)
    assert "scope ingest" in checks["credential"]["action"]
    workplace.extra = {}
    key = workplace.stardag("keys", "create", "short", "--scope", "ingest", "--days", "3")
    workplace.extra = {"STARDAG_TOKEN": key.stdout.strip()}
    assert "it ends in" in examined(workplace)[1]["credential"]["detail"]
    workplace.extra = {"STARDAG_TOKEN": "wrong"}
    code, checks = examined(workplace)
    assert (code, checks["credential"]["ok"]) == (1, False)
    assert "STARDAG_TOKEN" in checks["credential"]["action"]


def test_what_is_wrong_here_is_told_without_a_server(workplace: Workplace) -> None:
    file = workplace.directory / "file"
    file.touch()
    workplace.extra = {
        "STARDAG_SERVER": "",
        "STARDAG_SERVR": "x",
        "STARDAG_STATE_DIR": str(file / "state"),
        "STARDAG_TARGET_ROOTS__COLD": str(file / "cold"),
        "STARDAG_TARGET_ROOTS__FAR": "nowhere://there",
    }
    code, checks = examined(workplace)
    assert code == 1
    wrong = {name for name, check in checks.items() if not check["ok"]}
    assert wrong == {"configuration", "state", "root cold", "root far"}
    assert "STARDAG_SERVR (did you mean STARDAG_SERVER?)" in checks["configuration"]["detail"]


def test_a_wrong_configuration_is_the_only_thing_that_is_told(workplace: Workplace) -> None:
    workplace.extra = {"STARDAG_FSYNC": "sometimes"}
    code, checks = examined(workplace)
    assert (code, [*checks]) == (1, ["configuration"])
    assert "STARDAG_FSYNC" in checks["configuration"]["detail"]


@pytest.mark.parametrize(
    ("server_time", "took", "ok", "words"),
    [
        (1000.0, 0.0, True, "0 ms"),
        (1004.0, 0.0, True, "4.0 s behind"),
        (1006.0, 0.0, False, "6.0 s behind"),
        (994.0, 0.0, False, "6.0 s ahead of"),
        (1006.0, 4.0, True, "4.0 s behind"),
    ],
)
def test_clocks_may_differ_by_a_few_seconds_and_by_what_the_call_took(
    server_time: float, took: float, ok: bool, words: str
) -> None:
    check = clock_check(server_time, 1000.0, took)
    assert (check.ok, words in check.detail) == (ok, True)
