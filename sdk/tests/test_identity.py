"""Ids and paths, to the byte; a task's id is a promise about its output."""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import subprocess
import sys
import types
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import NAMESPACE_DNS, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, computed_field

import stardag as sd

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text())


class Leaf(sd.AutoTask[int]):
    n: int = 0


class Node(sd.AutoTask[int]):
    children: tuple[sd.TaskLoads[int], ...] = ()
    by_name: dict[str, sd.TaskLoads[int]] = Field(default_factory=dict)


@pytest.fixture(scope="module")
def published() -> dict[str, sd.AutoTask[Any]]:
    """The tasks whose ids were published, made from their published definitions."""
    module = types.ModuleType("published_definitions")
    sys.modules[module.__name__] = module
    exec(VECTORS["definitions"], module.__dict__)
    m: Any = module
    return {
        "no_args": m.no_args(),
        "mixed_value": m.mixed(a=1, b=2),
        "mixed_task": m.mixed(a=m.no_args(), b=2),
        "renamed_versioned": m.original(x=1),
        "cls_default": m.Cls(a=1),
        "namespaced": m.Spaced(a=1),
    }


@pytest.mark.parametrize("name", VECTORS["expected"])
def test_published_ids_and_paths_hold(name: str, published: dict[str, sd.AutoTask[Any]]) -> None:
    task, expected = published[name], VECTORS["expected"][name]
    with sd.target_factory_provider.override(sd.TargetFactory({"default": VECTORS["target_root"]})):
        assert (str(task.id), task.output().uri) == (expected["id"], expected["uri"])


@pytest.mark.parametrize("name", VECTORS["identity_json"])
def test_published_identity_texts_hold(name: str, published: dict[str, sd.AutoTask[Any]]) -> None:
    assert published[name].identity_json() == VECTORS["identity_json"][name]


def test_the_id_is_the_uuid5_of_the_identity_text() -> None:
    task = Leaf(n=7)
    namespace = UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")
    assert task.id == uuid5(namespace, task.identity_json())


def test_the_uuid_namespace_can_be_overridden() -> None:
    with sd.id_namespace_provider.override(NAMESPACE_DNS):
        task = Leaf(n=7)
        assert task.id == uuid5(NAMESPACE_DNS, task.identity_json())
    assert Leaf(n=7).id != task.id


class Reading(sd.AutoTask[int]):
    values: Iterable[int]


def test_values_that_can_be_read_only_once_are_refused() -> None:
    with pytest.raises(sd.IdentityError, match=r"Reading\.values: an iterator"):
        _ = Reading(values=[1, 2]).id


class Locked(sd.AutoTask[int]):
    password: SecretStr


def test_a_secret_is_identified_by_its_mask() -> None:
    task = Locked(password=SecretStr("hush"))
    assert task == Locked(password=SecretStr("other"))
    assert "hush" not in task.identity_json() + sd.dag_to_json(task) + repr(task)


def test_a_value_that_is_nested_too_deeply_has_no_id() -> None:
    value: Any = 1
    for _ in range(2000):
        value = [value]
    with pytest.raises(sd.IdentityError, match="Loose: a parameter is nested too deeply"):
        _ = Loose(value=value).id


def test_a_task_without_one_of_its_values_has_no_id() -> None:
    task = Reading.model_construct()
    assert repr(task) == "Reading()"
    with pytest.raises(sd.IdentityError, match=r"Reading\.values: the field has no value"):
        _ = task.id


class Colour(enum.Enum):
    RED = "red"


class Plain(BaseModel):
    when: datetime
    ratio: float


class Awkward(sd.AutoTask[int]):
    when: datetime
    span: timedelta
    price: Decimal
    colour: Colour
    raw: bytes
    where: Path
    lr: float
    text: str
    model: Plain
    pair: tuple[int, str]


def test_values_are_written_as_pydantic_writes_json() -> None:
    task = Awkward(
        when=datetime(2024, 2, 29, 12, 30, 1, 250, tzinfo=UTC),
        span=timedelta(days=1, seconds=30, microseconds=5),
        price=Decimal("1.10"),
        colour=Colour.RED,
        raw=b"bytes",
        where=Path("/a/b"),
        lr=1,
        text="é\u2028",
        model=Plain(when=datetime(2024, 1, 1, tzinfo=UTC), ratio=0.5),
        pair=(1, "x"),
    )
    assert task.identity_json() == (
        '{"__name":"Awkward","__namespace":"","colour":"red","lr":1.0,'
        '"model":{"ratio":0.5,"when":"2024-01-01T00:00:00Z"},"pair":[1,"x"],"price":"1.10",'
        '"raw":"bytes","span":"P1DT30.000005S","text":"\\u00e9\\u2028","version":"",'
        '"when":"2024-02-29T12:30:01.000250Z","where":"/a/b"}'
    )


def test_a_task_at_any_depth_is_its_id_and_nothing_else() -> None:
    leaf = Leaf(n=1)
    reference = f'{{"id":"{leaf.id}"}}'
    assert Node(children=(leaf,), by_name={"k": leaf}).identity_json() == (
        f'{{"__name":"Node","__namespace":"","by_name":{{"k":{reference}}},'
        f'"children":[{reference}],"version":""}}'
    )


class Marked(sd.StardagBaseModel):
    kept: int
    note: Annotated[str, sd.StardagField(hash_exclude=True)] = ""
    added: Annotated[int, sd.StardagField(compat_default=0)] = 0


class WithMarks(sd.AutoTask[int]):
    kept: int
    note: Annotated[str, sd.StardagField(significant=False)] = ""
    added: Annotated[int | None, sd.StardagField(compat_default=None)] = None
    nested: Marked = Marked(kept=1)


def test_insignificant_fields_have_no_part_in_the_id_at_any_depth() -> None:
    plain = WithMarks(kept=1)
    noted = WithMarks(kept=1, note="x", nested=Marked(kept=1, note="y"))
    assert noted.id == plain.id
    assert "note" not in plain.identity_json()


def test_a_field_at_its_compat_default_leaves_ids_as_they_were() -> None:
    assert "added" not in WithMarks(kept=1).identity_json()
    assert WithMarks(kept=1, added=3).id != WithMarks(kept=1).id
    assert WithMarks(kept=1, nested=Marked(kept=1, added=2)).id != WithMarks(kept=1).id


class Aliased(sd.StardagBaseModel, serialize_by_alias=True):
    kept: int = Field(default=1, serialization_alias="Kept")
    note: Annotated[str, sd.StardagField(hash_exclude=True)] = Field(default="", alias="Note")


class WithAliases(sd.AutoTask[int]):
    model: Aliased


def test_a_field_has_no_part_in_the_id_under_any_name() -> None:
    noted = WithAliases(model=Aliased(Note="x"))
    assert noted.id == WithAliases(model=Aliased()).id
    assert '"model":{"Kept":1}' in noted.identity_json()


class Shape(sd.PolymorphicRoot):
    pass


class Square(Shape):
    side: int


class Drawing(sd.AutoTask[int]):
    shape: sd.SubClass[Shape]


def test_a_member_of_another_family_carries_its_name() -> None:
    assert '"shape":{"__name":"Square","__namespace":"","side":2}' in (
        Drawing(shape=Square(side=2)).identity_json()
    )


class Sets(sd.AutoTask[int]):
    numbers: sd.HashableSet[int] = sd.HashableSet()
    tasks: sd.TaskSet[Leaf] = sd.TaskSet()


def test_hashable_sets_are_sorted_by_their_items() -> None:
    leaves = [Leaf(n=n) for n in range(5)]
    a = Sets(numbers=frozenset({10, 9, 1}), tasks=frozenset(leaves))
    b = Sets(numbers=frozenset({1, 9, 10}), tasks=frozenset(leaves[::-1]))
    assert a.identity_json() == b.identity_json()
    assert '"numbers":[1,9,10]' in a.identity_json()
    assert [t["id"] for t in json.loads(a.identity_json())["tasks"]] == sorted(
        str(leaf.id) for leaf in leaves
    )


class Loose(sd.AutoTask[int]):
    value: Any


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (float("nan"), "Loose.value: "),
        ({"a": [1.0, float("inf")]}, "Loose.value.a[1]"),
        ({1, 2}, "Loose.value"),
        ([{"k": frozenset({1})}], "Loose.value[0].k"),
        (object(), "Loose.value"),
        ([iter([1])], "Loose.value[0]: an iterator can be read only once"),
        (b"\xff", "Loose.value"),
    ],
)
def test_a_value_without_a_canonical_form_is_an_error_with_its_path(value: Any, place: str) -> None:
    task = Loose(value=value)
    with pytest.raises(sd.IdentityError) as caught:
        _ = task.id
    assert place in str(caught.value)


def test_a_chain_of_ten_thousand_tasks_has_an_id() -> None:
    task: sd.AutoTask[int] = Leaf()
    for _ in range(10_000):
        task = Node(children=(task,))
    assert task.id.version == 5


def test_shared_inputs_are_identified_once() -> None:
    """A ladder of shared inputs has 2**60 paths and 60 tasks."""
    task: sd.AutoTask[int] = Leaf()
    for _ in range(60):
        task = Node(children=(task, task))
    assert task.id.version == 5


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Anything(sd.AutoTask[int]):
    value: Any = None
    child: sd.TaskLoads[int] | None = None


@given(value=values, child=values)
def test_the_id_survives_json_and_copies(value: Any, child: Any) -> None:
    task = Anything(value=value, child=Anything(value=child))
    again = sd.BaseTask.model_validate_json(task.model_dump_json())
    assert again.id == task.id == task.model_copy().id
    assert type(again) is Anything


def test_a_changed_copy_has_its_own_id() -> None:
    task = Leaf(n=1)
    assert task.id != task.model_copy(update={"n": 2}).id == Leaf(n=2).id


@pytest.mark.parametrize("update", [{"n": "two"}, {"m": 2}])
def test_a_copy_is_changed_as_a_task_is_made(update: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Leaf(n=1).model_copy(update=update)


def test_a_deep_copy_of_a_long_chain_is_no_obstacle() -> None:
    lists: list[sd.AutoTask[int]] = [Leaf()]
    for _ in range(3000):
        lists.append(Node(children=(lists[-1], lists[-1])))
    copied = copy.deepcopy(lists)
    assert copied[-1].id == lists[-1].id
    assert copied[-1] is not lists[-1]
    assert copied[-1].__dict__["children"][0] is copied[-2]
    assert lists[-1].model_copy(deep=True, update={"version": "2"}).version == "2"


@given(value=st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_id_does_not_depend_on_the_order_of_a_dict(value: dict[str, int]) -> None:
    assert Anything(value=value).id == Anything(value=dict(reversed(value.items()))).id


def test_the_id_does_not_depend_on_the_process() -> None:
    code = (
        "import stardag as sd\n"
        "class Sets(sd.AutoTask[int]):\n"
        "    texts: sd.HashableSet[str]\n"
        "print(Sets(texts=frozenset('stardag')).id)"
    )
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(ids) == 1


def test_tasks_are_equal_and_sorted_by_id() -> None:
    a, b = Leaf(n=1), Leaf(n=2)
    assert a == Leaf(n=1) != b
    assert len({a, b, Leaf(n=2)}) == 2
    assert sorted([a, b]) == sorted([a, b], key=lambda task: task.id)


class Placed(sd.AutoTask[dict[str, int]]):
    @property
    def _relpath_base(self) -> str:
        return "base/of"

    @property
    def _relpath_extra(self) -> str:
        return "extra"

    @property
    def _relpath_filename(self) -> str:
        return "data"

    @property
    def _relpath_extension(self) -> str:
        return "dat"


def test_parts_of_the_path_can_be_overridden(isolated: Path) -> None:
    task = Placed(version="3")
    key = str(task.id)
    assert task.output().uri == (
        f"{isolated}/targets/base/of/Placed/v3/extra/{key[:2]}/{key[2:4]}/{key}/data.dat"
    )


class Dotted(sd.AutoTask[int]):
    @property
    def _relpath_extension(self) -> str:
        return ".csv"


def test_an_extension_may_begin_with_its_dot() -> None:
    assert Dotted().output().uri.endswith(f"/{Dotted().id}.csv")


@dataclasses.dataclass
class Tagged:
    tags: set[str]


class Loosened(BaseModel):
    model_config = ConfigDict(extra="allow")


class Computed(BaseModel):
    @computed_field
    @property
    def letters(self) -> set[str]:
        return {"a", "b"}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Tagged({"a"}), "Loose.value.tags: "),
        (Loosened.model_validate({"more": {"a"}}), "Loose.value.more: "),
        (Computed(), "Loose.value.letters: "),
    ],
)
def test_a_set_is_found_wherever_it_hides(value: Any, place: str) -> None:
    with pytest.raises(sd.IdentityError, match=place):
        _ = Loose(value=value).id


class Grade(enum.Enum):
    B = 2
    A = 1


class Defaults(sd.AutoTask[int]):
    numbers: sd.HashableSet[int] = frozenset()
    grades: sd.HashableSet[Grade] = frozenset()


def test_sets_may_be_defaults_and_their_items_need_no_order() -> None:
    task = Defaults(grades=frozenset(Grade))
    assert json.loads(task.identity_json())["grades"] == [1, 2]
    assert json.loads(task.identity_json())["numbers"] == []


class ListDefaults(sd.AutoTask[int]):
    numbers: sd.HashableSet[int] = Field(default=[2, 1, 2])  # pyright: ignore
    tasks: sd.HashableSet[Leaf] = Field(default=[Leaf(n=1), Leaf(n=1)])  # pyright: ignore


def test_a_list_that_is_a_sets_default_is_the_set_of_its_items() -> None:
    given = ListDefaults(numbers=frozenset({1, 2}), tasks=frozenset({Leaf(n=1)}))
    assert ListDefaults().identity_json() == given.identity_json()


class Written(sd.AutoTask[int]):
    a: int = Field(alias="A")
    added: Annotated[int, sd.StardagField(compat_default=7)]


def test_a_body_is_read_by_field_names_and_gets_the_defaults_of_its_time() -> None:
    task = Written(A=1, added=7)
    assert sd.BaseTask.model_validate_json(task.model_dump_json()) == task
    body = {"__namespace": "", "__name": "Written", "version": "", "a": 1}
    assert sd.BaseTask.model_validate(body) == task


class Area(sd.AutoTask[int]):
    side: int

    @computed_field
    @property
    def area(self) -> int:
        return self.side**2

    @computed_field
    @property
    def leaves(self) -> list[Leaf]:
        return [Leaf(n=self.side)]


def test_a_computed_field_is_in_the_id() -> None:
    task = Area(side=3)
    found = json.loads(task.identity_json())
    assert found["area"] == 9
    assert found["leaves"] == [{"id": str(Leaf(n=3).id)}]
    assert list(sd.explain(task).inputs.values()) == [Leaf(n=3)]


def test_a_task_with_a_computed_field_is_read_back() -> None:
    task = Area(side=3)
    assert sd.BaseTask.model_validate_json(task.model_dump_json()) == task
    assert sd.dag_from_json(sd.dag_to_json(task)) == [task]


def test_a_set_in_a_computed_field_is_an_error_with_its_place() -> None:
    class Letters(sd.AutoTask[int]):
        @computed_field
        @property
        def letters(self) -> set[str]:
            return {"a", "b"}

    with pytest.raises(sd.IdentityError, match="letters: a plain set has no order"):
        _ = Letters().id


class Grown(sd.StardagBaseModel):
    a: int
    added: Annotated[int, sd.StardagField(compat_default=7)]


class GrownMember(Shape):
    a: int
    added: Annotated[int, sd.StardagField(compat_default=7)]


class HoldsGrown(sd.AutoTask[int]):
    model: Grown
    member: sd.SubClass[Shape]
    added: Annotated[int, sd.StardagField(compat_default=7)]


def test_in_compat_mode_missing_fields_are_filled_at_any_depth() -> None:
    task = HoldsGrown(model=Grown(a=1, added=7), member=GrownMember(a=1, added=7), added=7)
    old = {"model": {"a": 1}, "member": {"__namespace": "", "__name": "GrownMember", "a": 1}}
    assert HoldsGrown.model_validate(old, context={"mode": "compat"}) == task
    named = {"__namespace": "", "__name": "HoldsGrown", "version": "", **old}
    text = json.dumps(named)
    assert sd.BaseTask.model_validate_json(text, context={"mode": "compat"}) == task
    assert sd.dag_from_json(
        json.dumps({"roots": [str(task.id)], "tasks": {str(task.id): named}})
    ) == [task]


def test_outside_of_compat_mode_a_missing_field_is_an_error() -> None:
    with pytest.raises(ValueError, match="Field required"):
        Grown.model_validate({"a": 1})
    with pytest.raises(ValueError, match="Field required"):
        HoldsGrown.model_validate({"model": {"a": 1, "added": 7}, "member": Square(side=1)})


class PlainPlaces(sd.AutoTask[int]):
    _relpath_base = "base"
    _target_root_key = "cold"


def test_places_may_be_plain_attributes() -> None:
    with sd.target_factory_provider.override(sd.TargetFactory({"cold": "/cold"})):
        assert PlainPlaces().output().uri.startswith("/cold/base/PlainPlaces/")


class Shapes(sd.AutoTask[int]):
    bare: list = Field(default_factory=list)  # type: ignore[type-arg]  # pyright: ignore
    pair: tuple[Leaf, Leaf] | None = None
    nested: dict[str, list[sd.TaskLoads[int]]] = Field(default_factory=dict)
    either: list[int | sd.TaskLoads[int]] = Field(default_factory=list)  # pyright: ignore
    tasks: sd.TaskSet[sd.TaskLoads[int]] = frozenset()


def test_tasks_are_found_in_every_shape_of_field() -> None:
    a, b = Leaf(n=1), Leaf(n=2)
    task = Shapes(bare=[a], pair=(a, b), nested={"k": [b]}, either=[3, a], tasks=frozenset([b]))
    ra, rb = {"id": str(a.id)}, {"id": str(b.id)}
    found = json.loads(task.identity_json())
    assert found["bare"] == [ra]
    assert found["pair"] == [ra, rb]
    assert found["nested"] == {"k": [rb]}
    assert found["either"] == [3, ra]
    assert found["tasks"] == [rb]
    assert sd.BaseTask.model_validate_json(task.model_dump_json(exclude={"bare"})) != task
