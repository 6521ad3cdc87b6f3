"""Programs written for the documented names of the 0.1 series, run unmodified.

Each is what a chapter of its guide teaches, in our words.
"""

# pyright: reportMissingTypeArgument=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel

import stardag as sd
from stardag.build import BuildExitStatus, FailMode
from stardag.config import get_config
from stardag.polymorphic import PolymorphicRoot
from stardag.target import (
    LoadableSaveableFileSystemTarget,
    LoadableSaveableTarget,
    LoadableTarget,
    SaveableTarget,
    Serializable,
    Target,
    TargetFactory,
    target_factory_provider,
)
from stardag.target.serialize import (
    JSONSerializer,
    PickleSerializer,
    PlainTextSerializer,
    get_serializer,
)

sd.auto_namespace(__name__)


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> Iterator[Path]:
    with target_factory_provider.override(TargetFactory(target_roots={"default": str(tmp_path)})):
        yield tmp_path


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            "stardag",
            "BaseTask Task AutoTask task Depends TaskLoads HashableSet SubClass Polymorphic "
            "StardagBaseModel StardagField TaskRef TaskStruct AliasTask AliasedMetadata namespace "
            "auto_namespace flatten_task_struct build build_aio build_sequential "
            "build_sequential_aio get_target get_directory_target FileSystemTarget LocalTarget "
            "DirectoryTarget target_factory_provider registry_provider StardagError",
        ),
        (
            "stardag.build",
            "build build_aio build_sequential BuildSummary BuildExitStatus FailMode TaskCount",
        ),
        (
            "stardag.target",
            "Target LoadableTarget SaveableTarget LoadableSaveableTarget FileSystemTarget "
            "LoadableSaveableFileSystemTarget LocalTarget DirectoryTarget Serializable "
            "TargetFactory get_target get_directory_target target_factory_provider",
        ),
        (
            "stardag.target.serialize",
            "Serializer SelfSerializing SelfSerializer JSONSerializer PlainTextSerializer "
            "PickleSerializer PandasDataFrameCSVSerializer get_serializer",
        ),
        ("stardag.polymorphic", "PolymorphicRoot Polymorphic SubClass StardagBaseModel"),
        ("stardag.registry", "registry_provider"),
        ("stardag.config", "get_config load_config"),
    ],
)
def test_the_documented_names_are_there(module: str, names: str) -> None:
    # not `import stardag.build as ...`: the name is that of the function, as in the 0.1 series
    loaded = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(loaded, name)] == []


@sd.task
def get_range(limit: int) -> list[int]:
    return list(range(limit))


@sd.task
def get_sum(integers: sd.Depends[list[int]]) -> int:
    return sum(integers)


def test_a_first_dag_of_functions() -> None:
    task = get_sum(integers=get_range(limit=10))
    assert not task.complete()
    sd.build(task)
    assert task.complete()
    assert task.output().load() == task.result() == 45
    assert task.integers.output().load() == list(range(10))  # pyright: ignore
    assert sd.build(task).task_count.succeeded == 0


def test_a_dag_can_be_looked_at_before_it_is_built() -> None:
    task = get_sum(integers=get_range(limit=10))
    assert task.requires() == {"integers": get_range(limit=10)}
    body = json.loads(task.model_dump_json())
    assert list(body) == ["__namespace", "__name", "version", "integers"]
    assert body["integers"] == {
        "__namespace": __name__,
        "__name": "get_range",
        "version": "",
        "limit": 10,
    }
    assert get_sum.model_validate_json(task.model_dump_json()) == task


def test_a_function_can_be_called_without_targets(root: Path) -> None:
    assert get_sum.call(get_range.call(10)) == 45
    assert list(root.iterdir()) == []


class Range(sd.AutoTask[list[int]]):
    limit: int

    def run(self) -> None:
        self.output().save(list(range(self.limit)))


class Sum(sd.AutoTask[int]):
    integers: sd.TaskLoads[list[int]]

    def requires(self) -> sd.TaskStruct:
        return self.integers

    def run(self) -> None:
        self.output().save(sum(self.integers.output().load()))


def test_the_same_dag_of_classes_composed_with_functions() -> None:
    task = Sum(integers=Range(limit=10))
    assert sd.build([task, Sum(integers=get_range(limit=3))]).status == BuildExitStatus.SUCCESS
    assert task.output().load() == 45
    assert task.output().uri.endswith(f"{task.id}.json")


def test_a_task_needs_only_complete_and_run() -> None:
    world: dict[str, int] = {}

    class Measure(sd.BaseTask):
        word: str

        def complete(self) -> bool:
            return self.word in world

        def run(self) -> None:
            world[self.word] = len(self.word)

    sd.build(Measure(word="hello"))
    assert world == {"hello": 5}


def test_a_task_may_place_its_output_itself(root: Path) -> None:
    class Absolute(sd.Task[sd.LocalTarget]):
        def output(self) -> sd.LocalTarget:
            return sd.LocalTarget(str(root / "absolute.txt"))

        def run(self) -> None:
            with self.output().open("w") as handle:
                handle.write("result")

    class BelowTheRoot(sd.Task[sd.FileSystemTarget]):
        def output(self) -> sd.FileSystemTarget:
            return sd.get_target("below/root.txt")

        def run(self) -> None:
            with self.output().open("w") as handle:
                handle.write("result")

    sd.build([Absolute(), BelowTheRoot()])
    assert (root / "absolute.txt").read_text() == "result"
    assert (root / "below/root.txt").read_text() == "result"


def test_a_target_loads_and_saves_by_a_serializer_of_ones_own() -> None:
    class Counts(sd.Task[LoadableSaveableFileSystemTarget[dict[str, int]]]):
        def output(self) -> LoadableSaveableFileSystemTarget[dict[str, int]]:
            return Serializable(
                wrapped=sd.get_target("counts.json"), serializer=JSONSerializer(dict[str, int])
            )

        def run(self) -> None:
            self.output().save({"a": 1})

    @sd.task
    def highest(counts: sd.Depends[dict[str, int]]) -> int:
        return max(counts.values())

    task = highest(counts=Counts())
    sd.build(task)
    assert task.output().load() == 1
    for protocol in (Target, LoadableTarget, SaveableTarget, LoadableSaveableTarget):
        assert isinstance(Counts().output(), protocol)


def test_a_type_may_name_its_serializer() -> None:
    class Pickled(sd.AutoTask[Annotated[set[int], PickleSerializer()]]):
        def run(self) -> None:
            self.output().save({1, 2})

    sd.build(Pickled())
    assert Pickled().output().load() == {1, 2}
    assert Pickled().output().uri.endswith(".pkl")
    assert isinstance(get_serializer(str), PlainTextSerializer)


def test_dependencies_may_turn_out_while_a_task_runs() -> None:
    class Last(sd.AutoTask[int]):
        def run(self) -> Iterator[sd.TaskStruct]:
            numbers = Range(limit=4)
            yield numbers
            *_, last = numbers.output().load()
            yield [Range(limit=last), {"again": Range(limit=last + 1)}]
            self.output().save(last)

    summary = sd.build(Last())
    assert Last().output().load() == 3
    assert summary.task_count.discovered == 3


def test_a_parameter_may_be_one_of_a_family_of_models() -> None:
    class Model(PolymorphicRoot):
        pass

    class Linear(Model):
        slope: float = 1

    class Constant(Model):
        value: float = 0

    class Fit(sd.AutoTask[str]):
        model: sd.SubClass[Model]

        def run(self) -> None:
            self.output().save(type(self.model).__name__)

    tasks = [Fit(model=Linear()), Fit(model=Constant())]
    sd.build(tasks)
    assert [task.output().load() for task in tasks] == ["Linear", "Constant"]
    assert Fit.model_validate_json(tasks[0].model_dump_json()) == tasks[0]


def test_a_parameter_may_be_added_or_have_no_part_in_the_id() -> None:
    class Settings(BaseModel):
        rate: float = 0.1

    class Train(sd.AutoTask[int]):
        settings: Settings = Settings()
        seed: Annotated[int, sd.StardagField(compat_default=0)] = 0
        workers: Annotated[int, sd.StardagField(hash_exclude=True)] = 4

        def run(self) -> None: ...

    assert Train().id == Train(workers=8).id == Train(seed=0).id
    assert Train().id not in (Train(seed=1).id, Train(settings=Settings(rate=1)).id)


def test_what_failed_is_in_the_summary() -> None:
    @sd.task
    def broken(limit: int) -> list[int]:
        raise ValueError(f"not {limit}")

    tasks = [Sum(integers=broken(limit=1)), Sum(integers=Range(limit=2))]
    summary = sd.build(tasks, fail_mode=FailMode.CONTINUE)
    assert summary.status == BuildExitStatus.FAILURE
    assert isinstance(summary.error, ValueError)
    assert (summary.task_count.succeeded, summary.task_count.failed) == (2, 1)
    assert sd.build_sequential(tasks[1]).task_count.previously_completed == 1


async def test_a_build_may_be_awaited() -> None:
    summary = await sd.build_aio(Sum(integers=Range(limit=5)))
    assert summary.status == BuildExitStatus.SUCCESS
    assert await Sum(integers=Range(limit=5)).output().exists_aio()
    assert await Sum(integers=Range(limit=5)).output().load_aio() == 10


def test_target_roots_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = {"default": str(tmp_path / "a"), "other": str(tmp_path / "b")}
    monkeypatch.setenv("STARDAG_TARGET_ROOTS", json.dumps(roots))
    get_config.cache_clear()
    with target_factory_provider.override(TargetFactory()):
        assert sd.get_target("x.txt").uri == f"{tmp_path}/a/x.txt"
        assert sd.get_target("x.txt", target_root_key="other").uri == f"{tmp_path}/b/x.txt"
    get_config.cache_clear()


@sd.task
def counted(n: int) -> int:
    return n


def test_builds_take_the_options_of_the_0_1_series() -> None:
    from stardag.build import HybridConcurrentTaskExecutor, RoutedTaskExecutor

    hybrid = HybridConcurrentTaskExecutor(max_thread_workers=2)
    sd.build(
        counted(n=1),
        task_executor=hybrid,
        registry=None,
        max_concurrent_discover=10,
        global_lock_manager=None,
        global_lock_config=None,
        resume_build_id=None,
    ).raise_for_status()
    routed = RoutedTaskExecutor({"all": hybrid}, lambda task: "all")
    sd.build([counted(n=2)], task_executor=routed).raise_for_status()
    sd.build_sequential([counted(n=3)], registry=None, dual_run_default="sync").raise_for_status()
    assert [counted(n=n).load() for n in (1, 2, 3)] == [1, 2, 3]


async def test_coroutines_take_the_options_of_the_0_1_series() -> None:
    await sd.build_aio(counted(n=1), task_executor=None, resume_build_id=None)
    await sd.build_sequential_aio([counted(n=2)], sync_run_default="blocking")
    assert [counted(n=n).load() for n in (1, 2)] == [1, 2]


def test_an_option_that_is_none_any_more_says_what_to_do() -> None:
    with pytest.raises(TypeError, match="registry is no option any more: builds report themselves"):
        sd.build(counted(n=1), registry=object())  # pyright: ignore
    with pytest.raises(TypeError, match="unexpected keyword argument 'executer'"):
        sd.build(counted(n=1), executer=None)  # pyright: ignore
    with pytest.raises(TypeError, match="unexpected keyword argument 'executer'"):
        sd.build_sequential(counted(n=1), executer=None)  # pyright: ignore
    with pytest.raises(TypeError, match="task_executor is the older name of executor"):
        sd.build(counted(n=1), executor=sd.InlineExecutor(), task_executor=sd.InlineExecutor())
