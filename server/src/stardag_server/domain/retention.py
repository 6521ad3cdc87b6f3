"""How long builds, events and revisions of assets are kept."""

from dataclasses import dataclass

_DAY_US = 24 * 3600 * 1_000_000

DEFAULT_DAYS = 90
KEPT_OF_EACH_NAME = 10
"""So many of the latest builds of each name are kept whatever their age."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long things of a workspace are kept, in microseconds; 0 is for ever.

    Builds go when nothing was written to them for so long, with all that only
    they have; one that runs is kept whatever its age. Events and revisions of
    assets go with their build or task, or before.
    """

    builds: int = DEFAULT_DAYS * _DAY_US
    events: int = 0
    asset_revisions: int = 0
    min_builds: int = KEPT_OF_EACH_NAME

    @classmethod
    def of_days(cls, days: int, min_builds: int = KEPT_OF_EACH_NAME) -> "RetentionPolicy":
        """Return the policy that keeps builds for so many days, with all they have."""
        return cls(builds=days * _DAY_US, min_builds=min_builds)


@dataclass(slots=True)
class Deleted:
    """How much was deleted."""

    builds: int = 0
    events: int = 0
    tasks: int = 0
    asset_revisions: int = 0

    def __iadd__(self, other: "Deleted") -> "Deleted":
        self.builds += other.builds
        self.events += other.events
        self.tasks += other.tasks
        self.asset_revisions += other.asset_revisions
        return self
