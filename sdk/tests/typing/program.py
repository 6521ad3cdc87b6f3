"""A user's program, for pyright: each `reveal_type` and each error is checked by the test."""

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from typing import Annotated, Any, Generic, TypeVar, assert_type
from uuid import UUID

import stardag as sd
from stardag.client import AsyncClient, Client, rows, watch
from stardag.testing import assert_stable_id, builds_on_record, targets_in_memory
from stardag.v1.build_service_pb2 import CompareBuildsRequest, TaskChange
from stardag.v1.event_service_pb2 import WatchEventsRequest, WatchEventsResponse
from stardag.v1.registry_service_pb2 import ListTasksRequest
from stardag.v1.task_pb2 import Task


@sd.task
def numbers(limit: int) -> list[int]:
    return list(range(limit))


@sd.task(name="Total", version="2")
def total(values: sd.Depends[list[int]], scale: int = 1) -> int:
    return scale * sum(values)


class Scaled(sd.AutoTask[list[int]]):
    values: sd.TaskLoads[list[int]]
    factor: Annotated[int, sd.StardagField(hash_exclude=True)] = 1
    others: sd.TaskSet[sd.TaskLoads[int]] = frozenset()

    def requires(self):
        return [self.values, *self.others]

    def run(self):
        assert_type(self.values.load(), list[int])
        self.output().save([self.factor * value for value in self.values.load()])


made = numbers(limit=3)
assert_type(made.load(), list[int])
assert_type(total(values=made).load(), int)
assert_type(total(values=made).result(), int)
assert_type(total.call([1, 2], scale=2), int)
scaled = Scaled(values=made, factor=2, others=frozenset({total(values=made)}))
assert_type(scaled.load(), list[int])
assert_type(scaled.output(), sd.FileSystemTarget[list[int]])
assert_type(sd.build([scaled, {"x": made}]).ok, bool)
unique = {made, scaled}
ordered = sorted(unique)


class Base(sd.PolymorphicRoot):
    pass


class Square(Base):
    side: int = 1


class Settings(sd.StardagBaseModel):
    depth: int = 1
    note: Annotated[str, sd.StardagField(hash_exclude=True)] = ""


T = TypeVar("T")


class First(sd.AutoTask[T], Generic[T]):
    values: sd.TaskLoads[list[T]]

    def requires(self) -> sd.TaskStruct:
        return self.values

    def run(self) -> None:
        self.output().save(self.values.load()[0])


class FirstInt(First[int]):
    _relpath_base = "firsts"

    @property
    def _relpath_extra(self) -> str:
        return str(self.values.id)


class Many(sd.AutoTask[dict[str, int]]):
    shape: sd.SubClass[Base]
    by_name: dict[str, sd.TaskLoads[int]] = {}  # noqa: RUF012
    either: sd.TaskLoads[int] | int = 0
    optional: sd.TaskLoads[Sequence[int]] | None = None
    numbers: sd.HashableSet[int] = frozenset()
    settings: Settings = Settings()
    exact: FirstInt | None = None

    def run(self) -> Generator[sd.TaskStruct]:
        yield [numbers(limit=1), {"x": numbers(limit=2)}]
        for task in self.by_name.values():
            assert_type(task.load(), int)
        self.output().save({"n": 1})


@sd.task
def combined(
    parts: list[sd.Depends[int]],
    named: dict[str, sd.Depends[float]],
    maybe: sd.Depends[str] | None = None,
    unordered: sd.HashableSet[sd.Depends[int]] = frozenset(),
) -> str:
    assert_type(parts, list[int])
    assert_type(named, dict[str, float])
    assert_type(maybe, str | None)
    assert_type(unordered, frozenset[int])
    return str(sum(parts))


class Files(sd.Task[sd.DirectoryTarget]):
    def output(self) -> sd.DirectoryTarget:
        return sd.get_directory_target("files")

    def run(self) -> None:
        with (self.output() / "a.txt").open("w") as file:
            file.write("text")
        self.output().mark_done()


first = FirstInt(values=made)
assert_type(first.load(), int)
assert_type(First[str].from_registry(first.id).load(), str)
many = Many(shape=Square(side=2), by_name={"a": first}, either=first, exact=first)
assert_type(many.load(), dict[str, int])
assert_type(many.shape, Base)
assert_type(many.id, UUID)
assert_type(many.model_copy(update={"either": 3}), Many)
assert_type(combined(parts=[first], named={"x": first}).load(), str)
assert_type(combined.call([1], {"x": 1.5}), str)
alias = sd.AliasTask[int].from_registry(first.id)
assert_type(alias.load(), int)
Many(shape=Square(), by_name={"old": alias})
assert_type(sd.BaseTask.model_validate_json(first.model_dump_json()), sd.BaseTask)
assert_type(sd.dag_from_json(sd.dag_to_json({"x": [first]})), list[sd.BaseTask])
assert_type(sd.explain(first).inputs, dict[str, sd.BaseTask])
assert_type(sd.differences(first, many)[0].path, str)
assert_type(sd.flatten_task_struct([first, {"m": many}]), list[sd.BaseTask])

summary = sd.build([first, many], fail_mode=sd.FailMode.CONTINUE, labels={"team": "data"})
summary.raise_for_status()
assert_type(summary, sd.BuildSummary)
assert_type(sd.build_sequential(first).build_id, UUID)

target = first.output()
with target.open() as text:
    assert_type(text.read(), str)
with target.open("rb") as binary:
    assert_type(binary.read(), bytes)
with target.open("w") as text_out:
    text_out.write("text")
with target.open("wb") as binary_out:
    binary_out.write(b"bytes")
assert_type(target.exists(), bool)
assert_type(target.uri, str)

with sd.id_namespace_provider.override(UUID(int=1)):
    assert_type(first.identity_json(), str)
with sd.target_factory_provider.override(sd.TargetFactory({"default": "/tmp"})):
    pass
with targets_in_memory() as store, builds_on_record() as record:
    assert_type(record.tasks("started"), list[Any])
    assert_stable_id(first, str(first.id))


def read(client: Client, aio: AsyncClient) -> None:
    tasks, changes = client.registry.ListTasks, aio.builds.CompareBuilds
    assert_type(rows(tasks, ListTasksRequest(), lambda page: page.tasks), Iterator[Task])
    found = rows(changes, CompareBuildsRequest(), lambda page: page.changes)
    assert_type(found, AsyncIterator[TaskChange])
    request = WatchEventsRequest()
    assert_type(watch(client.events.WatchEvents, request), Iterator[WatchEventsResponse])
    assert_type(watch(aio.events.WatchEvents, request), AsyncIterator[WatchEventsResponse])
    rows(tasks, request, lambda page: page.tasks)  # error: reportCallIssue reportArgumentType
    watch(tasks, ListTasksRequest())  # error: reportCallIssue reportArgumentType


Scaled(values=total(values=made))  # error: reportArgumentType
Scaled(factor=2)  # error: reportCallIssue
total.call("text")  # error: reportArgumentType
wrong: str = made.load()  # error: reportAssignmentType
scaled.factor = 3  # error: reportAttributeAccessIssue
text_of_int: str = First(values=numbers(limit=1)).load()  # error: reportAssignmentType
FirstInt(values=total(values=made))  # error: reportArgumentType
Many(shape=Settings())  # error: reportArgumentType
Many(shape=Square(), by_name={"a": made})  # error: reportArgumentType
Many(shape=Square(), either="text")  # error: reportArgumentType
Many(shape=Square(), optional=first)  # error: reportArgumentType
Many(shape=Square(), exact=scaled)  # error: reportArgumentType
Many(shape=Square(), numbers=frozenset({"a"}))  # error: reportArgumentType
text_of_input: str = many.by_name["a"].load()  # error: reportAssignmentType
text_of_alias: str = alias.load()  # error: reportAssignmentType
combined.call(["a"], {})  # error: reportArgumentType
Files().load()  # error: reportAttributeAccessIssue reportUnknownMemberType
sd.build(3)  # error: reportArgumentType
sd.build(first, fail_mode="continue")  # error: reportArgumentType
sd.build(first, workers=2)  # error: reportCallIssue
target.open("x")  # error: reportArgumentType reportCallIssue
target.save("text")  # error: reportArgumentType
sd.StardagField(hash_exlude=True)  # error: reportCallIssue
sd.dag_to_json("text")  # error: reportArgumentType
sd.id_namespace_provider.set("text")  # error: reportArgumentType
sd.task(name=3)  # error: reportArgumentType
