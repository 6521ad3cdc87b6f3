"""The options that the 0.1 series had, for programs that were written for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from stardag.build.executors import Executor


class PublishedOptions(TypedDict, total=False):
    """Keywords of `build` and its variants in the 0.1 series."""

    task_executor: Executor | None
    """`executor` now."""
    resume_build_id: UUID | None
    """`resume` now."""
    max_concurrent_discover: int
    """Without effect: existence is asked for in bulk."""
    dual_run_default: str
    """Without effect: tasks that run either way run as the build does."""
    sync_run_default: str
    """Without effect, as `dual_run_default`."""
    registry: None
    """None alone: where builds are reported to is configured."""
    global_lock_manager: None
    """None alone: `lock` says where leases come from."""
    global_lock_config: None
    """None alone, as `global_lock_manager`."""


_NOW = {"task_executor": "executor", "resume_build_id": "resume"}
_INSTEAD = {
    "registry": "builds report themselves where a server is configured, see STARDAG_SERVER",
    "global_lock_manager": "give lock=",
    "global_lock_config": "give lock=",
}
_WITHOUT_EFFECT = {"max_concurrent_discover", "dual_run_default", "sync_run_default"}


def renamed(published: Mapping[str, Any], **today: Any) -> dict[str, Any]:
    """Return the options in today's names, given those under their older ones.

    Raises `TypeError` for a name that never was one, for an option that is given twice, and for
    one that has no counterpart.
    """
    options = dict(today)
    for name, value in published.items():
        if name in _NOW:
            if value is not None and options.get(_NOW[name]) is not None:
                raise TypeError(f"{name} is the older name of {_NOW[name]}: give one of the two")
            options[_NOW[name]] = value if value is not None else options.get(_NOW[name])
        elif name in _INSTEAD:
            if value is not None:
                raise TypeError(f"{name} is no option any more: {_INSTEAD[name]}")
        elif name not in _WITHOUT_EFFECT:
            raise TypeError(f"build() got an unexpected keyword argument {name!r}")
    return options
