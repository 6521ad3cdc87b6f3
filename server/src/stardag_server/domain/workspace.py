"""What a workspace may set, checked; and what holds where it sets nothing."""

import re
from collections.abc import Iterable
from dataclasses import asdict, replace

from google.protobuf.message import Message

from stardag.v1.workspace_pb2 import RetentionPolicy as RetentionMessage
from stardag.v1.workspace_pb2 import Workspace, WorkspaceLimits
from stardag_server.domain import limits
from stardag_server.domain.leases import parse_duration
from stardag_server.domain.refusals import RequestInvalid
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.domain.texts import checked_text

DEFAULT_LIMITS = WorkspaceLimits(
    max_events_per_second=1_000_000,
    max_calls_per_second=10_000,
    max_streams=10_000,
    max_watches=10_000,
    max_asset_bytes=100 << 30,
)

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_TARGET_ROOTS = 100
_MAX_ROOT_NAME = 63
_MAX_MIN_BUILDS = 10_000
_HOUR_US = 3600 * 1_000_000
_MAX_AGE_US = 100 * 366 * 24 * _HOUR_US
_DURATIONS = ("builds", "events", "asset_revisions")
_CHANGEABLE = frozenset(
    (
        *("display_name", "description", "target_roots", "limits", "retention"),
        *(f"limits.{name}" for name in WorkspaceLimits.DESCRIPTOR.fields_by_name),
        *(f"retention.{name}" for name in RetentionMessage.DESCRIPTOR.fields_by_name),
    )
)


def check_workspace(workspace: Workspace) -> None:
    """Raise RequestInvalid if a field breaks its rule."""
    if not _NAME.fullmatch(workspace.name):
        raise RequestInvalid.of(
            "workspace.name",
            "must be 1 to 63 of a to z, 0 to 9 and '-', which is not its first or last",
        )
    checked_text("workspace.display_name", workspace.display_name, limits.MAX_NAME)
    checked_text("workspace.description", workspace.description, limits.MAX_TEXT)
    if len(workspace.target_roots) > _MAX_TARGET_ROOTS:
        raise RequestInvalid.of("workspace.target_roots", f"must be at most {_MAX_TARGET_ROOTS}")
    for name, uri in workspace.target_roots.items():
        checked_text("workspace.target_roots", name, _MAX_ROOT_NAME, least=1)
        checked_text("workspace.target_roots", uri, limits.MAX_URI)
    for field, value in workspace.limits.ListFields():
        if value < 0:
            raise RequestInvalid.of(f"workspace.limits.{field.name}", "must not be negative")
    if workspace.retention.min_builds > _MAX_MIN_BUILDS:
        raise RequestInvalid.of(
            "workspace.retention.min_builds", f"must be at most {_MAX_MIN_BUILDS}"
        )
    stored_retention(workspace)


def stored_limits(workspace: Workspace) -> dict[str, int]:
    """Return the limits that the workspace sets, by field."""
    return {field.name: value for field, value in workspace.limits.ListFields()}


def stored_retention(workspace: Workspace) -> dict[str, int]:
    """Return what the workspace sets of retention, by field, durations in microseconds.

    Raises RequestInvalid for a duration that is neither 0 nor at least an hour.
    """
    retention = workspace.retention
    stored: dict[str, int] = {}
    for name in _DURATIONS:
        if retention.HasField(name):
            given = getattr(retention, name)
            least = _HOUR_US if given.seconds or given.nanos else 0
            path = f"workspace.retention.{name}"
            stored[name] = parse_duration(path, given, least, _MAX_AGE_US)
    if retention.min_builds:
        stored["min_builds"] = retention.min_builds
    return stored


def retention_message(stored: dict[str, int]) -> RetentionMessage:
    """Return the message of what is stored; the reverse of `stored_retention`."""
    message = RetentionMessage(min_builds=stored.get("min_builds", 0))
    for name in _DURATIONS:
        if name in stored:
            getattr(message, name).FromMicroseconds(stored[name])
    return message


def limits_that_hold(stored: dict[str, int]) -> WorkspaceLimits:
    """Return the limits, with the server's where the workspace sets none."""
    held = WorkspaceLimits()
    held.CopyFrom(DEFAULT_LIMITS)
    held.MergeFrom(WorkspaceLimits(**stored))
    return held


def retention_that_holds(stored: dict[str, int], default: RetentionPolicy) -> RetentionPolicy:
    """Return the policy, with the server's where the workspace sets nothing."""
    return replace(default, **stored)


def with_defaults(workspace: Workspace, default: RetentionPolicy) -> Workspace:
    """Return the workspace with what holds, in place of what it sets."""
    held = Workspace()
    held.CopyFrom(workspace)
    held.limits.CopyFrom(limits_that_hold(stored_limits(workspace)))
    policy = retention_that_holds(stored_retention(workspace), default)
    held.retention.CopyFrom(retention_message(asdict(policy)))
    return held


def check_mask(paths: Iterable[str]) -> None:
    """Raise RequestInvalid if there are no paths, or one is none that can be changed."""
    paths = [*paths]
    if not paths:
        raise RequestInvalid.of("update_mask", "must name what to change")
    for path in paths:
        if path not in _CHANGEABLE:
            raise RequestInvalid.of("update_mask", f"{path[:100]!r} can't be changed")


def changed(present: Workspace, given: Workspace, paths: Iterable[str]) -> Workspace:
    """Return the present workspace with these fields as they are in the given one."""
    result = Workspace()
    result.CopyFrom(present)
    for path in paths:
        source, target = given, result
        *outer, name = path.split(".")
        for part in outer:
            source, target = getattr(source, part), getattr(target, part)
        _copy_field(source, target, name)
    return result


def _copy_field(source: Message, target: Message, name: str) -> None:
    only = type(source)()
    only.CopyFrom(source)
    for other in source.DESCRIPTOR.fields_by_name:
        if other != name:
            only.ClearField(other)
    target.ClearField(name)
    target.MergeFrom(only)
