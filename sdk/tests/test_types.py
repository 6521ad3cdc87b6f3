"""Type names, namespaces, families, and what a field accepts."""

from __future__ import annotations

import gc
import inspect
import types
from typing import Any

import pytest
from pydantic import ValidationError

import stardag as sd


class Base(sd.PolymorphicRoot):
    pass


class One(Base):
    a: int = 1


class Two(Base):
    b: int = 2


class Other(sd.PolymorphicRoot):
    pass


class Stranger(Other):
    pass


class Holder(sd.StardagBaseModel):
    item: sd.SubClass[Base]
    items: tuple[Base, ...] = ()


def test_members_of_a_family_are_read_back_as_what_they_are() -> None:
    holder = Holder(item=One(a=5), items=(Two(), One()))
    again = Holder.model_validate_json(holder.model_dump_json())
    assert [type(m) for m in (again.item, *again.items)] == [One, Two, One]
    assert again == holder


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"__namespace": "", "__name": "Nope"}, "there is no Base Nope: import the module"),
        ({"__namespace": "", "__name": "Stranger"}, "there is no Base Stranger"),
    ],
)
def test_an_unknown_member_is_refused_by_name(body: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Holder.model_validate({"item": body})


def test_a_task_without_its_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="'__name' must say which BaseTask it is"):
        sd.BaseTask.model_validate({"n": 1})


def test_a_task_of_another_type_is_refused_where_one_is_declared() -> None:
    class Wanted(sd.AutoTask[int]):
        pass

    class Given(sd.AutoTask[int]):
        pass

    class Takes(sd.AutoTask[int]):
        task: Wanted

    body = {"task": {"__namespace": "", "__name": "Given"}}
    with pytest.raises(ValidationError, match=r"Given is not a .*Wanted"):
        Takes.model_validate(body)
    assert Given.get_name() == "Given"


def define(module: str, name: str, *, __namespace__: str | None = None, **options: str) -> Any:
    namespace = {"__module__": module, "__qualname__": name, "__namespace__": __namespace__}
    return types.new_class(name, (sd.AutoTask[int],), options, lambda body: body.update(namespace))


def test_a_name_that_is_taken_is_refused_naming_both_modules() -> None:
    first = define("module_a", "Taken")
    with pytest.raises(sd.TypeNameTakenError) as caught:
        define("module_b", "Taken")
    assert "module_a.Taken" in str(caught.value)
    assert "module_b.Taken" in str(caught.value)
    assert first.get_name() == "Taken"


def test_the_same_definition_again_takes_the_place_of_the_first() -> None:
    """As when a notebook cell is run twice, or a module is reloaded."""
    first, second = define("module_a", "Again"), define("module_a", "Again")
    body = first().model_dump(mode="json")
    assert type(sd.BaseTask.model_validate(body)) is second


def test_a_type_that_is_gone_frees_its_name() -> None:
    define("module_a", "Gone")
    gc.collect()
    assert define("module_b", "Gone").get_name() == "Gone"


def test_names_and_namespaces_can_be_given() -> None:
    cls = define("module_c", "Named", name_override="Better", namespace_override="a.b")
    assert (cls.get_namespace(), cls.get_name()) == ("a.b", "Better")


def test_the_nearest_namespace_counts() -> None:
    sd.namespace("outer", "package_d")
    sd.namespace("inner", "package_d.sub")
    assert define("package_d.module", "N1").get_namespace() == "outer"
    assert define("package_d.sub.module", "N2").get_namespace() == "inner"
    assert define("elsewhere", "N3").get_namespace() == ""


def test_an_attribute_wins_over_the_module_and_an_override_over_both() -> None:
    sd.auto_namespace("package_e")
    attributed = define("package_e", "Attributed", __namespace__="attribute")
    assert attributed.get_namespace() == "attribute"
    assert define("package_e", "M").get_namespace() == "package_e"
    assert define("package_e", "O", namespace_override="given").get_namespace() == "given"


def test_a_modules_namespace_is_that_of_its_tasks_and_of_no_other_family() -> None:
    sd.namespace("tasks.only", "package_f")
    member = types.new_class(
        "Member", (Base,), {}, lambda body: body.update(__module__="package_f")
    )
    assert member.get_namespace() == ""
    assert define("package_f", "N4").get_namespace() == "tasks.only"


def test_a_namespace_must_be_dotted_identifiers() -> None:
    with pytest.raises(sd.TaskDefinitionError, match="not a namespace"):
        sd.namespace("a b", __name__)


class Number(sd.AutoTask[int]):
    pass


class Words(sd.AutoTask[list[str]]):
    pass


class Unplaced(sd.BaseTask):
    def complete(self) -> bool:
        return True


class Inputs(sd.AutoTask[int]):
    number: sd.TaskLoads[int] | None = None
    real: sd.TaskLoads[float] | None = None
    words: sd.TaskLoads[list[str]] | None = None


def test_task_loads_takes_tasks_that_load_as_the_type() -> None:
    task = Inputs(number=Number(), real=Number(), words=Words())
    assert isinstance(task.words, Words)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("number", Words(), r"loads as int is needed, and Words loads as list\[str\]"),
        ("words", Number(), r"loads as list\[str\] is needed, and Number loads as int"),
        ("number", Unplaced(), "Unplaced has no output to load"),
        ("number", 3, r"a task that loads as int is needed \["),
        ("number", Number, r"a task that loads as int is needed: call the class, Number\(\.\.\.\)"),
    ],
)
def test_task_loads_refuses_others_naming_both_types(field: str, value: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Inputs.model_validate({field: value})


class Either(sd.AutoTask[int]):
    value: sd.TaskLoads[int] | int | str


def test_an_error_in_a_union_names_the_alternative_as_it_is_declared() -> None:
    with pytest.raises(ValidationError, match=r"\nvalue\.TaskLoads\[int\]\n"):
        Either.model_validate({"value": Words()})


def test_parameters_are_given_by_name() -> None:
    make: Any = Inputs
    with pytest.raises(TypeError, match=r"given by name, as Inputs\(number=\.\.\., real=\.\.\.\)$"):
        make(Number(), Number())
    assert list(inspect.signature(Inputs).parameters) == ["version", "number", "real", "words"]


class Undefined(sd.AutoTask[int]):
    limit: int = None  # pyright: ignore[reportAssignmentType]


def test_a_default_that_is_not_of_its_type_is_refused_where_it_is_used() -> None:
    assert Undefined(limit=3).limit == 3
    with pytest.raises(ValidationError, match=r"limit\n +Input should be a valid integer"):
        Undefined()


def test_a_body_is_no_set_of_parameters() -> None:
    with pytest.raises(TypeError, match=r"Number\.model_validate\(\.\.\.\)"):
        Number(**Number().model_dump())


def test_tasks_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Number().version = "2"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_nesting_of_tasks_is_flattened_in_order() -> None:
    a, b, c = (Number(version=v) for v in "abc")
    assert sd.flatten_task_struct({"x": [a, (b,)], "y": {"z": c}}) == [a, b, c]
    assert sd.flatten_task_struct([None, a, {"x": None}]) == [a]
    assert sd.flatten_task_struct(None) == []


def test_what_is_no_task_is_refused_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"found 3 at \['x'\]\[1\]"):
        sd.flatten_task_struct({"x": [Number(), 3]})  # pyright: ignore[reportArgumentType]


def test_a_repr_is_short_however_large_the_task_is() -> None:
    class Wide(sd.AutoTask[int]):
        tasks: list[sd.TaskLoads[int]]
        text: str

    shown = repr(Wide(tasks=[Number()] * 1000, text="x" * 1000))
    assert shown.startswith("Wide(tasks=[Number(...), Number(...), Number(...), ... 997 more]")
    assert len(shown) < 200


def test_a_repr_does_not_grow_with_what_is_shared() -> None:
    class Level(sd.AutoTask[int]):
        below: dict[str, sd.TaskLoads[int]]

    task: Any = Number()
    for _ in range(60):
        task = Level(below={"left": task, "right": task})
    assert repr(task) == "Level(below={left: Level(...), right: Level(...)})"
