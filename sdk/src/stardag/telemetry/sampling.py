"""Whether a build is traced, as OpenTelemetry's own variables decide it; pure.

Every process that asks comes to the same answer, as it follows from the trace id: the one that
builds, which tells user code, and the sender, which exports the spans.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANDOM_BITS = 56
_PARENT_BASED = "parentbased_"


def is_sampled(trace_id: int, environment: Mapping[str, str], parent: bool | None) -> bool:
    """Return whether the trace is to be recorded.

    `parent` is whether the trace is in which the build was started; None if there is none.
    What `OTEL_TRACES_SAMPLER` does not name, or names wrongly, is the default:
    `parentbased_always_on`.

    A ratio is applied to the low 56 bits of the trace id, which the W3C's Trace Context
    (level 2) has as its random ones. The low 64 bits would not do: two of those of a UUIDv7 are
    its variant.
    """
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if sampler not in _SAMPLERS:
        sampler = "parentbased_always_on"
    if sampler.startswith(_PARENT_BASED):
        if parent is not None:
            return parent
        sampler = sampler.removeprefix(_PARENT_BASED)
    match sampler:
        case "always_off":
            return False
        case "traceidratio":
            rejected = round((1 - _ratio(environment)) * (1 << _RANDOM_BITS))
            return trace_id % (1 << _RANDOM_BITS) >= rejected
        case _:
            return True


def mistake(environment: Mapping[str, str]) -> str:
    """Return what of the variables is not understood, for people; empty if all is."""
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if sampler and sampler not in _SAMPLERS:
        return f"OTEL_TRACES_SAMPLER={sampler} is none of {', '.join(sorted(_SAMPLERS))}"
    share = environment.get("OTEL_TRACES_SAMPLER_ARG", "")
    if share and sampler.endswith("traceidratio") and _share(share) is None:
        return f"OTEL_TRACES_SAMPLER_ARG={share} is no number from 0 to 1"
    return ""


_ROOTS = ("always_on", "always_off", "traceidratio")
_SAMPLERS = frozenset((*_ROOTS, *(_PARENT_BASED + root for root in _ROOTS)))


def _ratio(environment: Mapping[str, str]) -> float:
    """Return the share of traces to record; all of them if the variable has no such number."""
    share = _share(environment.get("OTEL_TRACES_SAMPLER_ARG", ""))
    return 1.0 if share is None else share


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
