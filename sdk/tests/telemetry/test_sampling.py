"""Which builds are traced: what OpenTelemetry's variables say, applied to the trace id."""

from __future__ import annotations

import pytest

from stardag._uuid7 import uuid7
from stardag.telemetry.sampling import is_sampled, mistake


def sampler(name: str, argument: str | None = None) -> dict[str, str]:
    variables = {"OTEL_TRACES_SAMPLER": name}
    return variables if argument is None else variables | {"OTEL_TRACES_SAMPLER_ARG": argument}


@pytest.mark.parametrize(
    ("variables", "alone", "within_sampled", "within_other"),
    [
        ({}, True, True, False),
        (sampler("nonsense"), True, True, False),
        (sampler("always_on"), True, True, True),
        (sampler("always_off"), False, False, False),
        (sampler("parentbased_always_on"), True, True, False),
        (sampler("parentbased_always_off"), False, True, False),
        (sampler("parentbased_traceidratio", "0"), False, True, False),
        (sampler("traceidratio"), True, True, True),
        (sampler("traceidratio", "nonsense"), True, True, True),
        (sampler("traceidratio", "1.5"), True, True, True),
        (sampler("traceidratio", "0"), False, False, False),
    ],
)
def test_the_sampler_that_is_named_decides(
    variables: dict[str, str], alone: bool, within_sampled: bool, within_other: bool
) -> None:
    trace = uuid7().int
    decisions = [is_sampled(trace, variables, parent) for parent in (None, True, False)]
    assert decisions == [alone, within_sampled, within_other]


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_a_ratio_holds_for_the_ids_that_builds_have(ratio: float) -> None:
    variables = sampler("traceidratio", str(ratio))
    count = sum(is_sampled(uuid7().int, variables, None) for _ in range(5_000))
    assert abs(count / 5_000 - ratio) < 0.05  # seven standard deviations


def test_what_a_lower_ratio_keeps_a_higher_one_keeps_too() -> None:
    for _ in range(200):
        trace = uuid7().int
        kept = [is_sampled(trace, sampler("traceidratio", f"0.{n}"), None) for n in range(10)]
        assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, ""),
        (sampler("Parentbased_TraceIdRatio", "0.5"), ""),
        (sampler("always_on", "unused"), ""),
        (sampler("traceidratio"), ""),
        (sampler("sometimes"), "OTEL_TRACES_SAMPLER=sometimes"),
        (sampler("traceidratio", "half"), "OTEL_TRACES_SAMPLER_ARG=half"),
        (sampler("parentbased_traceidratio", "1.5"), "OTEL_TRACES_SAMPLER_ARG=1.5"),
    ],
)
def test_what_is_not_understood_can_be_told(variables: dict[str, str], told: str) -> None:
    assert mistake(variables).startswith(told)
    assert bool(mistake(variables)) == bool(told)
