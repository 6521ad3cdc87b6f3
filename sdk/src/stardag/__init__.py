"""Declarative, composable DAGs with persistent assets.

A task is a frozen model; its parameters, other tasks included, hash to its id; the id
places its output; `build` makes what is missing.
"""

from typing import TYPE_CHECKING

from stardag._alias import AliasedMetadata, AliasTask
from stardag._auto_task import AutoTask
from stardag._dag_json import dag_from_json, dag_to_json
from stardag._decorator import FunctionTask, task
from stardag._errors import (
    BuildFailedError,
    ConfigError,
    CycleError,
    IdentityError,
    LeaseError,
    OutputMissingError,
    SerializerError,
    StardagError,
    TargetNotFoundError,
    TaskCancelledError,
    TaskDefinitionError,
    TaskTimeoutError,
    TypeNameTakenError,
    UnknownTypeError,
    UpstreamFailedError,
    VersionMismatchError,
    WorkerDiedError,
)
from stardag._fields import HashableSet, StardagField, TaskSet
from stardag._identified import id_namespace_provider
from stardag._imported_later import imported_later
from stardag._loads import TaskLoads
from stardag._polymorphic import Polymorphic, PolymorphicRoot, StardagBaseModel, SubClass
from stardag._registry import auto_namespace, namespace
from stardag._signature import Depends
from stardag._task import BaseTask, Task, TaskStruct, flatten_task_struct
from stardag._task_ref import TaskRef
from stardag.build import (
    BuildSummary,
    FailMode,
    build,
    build_aio,
    build_sequential,
    build_sequential_aio,
)
from stardag.registry import registry_provider
from stardag.target import (
    DirectoryTarget,
    FileSystemTarget,
    LocalTarget,
    TargetFactory,
    get_directory_target,
    get_target,
    target_factory_provider,
)

if TYPE_CHECKING:
    from stardag._explain import Difference, Explanation, differences, explain
    from stardag.assets import Asset, HtmlAsset, ImageAsset, JsonAsset, MarkdownAsset, TableAsset
    from stardag.build import (
        FileLocks,
        InlineExecutor,
        ProcessExecutor,
        RoutingExecutor,
        ServiceLocks,
        ThreadExecutor,
        checkpoint,
    )
    from stardag.build.carrier import trace_carrier
    from stardag.build.report import log_asset, progress

__version__ = "0.2.0"

_MODULES = {
    "Asset": "stardag.assets",
    "Difference": "stardag._explain",
    "Explanation": "stardag._explain",
    "FileLocks": "stardag.build",
    "HtmlAsset": "stardag.assets",
    "ImageAsset": "stardag.assets",
    "InlineExecutor": "stardag.build",
    "JsonAsset": "stardag.assets",
    "MarkdownAsset": "stardag.assets",
    "ProcessExecutor": "stardag.build",
    "RoutingExecutor": "stardag.build",
    "ServiceLocks": "stardag.build",
    "TableAsset": "stardag.assets",
    "ThreadExecutor": "stardag.build",
    "checkpoint": "stardag.build",
    "differences": "stardag._explain",
    "explain": "stardag._explain",
    "log_asset": "stardag.build.report",
    "progress": "stardag.build.report",
    "trace_carrier": "stardag.build.carrier",
}
"""Where those names are that few programs use: they are imported when they are asked for."""

__getattr__ = imported_later(__name__, _MODULES)


__all__ = [
    "AliasTask",
    "AliasedMetadata",
    "Asset",
    "AutoTask",
    "BaseTask",
    "BuildFailedError",
    "BuildSummary",
    "ConfigError",
    "CycleError",
    "Depends",
    "Difference",
    "DirectoryTarget",
    "Explanation",
    "FailMode",
    "FileLocks",
    "FileSystemTarget",
    "FunctionTask",
    "HashableSet",
    "HtmlAsset",
    "IdentityError",
    "ImageAsset",
    "InlineExecutor",
    "JsonAsset",
    "LeaseError",
    "LocalTarget",
    "MarkdownAsset",
    "OutputMissingError",
    "Polymorphic",
    "PolymorphicRoot",
    "ProcessExecutor",
    "RoutingExecutor",
    "SerializerError",
    "ServiceLocks",
    "StardagBaseModel",
    "StardagError",
    "StardagField",
    "SubClass",
    "TableAsset",
    "TargetFactory",
    "TargetNotFoundError",
    "Task",
    "TaskCancelledError",
    "TaskDefinitionError",
    "TaskLoads",
    "TaskRef",
    "TaskSet",
    "TaskStruct",
    "TaskTimeoutError",
    "ThreadExecutor",
    "TypeNameTakenError",
    "UnknownTypeError",
    "UpstreamFailedError",
    "VersionMismatchError",
    "WorkerDiedError",
    "auto_namespace",
    "build",
    "build_aio",
    "build_sequential",
    "build_sequential_aio",
    "checkpoint",
    "dag_from_json",
    "dag_to_json",
    "differences",
    "explain",
    "flatten_task_struct",
    "get_directory_target",
    "get_target",
    "id_namespace_provider",
    "log_asset",
    "namespace",
    "progress",
    "registry_provider",
    "target_factory_provider",
    "task",
    "trace_carrier",
]
