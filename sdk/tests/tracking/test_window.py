"""What is sent, acknowledged, and sent again."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stardag.tracking.connection.backoff import Backoff
from stardag.tracking.sender.window import AckError, Window


class Delivery(RuleBasedStateMachine):
    """A server that commits what comes in order, and a line that loses anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window()
        self.written = 0
        self.committed = 0
        self.line: list[range] = []
        self.connected = False

    @rule(events=st.integers(1, 20))
    def write(self, events: int) -> None:
        self.written += events

    @rule(limit=st.integers(0, 15))
    def connect(self, limit: int) -> None:
        self.line.clear()
        self.window.open(self.committed, limit)
        self.connected = True

    @precondition(lambda self: self.connected)
    @rule(events=st.integers(1, 10))
    def send(self, events: int) -> None:
        events = min(events, self.window.room, self.written - self.window.sent)
        if events:
            first = self.window.send(events)
            self.line.append(range(first, first + events))

    @precondition(lambda self: self.line)
    @rule()
    def commit(self) -> None:
        batch = self.line.pop(0)
        assert batch.start <= self.committed + 1, "a gap"
        self.committed = max(self.committed, batch.stop - 1)

    @precondition(lambda self: self.connected)
    @rule(back=st.integers(0, 5))
    def acknowledge(self, back: int) -> None:
        before = self.window.acked
        confirmed = self.window.ack(max(0, self.committed - back))
        assert self.window.acked == before + confirmed

    @rule(lost=st.integers(0, 10))
    def restore_an_old_backup(self, lost: int) -> None:
        self.committed = max(0, self.committed - lost)
        self.line.clear()
        self.connected = False

    @invariant()
    def nothing_is_sent_that_is_not_written_and_the_window_holds(self) -> None:
        assert self.window.acked <= self.window.sent <= max(self.written, self.window.acked)
        assert self.window.unacked <= self.window.limit

    def teardown(self) -> None:
        self.connect(7)
        while self.committed < self.written:
            self.send(10)
            while self.line:
                self.commit()
            self.acknowledge(0)
        assert self.committed == self.window.acked == self.written


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=50, deadline=None)


def test_an_acknowledgement_of_what_was_not_sent_is_an_error() -> None:
    window = Window()
    window.open(10, 100)
    window.send(5)
    with pytest.raises(AckError):
        window.ack(16)


def test_backoff_stays_under_its_cap_and_adds_what_the_server_asks_for() -> None:
    backoff = Backoff(3.0)
    pauses = [backoff.failed() for _ in range(200)]
    assert all(0 <= pause <= 3.0 for pause in pauses)
    assert pauses[0] <= 0.1
    assert max(pauses) > 1.0
    assert 7.0 <= Backoff(3.0).failed(7.0) <= 7.1
