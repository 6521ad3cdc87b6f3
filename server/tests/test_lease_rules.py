"""The rules of leases: whatever happens in whatever order, they keep their promises."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from stardag.v1.lease_service_pb2 import LEASE_OUTCOME_ACQUIRED, LEASE_OUTCOME_HELD
from stardag_server.domain.leases import LeaseState, LimitUse, decide

NAMES: tuple[str, ...] = ("x", "y", "z")
HOLDERS = tuple(UUID(int=number) for number in range(1, 4))
SLOTS = {"x": 1, "y": 2, "z": 1}
MAX_SLOTS = 2
TTL = 10

steps = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.sampled_from(NAMES), st.sampled_from(HOLDERS)),
        st.tuples(st.just("renew"), st.sampled_from(NAMES), st.sampled_from(HOLDERS)),
        st.tuples(st.just("release"), st.sampled_from(NAMES), st.sampled_from(HOLDERS)),
        st.tuples(st.just("wait"), st.integers(1, TTL), st.none()),
    ),
    max_size=60,
)


class Table:
    """Leases in memory, changed by the rules alone, and what each holder believes."""

    def __init__(self) -> None:
        self.now = 0
        self.token = 0
        self.leases: dict[str, LeaseState] = dict.fromkeys(NAMES, LeaseState())
        self.believed: dict[tuple[str, UUID], int] = {}

    def used(self, but: str = "") -> int:
        held = (n for n in NAMES if n != but and self.leases[n].is_held(self.now))
        return sum(SLOTS[name] for name in held)

    def acquire(self, name: str, holder: UUID) -> None:
        before = self.leases[name]
        use = LimitUse("limit", MAX_SLOTS, self.used(but=name), SLOTS[name])
        decision = decide(before, holder, [use], self.now)
        if decision.outcome == LEASE_OUTCOME_ACQUIRED:
            assert not before.is_held(self.now) or before.holder == holder
            self.token += decision.anew
            token = self.token if decision.anew else before.fencing_token
            self.leases[name] = LeaseState(holder, token, self.now + TTL)
            self.believed[name, holder] = token
        else:
            assert decision.retry_after > 0
            elsewhere = before.is_held(self.now) and before.holder != holder
            assert (decision.outcome == LEASE_OUTCOME_HELD) == elsewhere

    def is_held_by(self, name: str, holder: UUID) -> bool:
        token = self.believed.get((name, holder), 0)
        return self.leases[name].is_held_by(holder, token, self.now)

    def renew(self, name: str, holder: UUID) -> None:
        if self.is_held_by(name, holder):
            self.leases[name] = replace(self.leases[name], expire_time=self.now + TTL)

    def release(self, name: str, holder: UUID) -> None:
        if self.is_held_by(name, holder):
            self.leases[name] = replace(self.leases[name], holder=None)


@given(steps)
def test_a_lease_has_one_holder_a_limit_its_slots_and_tokens_only_grow(
    taken: list[tuple[str, str | int, UUID | None]],
):
    table = Table()
    for step, subject, holder in taken:
        tokens = {name: lease.fencing_token for name, lease in table.leases.items()}
        if isinstance(subject, int):
            table.now += subject
        else:
            getattr(table, step)(subject, holder)
        assert table.used() <= MAX_SLOTS
        for name, lease in table.leases.items():
            assert sum(table.is_held_by(name, holder) for holder in HOLDERS) <= 1
            assert lease.fencing_token >= tokens[name]
            if lease.holder and table.leases[name].fencing_token > tokens[name]:
                assert lease.fencing_token > max(tokens.values())
