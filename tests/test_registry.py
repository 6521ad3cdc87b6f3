"""Tasks read back from the service, and aliases of those whose class is gone."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

import stardag as sd
from stardag.client import NotFoundError
from stardag.config import Config, ServerConfig
from stardag.registry import ServiceRegistry

from .conftest import PIPELINES

if TYPE_CHECKING:
    from .conftest import Workplace


@pytest.fixture
def pipelines() -> Iterator[Any]:
    """The pipelines' module, under the name that it has as a program."""
    assert sd.BaseTask._family is not None
    with sd.BaseTask._family.isolated():
        spec = importlib.util.spec_from_file_location("pipelines", PIPELINES)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["pipelines"] = module
        spec.loader.exec_module(module)
        yield module
        del sys.modules["pipelines"]


@pytest.fixture
def registered(workplace: Workplace) -> Iterator[UUID]:
    """The id of the task `total` of a build on record; the registry reads that record."""
    built = workplace.build("small")
    tasks = workplace.read("builds", "show", built.id)["tasks"]
    server = ServerConfig(
        address=workplace.server.address, token_file=workplace.server.data_dir / "token"
    )
    roots = sd.TargetFactory({"default": str(workplace.directory / "targets")})
    with (
        sd.registry_provider.override(ServiceRegistry(Config(server=server))),
        sd.target_factory_provider.override(roots),
    ):
        yield UUID(next(task["task_id"] for task in tasks if task["name"] == "total"))


def test_a_task_is_rebuilt_with_all_that_it_needs(registered: UUID, pipelines: Any) -> None:
    task = sd.BaseTask.from_registry(registered)
    assert task == pipelines.small()
    assert pipelines.total.from_registry(registered).load() == 3
    with pytest.raises(TypeError, match="is not a number"):
        pipelines.number.from_registry(registered)


def test_a_task_whose_class_is_not_imported_is_refused_by_name(registered: UUID) -> None:
    assert sd.BaseTask._family is not None
    with (
        sd.BaseTask._family.isolated(),
        pytest.raises(ValueError, match="there is no task number: import the module"),
    ):
        sd.BaseTask.from_registry(registered)


def test_a_task_whose_class_has_changed_is_refused_with_the_way_out(registered: UUID) -> None:
    assert sd.BaseTask._family is not None
    with sd.BaseTask._family.isolated():

        @sd.task
        def number(other: str) -> int:
            return len(other)

        with pytest.raises(ValueError, match=r"(?s)other.*Field required.*AliasTask stands"):
            sd.BaseTask.from_registry(registered)
        assert number.get_name() == "number"


@pytest.mark.usefixtures("registered")
def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(NotFoundError, match="229ff6d8"):
        sd.BaseTask.from_registry(UUID("229ff6d8-0b93-5aed-a524-bf1ab2a0f84f"))


def test_an_alias_stands_for_an_output_under_its_old_id(registered: UUID) -> None:
    alias = sd.AliasTask[int].from_registry(registered)
    assert alias.id == registered
    assert alias.load() == 3
    assert alias.complete()
    assert alias.aliased.name == "total"

    @sd.task
    def doubled(value: sd.Depends[int]) -> int:
        return 2 * value

    task = doubled(value=alias)
    assert f'"value":{{"id":"{registered}"}}' in task.identity_json()
    sd.build_sequential(task).raise_for_status()
    again = sd.BaseTask.model_validate_json(task.model_dump_json())
    assert again == task
    assert again.load() == 6  # pyright: ignore
    assert again.value.load() == 3  # pyright: ignore
