"""Statistics, failures, root causes and comparison of builds, over a real socket."""

from typing import Any

import grpc
import pytest
from producer import Producer, task_id
from running_server import Client, Refused

from stardag.v1 import build_service_pb2 as bs
from stardag.v1 import event_pb2 as pb
from stardag.v1 import task_pb2


async def call(client: Client, method: str, request: Any) -> Any:
    return await getattr(client.builds, method)(request, metadata=client.metadata)


def failed(make: Producer, task: str, message: str = "row 1") -> list[pb.NewEvent]:
    failure = task_pb2.TaskFailure(kind="ValueError", message=message)
    return [
        make.event(pb.EVENT_TYPE_TASK_STARTED, task, 1),
        make.event(pb.EVENT_TYPE_TASK_FAILED, task, 1, failure=failure),
    ]


@pytest.fixture
async def broken(client: Client) -> Producer:
    """a and b fail alike, c otherwise; d waits for a and b, e for d, f for c's lease."""
    make = Producer()
    skip = task_pb2.TaskFailure(kind="Skipped", caused_by_task_id=str(task_id("c")))
    wait = task_pb2.TaskWait(lease_name="gpu")
    events = [
        make.started(name="B"),
        make.pending("a"),
        make.pending("b"),
        make.pending("c"),
        make.pending("d", ["a", "b"]),
        make.pending("e", ["d"]),
        make.pending("f"),
        make.pending("g"),
        *failed(make, "a", "row 1"),
        *failed(make, "b", "row 22"),
        *failed(make, "c", "elsewhere"),
        make.event(pb.EVENT_TYPE_TASK_SKIPPED, "d", failure=skip),
        make.event(pb.EVENT_TYPE_TASK_BLOCKED, "f", wait=wait),
    ]
    ack = await client.publish(make.open, events)
    assert not ack.rejected_count
    return make


async def test_like_failures_are_one_group_and_the_one_that_holds_up_most_comes_first(
    client: Client, broken: Producer
):
    request = bs.ListBuildFailuresRequest(build_id=broken.build_id, page_size=1)
    first = await call(client, "ListBuildFailures", request)
    request.page_token = first.next_page_token
    second = await call(client, "ListBuildFailures", request)
    [group], [other] = first.groups, second.groups
    assert (group.failed_task_count, group.blocked_task_count) == (2, 2)
    assert list(group.failed_task_ids) == [str(task_id("a")), str(task_id("b"))]
    assert group.example.message == "row 1" and group.example_task_id == str(task_id("a"))
    assert (other.failed_task_count, other.blocked_task_count) == (1, 2)
    assert not second.next_page_token and group.fingerprint != other.fingerprint


async def test_every_task_that_is_kept_has_its_root_cause(client: Client, broken: Producer):
    request = bs.ListBlockedTasksRequest(build_id=broken.build_id)
    tasks = {task.name: task for task in (await call(client, "ListBlockedTasks", request)).tasks}
    assert list(tasks) == ["d", "e", "f", "g"]
    roots = [str(task_id(name)) for name in "abc"]
    for name in "de":
        assert tasks[name].cause == bs.BLOCK_CAUSE_UPSTREAM_FAILED
        assert list(tasks[name].root_cause_task_ids) == roots
        assert tasks[name].fingerprint
    assert tasks["f"].cause == bs.BLOCK_CAUSE_LEASE_HELD and tasks["f"].lease_name == "gpu"
    assert tasks["g"].cause == bs.BLOCK_CAUSE_NOT_STARTED
    request.root_cause_task_id = roots[0]
    request.page_size = 1
    page = await call(client, "ListBlockedTasks", request)
    assert [task.name for task in page.tasks] == ["d"]
    request.page_token = page.next_page_token
    page = await call(client, "ListBlockedTasks", request)
    assert [task.name for task in page.tasks] == ["e"] and not page.next_page_token


async def test_statistics_say_where_the_time_went(client: Client):
    make = Producer()
    events = [make.started(), *make.run("a"), make.pending("b", ["a"])]
    events += [make.event(pb.EVENT_TYPE_TASK_STARTED, "b", 1), *make.run("c")]
    events += [make.event(pb.EVENT_TYPE_TASK_COMPLETED, "b", 1)]
    await client.publish(make.open, events)
    request = bs.GetBuildStatisticsRequest(build_id=make.build_id)
    found = (await call(client, "GetBuildStatistics", request)).statistics
    assert (found.attempt_count, found.retry_count, found.max_parallel) == (3, 0, 2)
    assert found.wall_time_us == 9_000  # so far, as the build runs
    assert found.busy_time_us == 1_000 + 1_000 + 4_000
    assert [step.name for step in found.critical_path] == ["a", "b"]
    assert found.critical_path_us == 5_000
    assert [each.name for each in found.task_types] == ["b", "a", "c"]
    longest = found.task_types[0]
    assert (longest.median_us, longest.p95_us, longest.max_us) == (4_000, 4_000, 4_000)


async def test_an_empty_build_has_statistics_too(client: Client):
    make = Producer()
    await client.publish(make.open, [make.started()])
    request = bs.GetBuildStatisticsRequest(build_id=make.build_id)
    found = (await call(client, "GetBuildStatistics", request)).statistics
    assert found.critical_path_us == 0 and not found.task_types


async def test_two_builds_are_compared_task_by_task(client: Client):
    base, build = Producer(), Producer()
    events = [base.started(name="base"), *base.run("a"), base.pending("b"), *base.run("gone")]
    await client.publish(base.open, [*events, *failed(base, "b")])
    await client.publish(
        build.open,
        [build.started(name="build"), *build.run("a"), *build.run("b"), build.pending("new")],
    )
    request = bs.CompareBuildsRequest(
        base_build_id=base.build_id, build_id=build.build_id, page_size=3
    )
    first = await call(client, "CompareBuilds", request)
    assert (first.base_build.name, first.build.name) == ("base", "build")
    assert {count.kind: count.count for count in first.counts} == {
        bs.TASK_CHANGE_KIND_ADDED: 1,
        bs.TASK_CHANGE_KIND_REMOVED: 1,
        bs.TASK_CHANGE_KIND_STATUS: 1,
        bs.TASK_CHANGE_KIND_SAME: 1,
    }
    added, removed, changed = first.changes
    assert (added.state.name, added.HasField("base_state")) == ("new", False)
    assert (removed.base_state.name, removed.HasField("state")) == ("gone", False)
    assert changed.base_state.status == task_pb2.TASK_STATUS_FAILED
    assert changed.state.status == task_pb2.TASK_STATUS_COMPLETED
    request.page_token = first.next_page_token
    second = await call(client, "CompareBuilds", request)
    assert [change.state.name for change in second.changes] == ["a"]
    assert not second.next_page_token and not second.HasField("build")
    only = bs.CompareBuildsRequest(
        base_build_id=base.build_id, build_id=build.build_id, kinds=[bs.TASK_CHANGE_KIND_SAME]
    )
    assert len((await call(client, "CompareBuilds", only)).changes) == 1


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("GetBuildStatistics", bs.GetBuildStatisticsRequest),
        ("ListBuildFailures", bs.ListBuildFailuresRequest),
        ("ListBlockedTasks", bs.ListBlockedTasksRequest),
        ("CompareBuilds", bs.CompareBuildsRequest),
    ],
)
async def test_a_build_that_is_not_known_is_not_found(
    client: Client, method: str, request_type: Any
):
    unknown = "00000000-0000-4000-8000-000000000000"
    fields = ("build_id", "base_build_id") if method == "CompareBuilds" else ("build_id",)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(client, method, request_type(**dict.fromkeys(fields, unknown)))
    assert Refused.of(caught.value).reason == "BUILD_NOT_FOUND"
