"""What a class may not declare, as it would make ids unclear or JSON unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from stardag._errors import TaskDefinitionError
from stardag._fields import FieldMark, field_mark

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


def misdeclared(cls: type[BaseModel], problem: str) -> TaskDefinitionError:
    """Return the error that a class is declared with a problem."""
    return TaskDefinitionError(f"{cls.__module__}.{cls.__qualname__}: {problem}")


def check_marks(cls: type[BaseModel]) -> None:
    """Raise `TaskDefinitionError` for a `StardagField` that would be passed over."""
    for name, field in cls.model_fields.items():
        if isinstance(field.default, FieldMark):
            raise misdeclared(cls, f"{name!r} has a StardagField as its default; {_MARKING}")
        if any(_marks_in(field.annotation)):
            raise misdeclared(cls, f"{name!r} has a StardagField inside of its type; {_MARKING}")
        if sum(isinstance(m, FieldMark) for m in field.metadata) > 1:
            raise misdeclared(cls, f"{name!r} has more than one StardagField")


_MARKING = "write Annotated[<the whole type>, StardagField(...)]"


def check_own_serializer(cls: type[BaseModel]) -> None:
    """Raise `TaskDefinitionError` if a class says itself how the whole of it is written."""
    for name in cls.__pydantic_decorators__.model_serializers:
        if name != "_serialize":
            raise misdeclared(
                cls,
                f"the model_serializer {name!r} would leave out which class it is; use "
                "a field_serializer for each field that is written in another way",
            )


def unfit_field(cls: type[BaseModel]) -> TaskDefinitionError | None:
    """Return an error that names the first field whose type Pydantic can't describe."""
    for name, field in cls.model_fields.items():
        try:
            TypeAdapter(cast("Any", field.annotation))
        except PydanticSchemaGenerationError:
            return misdeclared(
                cls,
                f"{name!r} can't be a parameter, as no JSON holds its type, {field.annotation}; "
                "if a task makes it, declare it as Depends[...] or TaskLoads[...]",
            )
    return None


def check_task(cls: type[BaseModel]) -> None:
    """Raise `TaskDefinitionError` for what would make a field's part in the id unclear."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("stardag._")]
    taken = {name for base in ours for name in base.__dict__}
    for name, field in cls.model_fields.items():
        if name in taken and name in cls.__annotations__:
            raise misdeclared(
                cls, f"{name!r} is a name that tasks use themselves; rename the field"
            )
        _check_dump(cls, name, field)
    if "version" in cls.model_fields and field_mark(cls.model_fields["version"]) != FieldMark():
        raise misdeclared(cls, "the version is a part of every id; StardagField has no place there")
    for setting, (needed, reason) in _SETTINGS.items():
        if cls.model_config.get(setting, needed) != needed:
            raise misdeclared(
                cls, f"model_config has {setting}={cls.model_config[setting]!r}; {reason}"
            )


_SETTINGS: dict[str, tuple[Any, str]] = {
    "extra": ("forbid", "a task can't have extra fields, as they would have no part in its id"),
    "frozen": (True, "a task can't change, as its id would be that of another"),
    "validate_by_name": (True, "a task is written, and so is read, by the names of its fields"),
    "serialize_by_alias": (False, "a task is written by the names of its fields"),
}


def _check_dump(cls: type[BaseModel], name: str, field: FieldInfo) -> None:
    if field.exclude or field.exclude_if is not None:
        raise misdeclared(
            cls,
            f"{name!r} is left out of every dump, and so can't be read back; "
            "StardagField(hash_exclude=True) leaves it out of the id",
        )


def _marks_in(annotation: Any) -> Iterator[FieldMark]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        yield from (m for m in arguments[1:] if isinstance(m, FieldMark))
        arguments = arguments[:1]
    for argument in arguments:
        yield from _marks_in(argument)
