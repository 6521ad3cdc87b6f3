"""From a build to its history, over real sockets, with real processes that die."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from support.waiting import until

from stardag.v1.event_pb2 import EventType

from .conftest import Workplace, finished

if TYPE_CHECKING:
    from typing import Any


def events_of(workplace: Workplace, build_id: str) -> list[Any]:
    """Return a build's whole log, as a watch from its beginning delivers it."""
    from stardag.client import Client
    from stardag.tracking.connection.address import parse_address
    from stardag.tracking.connection.credential import Credential
    from stardag.v1.event_service_pb2 import WATCH_MODE_EVENTS

    credential = Credential(None, workplace.server.data_dir / "token")
    with Client(parse_address(workplace.server.address), credential) as client:
        responses = client.watch_build(build_id, WATCH_MODE_EVENTS)
        return [event for response in responses for event in response.events]


def assert_each_event_is_there_once(workplace: Workplace, build_id: str, count: int) -> None:
    events = events_of(workplace, build_id)
    assert [event.position for event in events] == list(range(1, count + 1))
    assert [event.sequence for event in events] == list(range(1, count + 1))
    assert len({event.stream_id for event in events}) == 1


def wait_for_status(workplace: Workplace, build_id: str, status: str) -> None:
    def arrived() -> bool:
        build = workplace.read("builds", "show", build_id)["build"]
        return build["status"] == f"BUILD_STATUS_{status}"

    until(arrived, f"the build to be {status}")


def test_a_build_reports_itself_and_its_history_is_read_back(workplace: Workplace) -> None:
    built = workplace.build("small")
    assert (built.code, built.status, built.counts) == (0, "completed", "4 completed")
    assert built.id in built.err  # the one line that says where to look
    history = workplace.read("builds", "show", built.id)
    build = history["build"]
    assert build["status"] == "BUILD_STATUS_COMPLETED"
    assert build["name"] == "total"
    assert build["trace_id"] == built.id.replace("-", "")
    assert {task["status"] for task in history["tasks"]} == {"TASK_STATUS_COMPLETED"}
    assert sorted(task["name"] for task in history["tasks"]) == ["number"] * 3 + ["total"]
    # 4 tasks x (pending, started, completed), and the build's start and end
    assert_each_event_is_there_once(workplace, built.id, 14)


def test_a_second_build_is_shown_as_reused(workplace: Workplace) -> None:
    workplace.build("small")
    again = workplace.build("small")
    tasks = workplace.read("builds", "show", again.id)["tasks"]
    assert [(t["name"], t["status"]) for t in tasks] == [("total", "TASK_STATUS_REUSED")]
    assert workplace.read("builds", "list")[0]["build_id"] == again.id


def test_a_failure_is_told_with_its_cause(workplace: Workplace) -> None:
    built = workplace.build("broken")
    assert (built.code, built.status) == (1, "failed")
    history = workplace.read("builds", "show", built.id)
    states = {task["name"]: task for task in history["tasks"] if task["name"] != "number"}
    assert states["failing"]["failure"]["kind"] == "ValueError"
    assert "broken on purpose at 1" in states["failing"]["failure"]["message"]
    assert "raise ValueError" in states["failing"]["failure"]["stack_trace"]
    skipped = states["after"]
    assert skipped["status"] == "TASK_STATUS_SKIPPED"
    assert skipped["failure"]["caused_by_task_id"] == states["failing"]["task_id"]
    assert states["total"]["status"] == "TASK_STATUS_COMPLETED"
    shown = workplace.stardag("builds", "show", built.id).stdout
    assert "broken on purpose at 1" in shown


@pytest.mark.parametrize("how", ["varied", "varied-processes", "varied-locked"])
def test_attempts_that_wait_and_fail_are_told_in_order(workplace: Workplace, how: str) -> None:
    built = workplace.build(how)
    assert (built.code, built.status) == (0, "completed"), built.err
    tasks = {t["name"]: t for t in workplace.read("builds", "show", built.id)["tasks"]}
    assert {task["status"] for task in tasks.values()} == {"TASK_STATUS_COMPLETED"}
    assert tasks["flaky"]["attempt"] == 2
    events = events_of(workplace, built.id)
    assert all(event.rejection == 0 for event in events)
    assert told_of(events, tasks["flaky"]) == [
        ("PENDING", 0),
        ("STARTED", 1),
        ("FAILED", 1),
        ("STARTED", 2),
        ("COMPLETED", 2),
    ]
    assert told_of(events, tasks["chosen"]) == [
        ("PENDING", 0),
        ("STARTED", 1),
        ("SUSPENDED", 1),
        ("RESUMED", 1),
        ("COMPLETED", 1),
    ]
    (suspended,) = [event for event in events if EventType.Name(event.type).endswith("SUSPENDED")]
    assert suspended.wait.restarts is (how == "varied-processes")


def told_of(events: list[Any], task: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (EventType.Name(event.type).removeprefix("EVENT_TYPE_TASK_"), event.attempt)
        for event in events
        if event.task_id == task["task_id"]
    ]


def test_a_task_that_another_build_makes_is_told_as_blocked_and_reused(
    workplace: Workplace,
) -> None:
    first = workplace.start_build("waiting-locked")
    until(lambda: workplace.read("builds", "list"), "the first build to be known")
    second = workplace.start_build("waiting-locked")
    until(lambda: len(workplace.read("builds", "list")) == 2, "the second build to be known")
    until(lambda: "TASK_STATUS_BLOCKED" in states_of(workplace), "the second build to be blocked")
    workplace.gate.touch()
    assert [finished(first).status, finished(second).status] == ["completed", "completed"]
    assert "TASK_STATUS_REUSED" in states_of(workplace)


def states_of(workplace: Workplace) -> set[str]:
    builds = [build["build_id"] for build in workplace.read("builds", "list")]
    shown = [workplace.read("builds", "show", build)["tasks"] for build in builds]
    return {task["status"] for tasks in shown for task in tasks}


def test_a_server_killed_in_the_middle_of_a_build_changes_nothing(workplace: Workplace) -> None:
    builder = workplace.start_build("waiting")
    until(lambda: workplace.read("builds", "list"), "the build to be known")
    workplace.server.kill()
    workplace.server.start()
    workplace.server.kill()
    workplace.gate.touch()
    workplace.server.start()
    built = finished(builder)
    assert (built.code, built.status, built.counts) == (0, "completed", "22 completed")
    # the build does not wait for a server that was away a moment ago
    wait_for_status(workplace, built.id, "COMPLETED")
    assert_each_event_is_there_once(workplace, built.id, 22 * 3 + 2)


def test_without_a_server_a_build_is_the_same_and_is_delivered_later(
    workplace: Workplace,
) -> None:
    workplace.server.kill()
    built = workplace.build("small")
    assert (built.code, built.status, built.counts) == (0, "completed", "4 completed")
    assert built.err.count("can't be reached") == 1
    assert "recording locally" in built.err
    workplace.server.start()
    build = until(lambda: workplace.read("builds", "list"), "the sender to deliver it")[0]
    assert build["build_id"] == built.id
    until(
        lambda: (
            workplace.read("builds", "show", built.id)["build"]["status"]
            == "BUILD_STATUS_COMPLETED"
        ),
        "all of it",
    )
    assert_each_event_is_there_once(workplace, built.id, 14)


def test_what_is_left_can_be_delivered_by_hand(workplace: Workplace) -> None:
    workplace.server.kill()
    built = workplace.build("small")
    workplace.end_senders()
    workplace.server.start()
    done = workplace.stardag("sync")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 events delivered" in done.stdout
    assert "0 events delivered" in workplace.stardag("sync").stdout
    assert_each_event_is_there_once(workplace, built.id, 14)


def test_what_a_restored_server_has_lost_can_be_delivered_again(workplace: Workplace) -> None:
    built = workplace.build("small")
    assert "0 left" in workplace.stardag("sync").stdout
    workplace.server.kill()
    for file in workplace.server.data_dir.glob("stardag.sqlite*"):
        file.unlink()  # as if the backup had been made before anything was built
    workplace.server.start()
    assert "0 events delivered" in workplace.stardag("sync").stdout
    assert "14 events delivered" in workplace.stardag("sync", "--again").stdout
    assert "0 events delivered" in workplace.stardag("sync", "--again").stdout
    assert_each_event_is_there_once(workplace, built.id, 14)


def test_a_wrong_token_is_one_warning_and_the_build_is_the_same(workplace: Workplace) -> None:
    workplace.extra["STARDAG_TOKEN"] = "open-sesame"
    built = workplace.build("small")
    assert (built.code, built.status) == (0, "completed")
    assert built.err.count("warning") == 1
    assert "credential" in built.err
    assert "open-sesame" not in built.err
    listed = workplace.stardag("builds", "list")
    assert listed.returncode == 3
    assert "STARDAG_TOKEN" in listed.stderr
    assert listed.stderr.count("\n") == 1


def test_a_killed_build_does_not_run_for_ever(workplace: Workplace) -> None:
    builder = workplace.start_build("waiting")
    builds = until(lambda: workplace.read("builds", "list"), "the build to be known")
    build_id = builds[0]["build_id"]
    until(
        lambda: any(
            task["name"] == "gated" and task["status"] == "TASK_STATUS_RUNNING"
            for task in workplace.read("builds", "show", build_id)["tasks"]
        ),
        "the waiting task to run",
    )
    builder.kill()
    builder.communicate()
    until(
        lambda: (
            workplace.read("builds", "show", build_id)["build"]["status"]
            == "BUILD_STATUS_ABANDONED"
        ),
        "the build to be given up",
    )
    statuses = {t["status"] for t in workplace.read("builds", "show", build_id)["tasks"]}
    assert not statuses & {"TASK_STATUS_RUNNING", "TASK_STATUS_PENDING"}


def test_an_interrupted_build_is_cancelled(workplace: Workplace) -> None:
    builder = workplace.start_build("waiting")
    until(lambda: workplace.read("builds", "list"), "the build to be known")
    builder.send_signal(signal.SIGINT)
    workplace.gate.touch()  # what runs in a thread is waited for
    builder.communicate(timeout=60)
    assert builder.returncode == -signal.SIGINT
    build = workplace.read("builds", "list")[0]
    assert build["status"] == "BUILD_STATUS_CANCELLED"


def test_a_watch_follows_a_build_to_its_end(workplace: Workplace) -> None:
    builder = workplace.start_build("waiting")
    until(lambda: workplace.read("builds", "list"), "the build to be known")
    workplace.gate.touch()
    watched = workplace.stardag("builds", "watch", "latest")
    built = finished(builder)
    assert watched.returncode == 0, watched.stderr
    assert "COMPLETED total" in watched.stdout
    assert watched.stdout.splitlines()[-1].startswith(f"build {built.id} COMPLETED")
    lines = workplace.stardag("builds", "watch", built.id, "--json").stdout.splitlines()
    assert json.loads(lines[-1])["build"]["status"] == "BUILD_STATUS_COMPLETED"


def test_a_watch_of_a_failed_build_says_so_by_its_exit_code(workplace: Workplace) -> None:
    built = workplace.build("broken")
    assert workplace.stardag("builds", "watch", built.id).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["builds", "show", "0192f000-0000-7000-8000-000000000000"], 1, "no build 0192f000"),
        (["builds", "show", "nonsense"], 2, "'nonsense' is not the id of a build"),
        (["builds", "watch", "0192f000-0000-7000-8000-000000000000"], 1, "no build 0192f000"),
        (["builds", "show", "latest"], 1, "there are no builds yet"),
        (["builds", "list", "--nope"], 2, "--nope"),
    ],
)
def test_a_mistake_gets_one_clear_line(
    workplace: Workplace, arguments: list[str], code: int, message: str
) -> None:
    done = workplace.stardag(*arguments)
    assert done.returncode == code
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_an_absent_server_is_named(workplace: Workplace) -> None:
    workplace.server.terminate()
    done = workplace.stardag("builds", "list")
    assert done.returncode == 3
    assert workplace.server.address in done.stderr
    assert "can't be reached" in done.stderr


def test_a_server_stops_cleanly(workplace: Workplace) -> None:
    assert workplace.server.terminate() == 0
