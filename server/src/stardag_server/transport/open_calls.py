"""Calls that stay open are let in again and again, as long as their credential works."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator

from stardag_server.auth.credentials import Credentials
from stardag_server.domain.refusals import CredentialInvalid, CredentialMissing, StorageUnavailable
from stardag_server.repeating import repeatedly

_log = logging.getLogger(__name__)

_INTERVAL = 10.0


class OpenCalls:
    """The streams under way, by the credential they came with.

    `check` raises CredentialInvalid for one that does not work any more.
    """

    def __init__(self, check: Callable[[Credentials], Awaitable[object]]) -> None:
        self._check = check
        self._calls: defaultdict[Credentials, set[asyncio.Task[object]]] = defaultdict(set)
        self._ended: set[asyncio.Task[object]] = set()

    @contextlib.contextmanager
    def open(self, shown: Credentials) -> Generator[None]:
        """Let a stream go on during the block, unless its credential ends.

        Then what awaits within is cancelled, and the block raises CredentialInvalid.
        """
        task: asyncio.Task[object] | None = asyncio.current_task()
        assert task is not None
        self._calls[shown].add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._ended:
                task.uncancel()
                raise CredentialInvalid from None
            raise
        finally:
            self._ended.discard(task)
            self._calls[shown].discard(task)
            if not self._calls[shown]:
                del self._calls[shown]

    async def run(self) -> None:
        """Look at the credentials of all streams every ten seconds, until cancelled."""
        await repeatedly("look whether credentials still work", self.look, _INTERVAL)

    async def look(self) -> None:
        """End the streams whose credentials do not work any more. Raises StorageUnavailable."""
        for shown in [*self._calls]:
            try:
                await self._check(shown)
            except (CredentialInvalid, CredentialMissing):
                for task in [*self._calls.get(shown, ())]:
                    self._ended.add(task)
                    task.cancel()
            except StorageUnavailable:
                raise
            # What one can't be asked by does not keep the others from their turn.
            except Exception:
                _log.exception("can't look whether a credential still works")
