"""However the streams of a build interleave, it ends in one state."""

from hypothesis import given
from hypothesis import strategies as st
from producer import Producer

from stardag.v1 import event_pb2 as pb
from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.event_check import check
from stardag_server.domain.silence import inferred_death
from stardag_server.domain.task_state import TERMINAL

ENDS = [
    pb.EVENT_TYPE_TASK_COMPLETED,
    pb.EVENT_TYPE_TASK_FAILED,
    pb.EVENT_TYPE_TASK_CANCELLED,
    None,
]
MIDDLES = [
    pb.EVENT_TYPE_TASK_PROGRESSED,
    pb.EVENT_TYPE_TASK_SUSPENDED,
    pb.EVENT_TYPE_TASK_RESUMED,
    pb.EVENT_TYPE_TASK_BLOCKED,
]


@st.composite
def streams(draw: st.DrawFn) -> list[list[pb.NewEvent]]:
    """Streams of one build; an attempt is in one of them, in order."""
    make = Producer()
    count = draw(st.integers(1, 4))
    drawn: list[list[pb.NewEvent]] = [[] for _ in range(count)]
    drawn[0].append(make.started(name="b"))
    for task in ("x", "y", "z"):
        for number in range(1, draw(st.integers(0, 3)) + 1):
            own = drawn[draw(st.integers(0, count - 1))]
            end = draw(st.sampled_from(ENDS))
            kinds = [
                pb.EVENT_TYPE_TASK_STARTED,
                *draw(st.lists(st.sampled_from(MIDDLES), max_size=2)),
                *([end] if end else []),
            ]
            if draw(st.booleans()):
                own.append(make.pending(task))
            own.extend(make.event(kind, task, number) for kind in kinds)
    for own in drawn[1:]:
        if draw(st.booleans()):
            own.append(make.event(pb.EVENT_TYPE_PRODUCER_DIED))
    end = draw(st.sampled_from([pb.EVENT_TYPE_BUILD_FAILED, pb.EVENT_TYPE_PRODUCER_DIED, None]))
    if end:
        drawn[0].append(make.event(end))
    return drawn


def interleaved(data: st.DataObject, streams: list[list[pb.NewEvent]]) -> BuildFold:
    fold = BuildFold(BuildState(key=1, create_time=1, update_time=1), {})
    left = [list(own) for own in streams]
    while remaining := [number for number, own in enumerate(left) if own]:
        number = data.draw(st.sampled_from(remaining))
        event = left[number].pop(0)
        fold.apply(event, 0, number + 1, now=1, rejection=check(event))
    return fold


@given(st.data())
def test_a_death_inferred_too_early_changes_no_end_that_is_said(data: st.DataObject):
    """A sweep may come at any time; what producers say before and after it decides."""
    drawn = data.draw(streams())
    plain, swept = (BuildFold(BuildState(key=1, create_time=1, update_time=1), {}) for _ in "ab")
    events = [(number + 1, event) for number, own in enumerate(drawn) for event in own]
    sweeps = data.draw(st.sets(st.integers(1, len(events))))
    for count, (stream, event) in enumerate(events, 1):
        for fold in (plain, swept):
            fold.apply(event, 0, stream, now=1, rejection=check(event))
        if count in sweeps and count < len(events) and swept.build.start_stream:
            death = inferred_death(b"b" * 16, 1)
            swept.apply(death, 0, swept.build.start_stream, now=1, rejection=None)
    said = {
        id: state.status
        for id, state in plain.tasks.items()
        if state.status in TERMINAL and state.stream
    }
    assert said == {id: swept.tasks[id].status for id in said}
    if plain.build.end_commit_time:
        assert swept.build.status == plain.build.status


def outcome(fold: BuildFold) -> tuple[object, ...]:
    tasks = {id: (state.status, state.attempt) for id, state in fold.tasks.items()}
    return fold.build.status, fold.build.name, fold.build.head, tasks


@given(st.data())
def test_the_order_of_streams_does_not_matter(data: st.DataObject):
    drawn = data.draw(streams())
    first = interleaved(data, drawn)
    second = interleaved(data, drawn)
    assert outcome(first) == outcome(second)


@given(st.data())
def test_the_counts_are_those_of_the_states(data: st.DataObject):
    fold = interleaved(data, data.draw(streams()))
    counts = [0] * len(fold.build.task_counts)
    for state in fold.tasks.values():
        counts[state.status] += 1
    assert fold.build.task_counts == counts
    assert sorted(state.ordinal for state in fold.tasks.values()) == [
        *range(1, fold.build.task_count + 1)
    ]
    assert {state.ordinal for state in fold.tasks.values()} == fold.changed.keys()


@given(st.data())
def test_what_is_terminal_has_an_end(data: st.DataObject):
    fold = interleaved(data, data.draw(streams()))
    for state in fold.tasks.values():
        assert bool(state.end_time) == (state.status in TERMINAL)
