"""What a server does again and again in the background, whatever it fails by."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from stardag_server.domain.refusals import StorageUnavailable

_log = logging.getLogger(__name__)


async def repeatedly(
    what: str,
    do: Callable[[], Awaitable[object]],
    interval: float,
    *,
    first: float | None = None,
    wake: asyncio.Event | None = None,
) -> None:
    """Do something every `interval` seconds, until cancelled; sooner when `wake` is set.

    The first time comes after `first` seconds, if given. What it fails by is logged as
    "can't", and `what`; then it goes on.
    """
    wake = wake or asyncio.Event()
    pause = interval if first is None else first
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await wake.wait()
        wake.clear()
        pause = interval
        try:
            await do()
        except StorageUnavailable as error:
            _log.warning("can't %s: %s", what, error.__cause__)
        # Nobody would notice that this ended.
        except Exception:
            _log.exception("can't %s", what)
