"""The rules of a build's state, and of its tasks when its producer dies."""

from producer import Producer, task_id

from stardag.v1 import build_pb2, task_pb2
from stardag.v1 import event_pb2 as pb
from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.event_check import Rejection, check
from stardag_server.domain.limits import LATE_EVENTS_US
from stardag_server.domain.silence import inferred_death

OWNER, WORKER, OTHER = 1, 2, 3
NOW = 1_700_000_000_000_000


class Log:
    """A build to which events are added; the clock stands still unless moved."""

    def __init__(self) -> None:
        self.make = Producer()
        self.fold = BuildFold(BuildState(key=1, create_time=NOW, update_time=NOW), {})
        self.now = NOW

    def add(self, event: pb.NewEvent, stream: int = OWNER) -> Rejection | None:
        return self.fold.apply(event, 0, stream, self.now, check(event))

    def start(self) -> None:
        assert self.add(self.make.started(name="Train", labels={"team": "x"})) is None

    @property
    def build(self) -> BuildState:
        return self.fold.build

    def status_of(self, task: str) -> int:
        return self.fold.tasks[task_id(task).bytes].status


def test_a_build_that_events_name_first_is_described_by_its_start_when_it_comes():
    log = Log()
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1), WORKER)
    assert (log.build.status, log.build.name) == (build_pb2.BUILD_STATUS_RUNNING, "")
    log.start()
    assert (log.build.name, log.build.labels) == ("Train", {"team": "x"})


def test_the_first_end_is_kept():
    log = Log()
    log.start()
    log.add(log.make.event(pb.EVENT_TYPE_BUILD_FAILED, build_end=pb.BuildEnd(reason="first")))
    rejection = log.add(log.make.completed())
    assert rejection
    assert rejection.reason == pb.EVENT_REJECTION_REASON_INVALID_TRANSITION
    assert (log.build.status, log.build.reason) == (build_pb2.BUILD_STATUS_FAILED, "first")
    assert log.build.rejected_events == 1


def test_events_are_taken_for_five_minutes_after_the_end_and_not_later():
    log = Log()
    log.start()
    log.add(log.make.completed())
    log.now += LATE_EVENTS_US
    assert log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "late", 1), WORKER) is None
    log.now += 1
    rejection = log.add(log.make.event(pb.EVENT_TYPE_TASK_COMPLETED, "late", 1), WORKER)
    assert rejection
    assert rejection.reason == pb.EVENT_REJECTION_REASON_BUILD_ENDED
    assert log.status_of("late") == task_pb2.TASK_STATUS_RUNNING


def test_when_the_owner_dies_the_build_is_abandoned_and_what_it_was_at_is_cancelled():
    log = Log()
    log.start()
    log.add(log.make.pending("waiting"))
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "running", 1))
    log.add(log.make.event(pb.EVENT_TYPE_TASK_COMPLETED, "done", 1))
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "elsewhere", 1), WORKER)
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED, build_end=pb.BuildEnd(reason="SIGKILL")))
    assert (log.build.status, log.build.reason) == (build_pb2.BUILD_STATUS_ABANDONED, "SIGKILL")
    assert log.status_of("waiting") == task_pb2.TASK_STATUS_CANCELLED
    assert log.status_of("running") == task_pb2.TASK_STATUS_CANCELLED
    assert log.status_of("done") == task_pb2.TASK_STATUS_COMPLETED
    assert log.status_of("elsewhere") == task_pb2.TASK_STATUS_RUNNING
    counts = log.build.task_counts
    assert counts[task_pb2.TASK_STATUS_CANCELLED] == 2
    assert sum(counts) == 4


def test_when_a_worker_dies_the_build_goes_on_without_what_the_worker_was_at():
    log = Log()
    log.start()
    log.add(log.make.pending("waiting"))
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "elsewhere", 1), WORKER)
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED), WORKER)
    assert log.build.status == build_pb2.BUILD_STATUS_RUNNING
    assert log.status_of("elsewhere") == task_pb2.TASK_STATUS_CANCELLED
    assert log.status_of("waiting") == task_pb2.TASK_STATUS_PENDING


def test_a_build_whose_start_was_lost_is_abandoned_when_who_spoke_of_it_dies():
    log = Log()
    log.add(log.make.event(pb.EVENT_TYPE_EVENTS_LOST, events_lost=pb.EventsLost(count=1)))
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1))
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED, build_end=pb.BuildEnd(reason="gone")))
    assert (log.build.status, log.build.reason) == (build_pb2.BUILD_STATUS_ABANDONED, "gone")
    assert log.build.duration == 0, "nobody knows when it began"
    log.start()
    assert (log.build.status, log.build.reason) == (build_pb2.BUILD_STATUS_RUNNING, "")


def test_an_owner_that_speaks_again_was_not_dead():
    log = Log()
    log.start()
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED, build_end=pb.BuildEnd(reason="gone")))
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1), WORKER)
    assert log.build.status == build_pb2.BUILD_STATUS_ABANDONED
    log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, "u", 1))
    assert (log.build.status, log.build.reason) == (build_pb2.BUILD_STATUS_RUNNING, "")


def test_what_a_death_ended_goes_on_when_its_producer_speaks_of_it_after_all():
    log = Log()
    log.start()
    for task in ("silent", "progressing", "completing"):
        log.add(log.make.event(pb.EVENT_TYPE_TASK_STARTED, task, 1))
    log.add(inferred_death(log.make.build.bytes, NOW))
    assert log.build.status == build_pb2.BUILD_STATUS_ABANDONED
    assert log.build.task_counts[task_pb2.TASK_STATUS_CANCELLED] == 3
    for kind, task in (
        (pb.EVENT_TYPE_TASK_PROGRESSED, "progressing"),
        (pb.EVENT_TYPE_TASK_COMPLETED, "completing"),
    ):
        assert log.add(log.make.event(kind, task, 1)) is None
    assert log.build.status == build_pb2.BUILD_STATUS_RUNNING
    assert log.status_of("silent") == task_pb2.TASK_STATUS_CANCELLED
    assert log.status_of("progressing") == task_pb2.TASK_STATUS_RUNNING
    assert log.status_of("completing") == task_pb2.TASK_STATUS_COMPLETED
    assert log.fold.tasks[task_id("progressing").bytes].end_time == 0
    assert log.fold.tasks[task_id("completing").bytes].duration == 2_000


def test_an_end_that_was_said_is_not_taken_back():
    log = Log()
    log.start()
    log.add(log.make.event(pb.EVENT_TYPE_TASK_CANCELLED, "t", 1))
    assert log.add(log.make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1))
    assert log.status_of("t") == task_pb2.TASK_STATUS_CANCELLED


def test_an_abandoned_build_that_is_started_again_runs_under_its_new_owner():
    log = Log()
    log.start()
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED))
    log.add(log.make.started(name="Again"), OTHER)
    assert (log.build.status, log.build.name) == (build_pb2.BUILD_STATUS_RUNNING, "Train")
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED), OTHER)
    assert log.build.status == build_pb2.BUILD_STATUS_ABANDONED


def test_an_abandoned_build_takes_its_true_end_from_anybody():
    log = Log()
    log.start()
    log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED))
    assert log.add(log.make.completed(), OTHER) is None
    assert log.build.status == build_pb2.BUILD_STATUS_COMPLETED


def test_a_death_after_the_end_changes_no_status_of_the_build():
    log = Log()
    log.start()
    log.add(log.make.completed())
    assert log.add(log.make.event(pb.EVENT_TYPE_PRODUCER_DIED)) is None
    assert log.build.status == build_pb2.BUILD_STATUS_COMPLETED


def test_what_was_lost_is_counted():
    log = Log()
    log.start()
    for _ in range(2):
        log.add(log.make.event(pb.EVENT_TYPE_EVENTS_LOST, events_lost=pb.EventsLost(count=3)))
    assert log.build.lost_events == 6


def test_an_event_of_an_unknown_type_is_taken_and_changes_nothing():
    log = Log()
    log.start()
    assert log.add(log.make.event(999, "t", 1)) is None
    assert (log.build.head, log.build.task_count, log.build.rejected_events) == (2, 0, 0)
