"""What a task type may not declare, and what the error says."""

from __future__ import annotations

import types
from abc import ABC
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, cast

import pytest
from pydantic import ConfigDict, Field, ValidationError, model_serializer

import stardag as sd


def define(
    annotations: dict[str, Any],
    base: Any = sd.AutoTask[int],
    /,
    *,
    options: dict[str, Any] | None = None,
    **body: Any,
) -> Any:
    body |= {"__annotations__": annotations, "__module__": __name__, "__qualname__": "Unclear"}
    return types.new_class("Unclear", (base,), options or {}, lambda own: own.update(body))


@pytest.mark.parametrize("how", [{"exclude": True}, {"exclude_if": bool}])
def test_a_field_that_is_left_out_of_dumps_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(sd.TaskDefinitionError, match="hash_exclude=True"):
        define({"secret": int}, secret=Field(default=0, **how))


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"extra": "allow"}, "extra='allow'; a task can't have extra fields"),
        ({"frozen": False}, "frozen=False; a task can't change"),
        ({"validate_by_name": False}, "is read, by the names of its fields"),
        ({"serialize_by_alias": True}, "is written by the names of its fields"),
    ],
)
def test_settings_that_break_identity_are_refused(setting: Any, problem: str) -> None:
    with pytest.raises(sd.TaskDefinitionError, match=problem):
        define({}, model_config=ConfigDict(**setting))


@pytest.mark.filterwarnings("ignore:Field name")
def test_a_field_with_a_name_of_the_tasks_own_is_refused() -> None:
    with pytest.raises(sd.TaskDefinitionError, match="'requires' is a name that tasks use"):
        define({"requires": int})


MARK = sd.StardagField(hash_exclude=True)


@pytest.mark.parametrize("base", [sd.AutoTask[int], sd.StardagBaseModel])
@pytest.mark.parametrize(
    ("annotation", "body", "problem"),
    cast(
        "list[Any]",
        [
            (str, {"note": MARK}, "'note' has a StardagField as its default; write Annotated"),
            ("Annotated[str, MARK] | None", {}, "'note' has a StardagField inside of its type"),
            (list[Annotated[str, MARK]], {}, "'note' has a StardagField inside of its type"),
            (Annotated[str, MARK, MARK], {}, "'note' has more than one StardagField"),
        ],
    ),
)
def test_a_mark_that_would_be_passed_over_is_refused(
    base: Any, annotation: Any, body: dict[str, Any], problem: str
) -> None:
    with pytest.raises(sd.TaskDefinitionError, match=problem):
        define({"note": annotation}, base, **body)


def test_a_misplaced_mark_is_found_once_forward_references_are_known() -> None:
    cls = define({"note": "list[Annotated[Later, MARK]]"})
    globals()["Later"] = str
    with pytest.raises(sd.TaskDefinitionError, match="inside of its type"):
        cls(note=["x"])


def test_the_version_is_part_of_every_id() -> None:
    with pytest.raises(sd.TaskDefinitionError, match="version is a part of every id"):
        define({"version": Annotated[str, MARK]}, version="")
    with pytest.raises(sd.TaskDefinitionError, match="__version__ must be text, not 2"):
        define({}, __version__=2)


class Family(sd.PolymorphicRoot):
    pass


@pytest.mark.parametrize("base", [sd.AutoTask[int], Family])
def test_a_serializer_that_leaves_out_the_name_is_refused(base: Any) -> None:
    @model_serializer
    def whole(self: Any) -> dict[str, Any]:
        return {}

    with pytest.raises(sd.TaskDefinitionError, match="'whole' would leave out which class"):
        define({}, base, whole=whole)


@pytest.mark.parametrize("annotation", [range, list[range], "range", Callable[[], range] | range])
def test_a_type_that_no_json_holds_is_refused_naming_the_field(annotation: Any) -> None:
    with pytest.raises(sd.TaskDefinitionError, match="Unclear: 'r' can't be a parameter"):
        define({"n": int, "r": annotation})


@pytest.mark.parametrize("name", ["", " ", "..", "a/../b", "/a", "a/", "a//b", "a\\b", "a\nb", 3])
def test_a_name_that_is_no_path_is_refused(name: Any) -> None:
    with pytest.raises(sd.TaskDefinitionError, match="is not a name for a type"):
        define({}, options={"name_override": name})


def test_a_name_may_have_folders_as_in_every_release() -> None:
    cls = define({}, options={"name_override": "models/fit"})
    assert "/models/fit/" in cls().output().uri
    assert sd.BaseTask.model_validate_json(cls().model_dump_json()) == cls()


def test_a_part_of_the_path_is_text() -> None:
    with pytest.raises(sd.TaskDefinitionError, match="Unclear: _relpath_extra must be text, not 3"):
        define({}, _relpath_extra=3)
    for option in ({"relpath": 3}, {"relpath": {"extra": 3}}, {"target_root_key": 3}):
        with pytest.raises(sd.TaskDefinitionError, match=r"text, or a function .* not 3"):
            sd.task(**cast("Any", option))
    misplaced = define({}, _relpath_extra=property(lambda self: 3))
    with pytest.raises(TypeError, match=r"a part of the path of Unclear\(\) is no text: 3"):
        misplaced().output()


@pytest.mark.parametrize("namespace", ["a b", "a/b", "a..b", ".", 3])
def test_a_namespace_that_is_no_path_is_refused(namespace: Any) -> None:
    with pytest.raises(sd.TaskDefinitionError, match="is not a namespace"):
        define({}, options={"namespace_override": namespace})
    with pytest.raises(sd.TaskDefinitionError, match="is not a namespace"):
        define({}, __namespace__=namespace)


def test_a_misspelt_option_of_a_class_is_refused() -> None:
    with pytest.raises(sd.TaskDefinitionError, match="there is no option 'nmae_override'"):
        define({}, options={"nmae_override": "x"})


def test_a_base_may_have_options_of_its_own() -> None:
    class Flavoured(sd.AutoTask[int], ABC):
        flavour: ClassVar[str]

        def __init_subclass__(cls, flavour: str, **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.flavour = flavour

    assert define({}, Flavoured, options={"flavour": "sweet"}).flavour == "sweet"


class Abstract(sd.AutoTask[int], ABC):
    n: int = 0


class Concrete(Abstract):
    pass


class Holder(sd.AutoTask[int]):
    inner: Abstract


def test_an_abstract_type_has_no_tasks() -> None:
    with pytest.raises(ValidationError, match="Abstract is abstract: derive a class from it"):
        Abstract()
    with pytest.raises(sd.TaskDefinitionError, match="Abstract is a base of task types"):
        _ = Abstract.model_construct().id
    with pytest.raises(ValidationError, match="'__name' must say which Abstract it is"):
        Holder.model_validate({"inner": {"n": 1}})


def test_a_field_of_an_abstract_type_takes_what_is_derived_from_it() -> None:
    task = Holder(inner=Concrete(n=1))
    assert sd.BaseTask.model_validate_json(task.model_dump_json()) == task
