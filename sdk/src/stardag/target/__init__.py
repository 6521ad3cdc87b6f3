"""Targets: where outputs are, whether they exist, how they are read and written."""

from stardag.target._directory import DirectoryTarget
from stardag.target._file import FileSystemTarget, LocalTarget
from stardag.target._protocols import (
    LoadableSaveableTarget,
    LoadableTarget,
    SaveableTarget,
    SelfSerializing,
    Serializer,
    Target,
)
from stardag.target._registered_stores import StoreSettings, register_store
from stardag.target._roots import (
    TargetFactory,
    get_directory_target,
    get_target,
    target_factory_provider,
)
from stardag.target._serializable import Serializable
from stardag.target._store import Store, StoredObject
from stardag.target._stored import exists_many
from stardag.target.stores.remote import RemoteStore

__all__ = [
    "DirectoryTarget",
    "FileSystemTarget",
    "LoadableSaveableFileSystemTarget",
    "LoadableSaveableTarget",
    "LoadableTarget",
    "LocalTarget",
    "RemoteStore",
    "SaveableTarget",
    "SelfSerializing",
    "Serializable",
    "Serializer",
    "Store",
    "StoreSettings",
    "StoredObject",
    "Target",
    "TargetFactory",
    "exists_many",
    "get_directory_target",
    "get_target",
    "register_store",
    "target_factory_provider",
]

LoadableSaveableFileSystemTarget = FileSystemTarget
"""The name in the 0.1 series, where a `FileSystemTarget` neither loads nor saves."""
