"""How long builds are kept."""

from dataclasses import dataclass

_DAY_US = 24 * 3600 * 1_000_000

DEFAULT_DAYS = 90
KEPT_OF_EACH_NAME = 10
"""So many of the latest builds of each name are kept whatever their age."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Builds go when nothing was written to them for so long, with all that only they have.

    A build that runs is kept whatever its age.
    """

    days: int = DEFAULT_DAYS
    """0 is for ever."""
    min_builds: int = KEPT_OF_EACH_NAME

    @property
    def age_us(self) -> int:
        """The age in microseconds, which a build has to have."""
        return self.days * _DAY_US


@dataclass(slots=True)
class Deleted:
    """How much was deleted."""

    builds: int = 0
    events: int = 0
    tasks: int = 0
    asset_revisions: int = 0
