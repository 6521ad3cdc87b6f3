"""The ids that a shell completes: those of the newest builds and tasks that begin as is typed.

The service has a second to answer. Where it does not, nothing is suggested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cyclopts.completion import CompletionContext

    from stardag.client import Client

_MOST = 50
_TIMEOUT_S = 1.0


def build_ids(context: CompletionContext) -> dict[str, str]:
    """Return ids of builds, and of each its status and name."""
    from stardag.cli.lists import ids
    from stardag.cli.views import cells
    from stardag.v1.build_service_pb2 import ListBuildsRequest

    def found(client: Client) -> Iterator[tuple[str, str]]:
        wanted = ids.beginning("build", context.incomplete)
        request = ListBuildsRequest(filter=wanted, page_size=_MOST)
        for build in client.builds.ListBuilds(request, timeout=_TIMEOUT_S).builds:
            yield build.build_id, f"{cells.build_status(build)} {build.name}"

    return _suggested(found)


def task_ids(context: CompletionContext) -> dict[str, str]:
    """Return ids of tasks, and of each its status and type."""
    from stardag.cli.lists import ids
    from stardag.cli.views import cells
    from stardag.v1.registry_service_pb2 import ListTasksRequest

    def found(client: Client) -> Iterator[tuple[str, str]]:
        wanted = ids.beginning("task", context.incomplete)
        request = ListTasksRequest(filter=wanted, page_size=_MOST)
        for task in client.registry.ListTasks(request, timeout=_TIMEOUT_S).tasks:
            status = cells.task_status(task.latest_state)
            yield task.task_id, f"{status} {cells.type_name(task)}"

    return _suggested(found)


def _suggested(found: Callable[[Client], Iterable[tuple[str, str]]]) -> dict[str, str]:
    from stardag._errors import StardagError
    from stardag._readable import one_line
    from stardag.client import connect
    from stardag.config import get_config

    try:
        with connect(get_config()) as client:
            return {key: one_line(what) for key, what in found(client)}
    except StardagError:
        return {}
