"""Models whose JSON says which class they are, and families of them.

`StardagBaseModel` adds field marks to a Pydantic model. A class derived directly from
`PolymorphicRoot` begins a family: its members are written with their namespace and name
(`{"__namespace": "", "__name": "X", ...}`) and read back as what they are, wherever the
family's base is a field's type.
"""

from __future__ import annotations

import inspect
from abc import ABC
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator
from pydantic_core import core_schema

from stardag._declaration import check_marks, check_own_serializer, misdeclared
from stardag._fields import field_mark
from stardag._identity import MISSING
from stardag._registry import (
    NAME_KEY,
    NAMESPACE_KEY,
    TypeRegistry,
    check_name,
    check_namespace,
)

if TYPE_CHECKING:
    from pydantic import (
        GetCoreSchemaHandler,
        GetJsonSchemaHandler,
        SerializationInfo,
        SerializerFunctionWrapHandler,
        ValidatorFunctionWrapHandler,
    )
    from pydantic_core import CoreSchema

T = TypeVar("T")


class DumpContext:
    """Passed to Pydantic's serializers: how what lies below `top` is to be written.

    Tasks below `top` become `{"id": ...}`. With `identity`, fields that have no part in
    the id are left out of every model.
    """

    __slots__ = ("identity", "top")

    def __init__(self, top: object, *, identity: bool) -> None:
        """Make the context of one dump."""
        self.top = top
        self.identity = identity


COMPAT_MODE = {"mode": "compat"}
"""The validation context in which missing fields get their compat defaults, at any depth."""

TOO_DEEP = (
    "it is nested too deeply to be written or read as a whole; dag_to_json and dag_from_json take "
    "each task once, however deep the DAG"
)
"""What is wrong where Python's stack, or Pydantic's bound of 255 levels, is exceeded."""


def _compat_defaults(cls: type[BaseModel]) -> dict[str, Any]:
    marks = {name: field_mark(field) for name, field in cls.model_fields.items()}
    return {n: m.compat_default for n, m in marks.items() if m.compat_default is not MISSING}


def with_compat_defaults(cls: type[BaseModel], body: dict[str, Any]) -> dict[str, Any]:
    """Return a model's body with the compat defaults of the fields that it has not."""
    filled = {**body}
    for name, default in _compat_defaults(cls).items():
        if not {name, cls.model_fields[name].alias} & filled.keys():
            filled[name] = default
    return filled


class StardagBaseModel(BaseModel):
    """A Pydantic model whose fields `StardagField` may mark, as a task's fields."""

    # A field whose type is a base class is written as the class that its value has.
    # NaN and infinities survive JSON; in an id they are an error.
    # What is written by field name is read by it, whatever its alias.
    # A default is the value that would be given in its place, as in every release.
    model_config = ConfigDict(
        polymorphic_serialization=True,
        ser_json_inf_nan="constants",
        validate_by_name=True,
        validate_default=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        defaults = _compat_defaults(cls)
        if not defaults:
            return schema  # with no validator that costs time

        def fill(data: Any, info: core_schema.ValidationInfo) -> Any:
            if info.context != COMPAT_MODE or not isinstance(data, dict):
                return data
            return with_compat_defaults(cls, cast("dict[str, Any]", data))

        return core_schema.with_info_before_validator_function(fill, schema)

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):
        # No return type, here and below: JSON Schema would describe that, and not the fields.
        return significant_fields(self, handler(self), info.context)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        check_marks(cls)


def significant_fields(
    model: StardagBaseModel, dumped: dict[str, Any], context: object
) -> dict[str, Any]:
    """Return the dumped fields less, in an identity, those that have no part in it."""
    if isinstance(context, DumpContext) and context.identity:
        for name, field in type(model).model_fields.items():
            mark = field_mark(field)
            if mark.excluded or getattr(model, name) == mark.compat_default:
                dumped.pop(name if name in dumped else field.serialization_alias or name, None)
    return dumped


def excluded_fields(cls: type[StardagBaseModel]) -> frozenset[str]:
    """Return the names of the fields that have no part in an id, whatever their value."""
    return frozenset(n for n, field in cls.model_fields.items() if field_mark(field).excluded)


class PolymorphicRoot(StardagBaseModel):
    """Base of families of models: one derived directly from this begins a family.

    Members are known by namespace and name. The name is the class's unless
    `name_override=...` is given in the class statement. The namespace is the first that
    applies of `namespace_override=...`, a `__namespace__` class attribute, for tasks the one
    set for their module by `namespace` or `auto_namespace`, "".
    """

    _family: ClassVar[TypeRegistry | None] = None
    _keywords: ClassVar[frozenset[str]]
    """What the class statement gave that no subclass's `__init_subclass__` took."""
    _is_base: ClassVar[bool] = True
    """Whether the class is there to be derived from, and so no member itself."""
    _type_name: ClassVar[str]
    _type_namespace: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The keywords are for __pydantic_init_subclass__, which gets them as well.
        super().__init_subclass__()
        cls._keywords = frozenset(kwargs)

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        name_override: str | None = None,
        namespace_override: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if unknown := cls._keywords & kwargs.keys():
            raise misdeclared(
                cls,
                f"unknown in a class statement: {', '.join(sorted(unknown))}; name_override and "
                "namespace_override can be given",
            )
        cls._is_base = ABC in cls.__bases__ or inspect.isabstract(cls)
        if cls.__pydantic_generic_metadata__["origin"] is not None:
            return  # X[int] is X: it has X's name, and is not another type
        if cls._family is None:
            cls._family = TypeRegistry(cls.__name__)
        cls._type_name = cls.__name__ if name_override is None else name_override
        cls._type_namespace = _namespace_of(cls, namespace_override)
        check_name(cls._type_name)
        check_namespace(cls._type_namespace)
        if not cls._is_base:
            cls._family.add(cls, cls._type_namespace, cls._type_name)

    @classmethod
    def _default_namespace(cls) -> str:
        return ""

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        check_own_serializer(cls)

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name."""
        return cls._type_name

    @classmethod
    def get_namespace(cls) -> str:
        """Return the type's namespace, dotted; empty for none."""
        return cls._type_namespace

    @classmethod
    def describes(cls, body: object) -> bool:
        """Return whether `body` is a JSON object that names a known member of the family."""
        if not isinstance(body, dict) or cls._family is None:
            return False
        named = cast("dict[str, Any]", body)
        return cls._family.knows(named.get(NAMESPACE_KEY, ""), named.get(NAME_KEY))

    @model_validator(mode="wrap")
    @classmethod
    def _resolve(cls, data: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if type(data) is not dict:
            return handler(data)
        if NAME_KEY not in data:
            if cls._is_base:
                is_reference = data.keys() == {"id"}
                raise ValueError(
                    f"{cls.__qualname__} is abstract: derive a class from it (in JSON, "
                    f"{NAME_KEY!r} must say which {cls.__qualname__} it is)"
                    + (f"; the task {data['id']} is not here" if is_reference else "")
                )
            return handler(data)
        body: dict[str, Any] = {**data}
        assert cls._family is not None, "the root has no members of its own"
        member = cls._family.resolve(body.pop(NAMESPACE_KEY, ""), body.pop(NAME_KEY))
        if cls.__pydantic_generic_metadata__["origin"] is member:
            member = cls  # what is written does not say how a type is parametrized
        if not issubclass(member, cls):
            raise ValueError(f"{member.__qualname__} is not a {cls.__qualname__}")
        try:
            # What was written as text is read so, also where code must give the very type.
            return member.model_validate(member._read(body), context=COMPAT_MODE, strict=False)
        except RecursionError:
            raise RecursionError(TOO_DEEP) from None

    @classmethod
    def _read(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Return the values to be validated, given a body that was written.

        It may be older than some fields, its own or those of models in it.
        """
        fields = {k: v for k, v in body.items() if k not in cls.model_computed_fields}
        return with_compat_defaults(cls, fields)

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):
        fields = significant_fields(self, handler(self), info.context)
        return {NAMESPACE_KEY: self._type_namespace, NAME_KEY: self._type_name, **fields}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        reference = handler(schema)
        described = handler.resolve_ref_schema(reference)
        names: dict[str, Any] = {NAMESPACE_KEY: {"type": "string"}, NAME_KEY: {"type": "string"}}
        if cls._is_base or cls.__subclasses__():  # or a member below it, with more fields
            described.pop("additionalProperties", None)
        else:
            names[NAMESPACE_KEY]["const"] = cls.get_namespace()
            names[NAME_KEY]["const"] = cls.get_name()
        needed = names if handler.mode == "serialization" else [NAME_KEY] * cls._is_base
        described["properties"] = names | described.get("properties", {})
        described["required"] = [*needed, *described.get("required", [])]
        return reference


@dataclass(frozen=True, slots=True)
class Polymorphic:
    """Says in a field's type that any member of the family below it may be the value."""


SubClass = Annotated[T, Polymorphic()]
"""`SubClass[Base]`: a field that takes any member of Base's family from Base down."""


def _namespace_of(cls: type[PolymorphicRoot], override: str | None) -> str:
    if override is not None:
        return override
    own: str | None = getattr(cls, "__namespace__", None)
    return own if own is not None else cls._default_namespace()
