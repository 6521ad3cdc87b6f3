"""Folded builds kept between commits while they run, so that they need not be read back."""

from collections import OrderedDict

from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import OPEN

_MAX_STATES = 100_000


BuildName = tuple[int, bytes]
"""The workspace of a build, and its id: ids are given by clients, and mean nothing elsewhere."""


class BuildMemory:
    """The builds written last by this process, as of the position they had then.

    A memory is only good while the build's row, which is locked at the time,
    has the same key and head: then nobody else has written to the build since.
    """

    def __init__(self) -> None:
        self._folds: OrderedDict[BuildName, BuildFold] = OrderedDict()
        self._states = 0

    def __contains__(self, build: BuildName) -> bool:
        return build in self._folds

    def take(self, build: BuildName, key: int, head: int) -> BuildFold | None:
        """Remove and return what is known of the build, if it is still true."""
        fold = self._folds.pop(build, None)
        if fold is None:
            return None
        self._states -= len(fold.tasks)
        return fold if (fold.build.key, fold.build.head) == (key, head) else None

    def forget(self, build: BuildName) -> None:
        """Forget what is known of the build, if anything."""
        if fold := self._folds.pop(build, None):
            self._states -= len(fold.tasks)

    def keep(self, build: BuildName, fold: BuildFold) -> None:
        """Keep a build whose fold was committed, unless it has ended.

        The oldest ones are forgotten if there are too many.
        """
        self.forget(build)
        if fold.build.status not in OPEN:
            return
        fold.changed.clear()
        self._folds[build] = fold
        self._states += len(fold.tasks)
        while self._states > _MAX_STATES:
            _, oldest = self._folds.popitem(last=False)
            self._states -= len(oldest.tasks)
