"""Why an id is what it is, and why two ids differ."""

from __future__ import annotations

from uuid import UUID

import stardag as sd

sd.auto_namespace(__name__)


class Source(sd.AutoTask[int]):
    limit: int
    seed: int = 0


class Model(sd.StardagBaseModel):
    depth: int = 1
    names: tuple[str, ...] = ()


class Fit(sd.AutoTask[int]):
    data: sd.TaskLoads[int]
    model: Model = Model()
    extra: dict[str, int] = {}  # noqa: RUF012


def test_an_explanation_has_the_text_and_what_the_references_stand_for() -> None:
    source = Source(limit=3)
    task = Fit(data=source)
    explanation = sd.explain(task)
    assert explanation.id == task.id
    assert explanation.identity_json == task.identity_json()
    assert explanation.ingredients["data"] == {"id": str(source.id)}
    assert explanation.inputs == {str(source.id): source}
    assert str(source.id) in str(explanation)
    assert "Source(limit=3, seed=0)" in str(explanation)


def test_equal_tasks_do_not_differ() -> None:
    assert sd.differences(Source(limit=3), Source(limit=3)) == []


def test_differences_are_found_down_through_the_inputs() -> None:
    left = Fit(data=Source(limit=3), model=Model(depth=1, names=("a",)), extra={"x": 1})
    right = Fit(data=Source(limit=4), model=Model(depth=2, names=("a", "b")), extra={"y": 1})
    found = [str(difference) for difference in sd.differences(left, right)]
    assert found == [
        "data.limit: 3 -> 4",
        "extra.x: 1 -> missing",
        "extra.y: missing -> 1",
        "model.depth: 1 -> 2",
        "model.names[1]: missing -> 'b'",
    ]


def test_inputs_of_two_types_differ_in_type() -> None:
    class Other(sd.AutoTask[int]):
        limit: int

    left, right = Fit(data=Source(limit=3)), Fit(data=Other(limit=3))
    assert [str(d) for d in sd.differences(left, right)] == [
        "data: 'sdk.tests.test_explain.Source' -> 'sdk.tests.test_explain.Other'"
    ]


def test_an_alias_of_which_nothing_is_known_differs_as_a_whole() -> None:
    metadata = sd.AliasedMetadata(id=UUID(int=1), uri="/old.json", name="Old")
    alias = sd.AliasTask[int](aliased=metadata)
    assert sd.explain(alias).ingredients == {}
    assert "(not known)" in str(sd.explain(alias))
    (found,) = sd.differences(Fit(data=alias), Fit(data=Source(limit=3)))
    assert str(found) == f"data: {alias!r} -> Source(limit=3, seed=0)"


def test_a_pair_that_occurs_many_times_is_looked_into_once() -> None:
    class Level(sd.AutoTask[int]):
        below: tuple[sd.TaskLoads[int], ...]

    left: sd.AutoTask[int] = Source(limit=1)
    right: sd.AutoTask[int] = Source(limit=2)
    for _ in range(60):
        left, right = Level(below=(left, left)), Level(below=(right, right))
    assert len(sd.differences(left, right)) == 1
