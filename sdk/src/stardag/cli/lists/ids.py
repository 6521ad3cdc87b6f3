"""Which build or task is meant: by its id, the beginning of one, or `latest`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from stardag._errors import ConfigError, StardagError
from stardag.v1.build_service_pb2 import ListBuildsRequest
from stardag.v1.registry_service_pb2 import ListTasksRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stardag.client import Client

_LATEST = "latest"
_FEWEST = 4
"""Fewest digits that an id is looked for by: fewer are a slip."""
_SHOWN = 5


def build_id(client: Client, text: str) -> str:
    """Return the id of the build that is meant.

    Raises `ConfigError` if `text` can't be meant for one or fits several, `StardagError` if it
    fits none, and `ServerError`.
    """

    def found(filter: str) -> list[str]:
        request = ListBuildsRequest(filter=filter, page_size=_SHOWN + 1)
        return [build.build_id for build in client.builds.ListBuilds(request).builds]

    return _resolved("build", text, found)


def task_id(client: Client, text: str) -> str:
    """Return the id of the task that is meant; `latest` is the one heard of last.

    Raises as `build_id`.
    """

    def found(filter: str) -> list[str]:
        request = ListTasksRequest(filter=filter, page_size=_SHOWN + 1)
        return [task.task_id for task in client.registry.ListTasks(request).tasks]

    return _resolved("task", text, found)


def beginning(kind: str, text: str) -> str:
    """Return the filter for the builds, or the tasks, with an id that begins so.

    None, for all, if no id does: a text that is empty, too long or not of hexadecimal digits.
    """
    digits = text.replace("-", "").lower()
    if not re.fullmatch("[0-9a-f]{1,32}", digits):
        return ""
    least, most = UUID(f"{digits:0<32}"), UUID(f"{digits:f<32}")
    return f'{kind}_id >= "{least}" AND {kind}_id <= "{most}"'


def _resolved(kind: str, text: str, found: Callable[[str], Sequence[str]]) -> str:
    if text == _LATEST:
        newest = found("")
        if not newest:
            raise StardagError(f"there are no {kind}s yet")
        return newest[0]
    digits = text.replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_FEWEST},32}}", digits):
        raise ConfigError(
            f"{text!r} is not the id of a {kind}, nor {_FEWEST} or more characters of its "
            f"beginning; `stardag {kind}s list` shows them, and `{_LATEST}` stands for the newest"
        )
    if len(digits) == 32:
        return str(UUID(digits))
    alike = found(beginning(kind, digits))
    if not alike:
        raise StardagError(f"no {kind} has an id that begins with {text}")
    if len(alike) > 1:
        more = ", and more" if len(alike) > _SHOWN else ""
        raise ConfigError(
            f"several {kind}s have ids that begin with {text}: "
            f"{', '.join(alike[:_SHOWN])}{more}; write more of the one that is meant"
        )
    return alike[0]
