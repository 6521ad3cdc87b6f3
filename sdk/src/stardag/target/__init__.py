"""Targets: where outputs are, whether they exist, how they are read and written."""

from stardag.target._file import FileSystemTarget, LocalTarget
from stardag.target._protocols import LoadableTarget, Serializer, Store, Target
from stardag.target._roots import TargetFactory, get_target, target_factory_provider

__all__ = [
    "FileSystemTarget",
    "LoadableTarget",
    "LocalTarget",
    "Serializer",
    "Store",
    "Target",
    "TargetFactory",
    "get_target",
    "target_factory_provider",
]
