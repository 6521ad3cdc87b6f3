"""Models with an id: what each field's value contributes, and the ids of whole nestings."""

from __future__ import annotations

import functools
from abc import ABC
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, dataclass_transform

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_serializer
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import PydanticSerializationError

from stardag._declaration import check_task, unfit_field
from stardag._errors import IdentityError, TaskDefinitionError
from stardag._field_plan import field_plans
from stardag._fields import HashableSet
from stardag._identity import (
    NAMESPACE,
    IdentityPlan,
    Shape,
    canonical_json,
    find_unidentifiable,
    identify,
)
from stardag._nesting import children
from stardag._polymorphic import (
    TOO_DEEP,
    DumpContext,
    PolymorphicRoot,
    StardagBaseModel,
    excluded_fields,
    significant_fields,
)
from stardag._provider import Provider
from stardag._registry import NAME_KEY, NAMESPACE_KEY, TypeRegistry, module_namespace
from stardag._untyped import is_untyped, with_members

if TYPE_CHECKING:
    from uuid import UUID

    from pydantic import (
        GetCoreSchemaHandler,
        SerializationInfo,
        SerializerFunctionWrapHandler,
    )
    from pydantic._internal._model_construction import ModelMetaclass
    from pydantic_core import CoreSchema

    @dataclass_transform(
        frozen_default=True, kw_only_default=True, field_specifiers=(Field, PrivateAttr)
    )
    class FrozenModelMeta(ModelMetaclass):
        """Tells type checkers that the classes are frozen, and so hashable."""
else:
    FrozenModelMeta = type(PolymorphicRoot)

id_namespace_provider: Provider[UUID] = Provider(lambda: NAMESPACE)
"""The UUID namespace of ids; override it only to keep a fork's or a test's ids apart."""


class Identified(PolymorphicRoot, ABC, metaclass=FrozenModelMeta):  # pyright: ignore[reportGeneralTypeIssues]
    """A frozen model known by its id; inside another model's identity it is its id alone."""

    __slots__ = ("_identity",)

    # A misspelt parameter is an error, and not a task without it.
    model_config = ConfigDict(frozen=True, extra="forbid")

    __task_like__: ClassVar[bool] = True

    _family: ClassVar[TypeRegistry | None] = TypeRegistry("task")
    _plan: ClassVar[IdentityPlan | None] = None

    if not TYPE_CHECKING:  # checkers know the parameters of each class
        # `wraps` keeps the signature, and Pydantic's mark of what is no initializer of a user's
        @functools.wraps(BaseModel.__init__)
        def __init__(self, /, *args, **parameters):
            if args:
                raise TypeError(_by_name(type(self), len(args)))
            made = self.__pydantic_validator__.validate_python(parameters, self_instance=self)
            if made is not self:
                name = type(self).__qualname__
                raise TypeError(f"what was written is read by {name}.model_validate(...)")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        try:
            return super().__get_pydantic_core_schema__(source, handler)
        except PydanticSchemaGenerationError as error:
            raise unfit_field(cls) or error from None

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        check_task(cls)

    @classmethod
    def _default_namespace(cls) -> str:
        return module_namespace(cls.__module__)

    @classmethod
    def _read(cls, body: dict[str, Any]) -> dict[str, Any]:
        values = super()._read(body)
        for name in values.keys() & cls.model_fields.keys():
            annotation = cls.model_fields[name].annotation
            if is_untyped(annotation):
                values[name] = with_members(
                    values[name], cls.describes, Identified.model_validate, annotation
                )
        return values

    @property
    def id(self) -> UUID:
        """The id: a UUIDv5 over the identity JSON. Computed once.

        Raises `IdentityError`, naming the field, if a value has no canonical form.
        """
        try:  # what is known is read here, as all that follows a task asks for it again and again
            return _read_slot(self)[0]
        except AttributeError:
            return _identity_of(self)[0]

    def identity_json(self) -> str:
        """Return the exact text that is hashed into the id."""
        return _identity_of(self)[2] or _identity_text(self)

    def _make_id(self, namespace: UUID) -> tuple[UUID, str]:
        """Compute the id, and the text it is hashed from if that is short enough to be kept.

        Called once, when the ids of all models below are known.
        """
        cls = type(self)
        if cls.__pydantic_generic_metadata__["args"]:
            # How a type is spelled differs between versions of Python: it can't be in an id.
            raise TaskDefinitionError(
                f"{cls.__name__} has no name of its own: give it one, as "
                f"class MyTask({cls.__name__}): ..."
            )
        text = _identity_text(self)
        return identify(text, namespace), text if len(text) <= _KEPT_TEXT else ""

    def params_json(self) -> str:
        """Return every parameter as a JSON object, nested tasks as `{"id": ...}`."""
        if _plan_of(type(self)).is_whole:
            return self.identity_json()
        # a round trip: without what is computed, and text in JSON as the text that it was
        context = DumpContext(self, identity=False)
        dump = self.__pydantic_serializer__.to_json
        return dump(self, context=context, round_trip=True).decode()

    def identity_and_params_json(self) -> tuple[str, str]:
        """Return `identity_json()` and `params_json()`, made once where they are the same."""
        identity = self.identity_json()
        return identity, identity if _plan_of(type(self)).is_whole else self.params_json()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Identified) and id_text(self) == id_text(other)

    def __hash__(self) -> int:
        return hash(id_text(self))

    def __lt__(self, other: Identified) -> bool:
        return id_text(self) < id_text(other)

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):
        context = info.context
        if isinstance(context, DumpContext) and context.top is not self:
            return {"id": id_text(self)}
        try:
            dumped = handler(self)
        except (ValueError, RecursionError) as error:
            # which is all that Pydantic tells of it
            too_deep = isinstance(error, RecursionError) or "depth exceeded" in str(error)
            if not too_deep or isinstance(context, DumpContext):
                raise
            raise ValueError(TOO_DEEP) from None
        fields = significant_fields(self, dumped, context)
        return {NAMESPACE_KEY: self._type_namespace, NAME_KEY: self._type_name, **fields}


def _by_name(cls: type[Identified], count: int) -> str:
    names = [name for name in cls.model_fields if name != "version"][:count]
    example = ", ".join(f"{name}=..." for name in names)
    return f"the parameters of a task are given by name, as {cls.__qualname__}({example})"


def id_text(model: Identified) -> str:
    """Return the id as text; cheaper than `str(model.id)`, and cheaper to hash."""
    return _identity_of(model)[1]


# The id, the same as text, and the identity JSON (empty if it was too long to be kept).
# A plain tuple, as making a named one would add a tenth to the cost of an id.
_Identity: TypeAlias = "tuple[UUID, str, str]"

_KEPT_TEXT = 512
"""Most characters of identity JSON that a model keeps: tracking asks for it once more."""


def _identity_of(model: Identified) -> _Identity:
    """Return the identity, computing those of all models below it first.

    Iterative, as a chain of tasks may be longer than Python's stack is deep.
    """
    known = _known_identity(model)
    if known is not None:
        return known
    namespace = id_namespace_provider.get()
    stack = [model]
    while stack:
        current = stack[-1]
        try:
            below = [m for m in nested(current) if _known_identity(m) is None]
        except KeyError:
            _check_complete(current)
            raise
        except RecursionError:
            raise _error((current,), "a parameter is nested too deeply for JSON") from None
        if below:
            stack.extend(below)
            continue
        stack.pop()
        known = _known_identity(current)
        if known is None:
            id, text = current._make_id(namespace)
            known = (id, str(id), text)
            object.__setattr__(current, "_identity", known)
    assert known is not None, "the model itself is the last to leave the stack"
    return known


def _check_complete(model: Identified) -> None:
    """Raise `IdentityError` if a field has no value, as `model_construct` lets happen."""
    for name in type(model).model_fields:
        if name not in model.__dict__:
            raise _error((model, name), "the field has no value")


def _known_identity(model: Identified) -> _Identity | None:
    try:
        return _read_slot(model)
    except AttributeError:
        return None


# Read by its descriptor: Pydantic's __getattr__ makes an empty slot cost a microsecond.
_read_slot: Callable[[Identified], _Identity] = Identified.__dict__["_identity"].__get__


def nested(model: Identified) -> Iterator[Identified]:
    """Return the identified models in the significant fields of one, those inside them not.

    Raises `IdentityError` for a plain set, which has no order.
    """
    values, plan = model.__dict__, _plan_of(type(model))
    for field in plan.holders:
        value = values[field.name]
        if type(value) in field.exact:
            continue
        if isinstance(value, Identified):
            yield value
        elif field.shape is Shape.TASKS or field.shape is Shape.TASK_SET:
            yield from value
        elif field.shape is Shape.TASK_MAP:
            yield from value.values()
        else:
            yield from _walk(value, (model, field.name))
    for name in plan.computed:
        for found in _walk(getattr(model, name), (model, name)):
            id_text(found)  # now: the next time, the field may be computed as another object
            yield found


def _walk(value: Any, path: tuple[Any, ...]) -> Iterator[Identified]:
    if isinstance(value, Identified):
        yield value
        return
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if hasattr(kind, "__next__"):
        raise _error(path, "an iterator can be read only once; use a list, a tuple or a Sequence")
    if isinstance(value, (set, frozenset)) and not isinstance(value, HashableSet):
        raise _error(path, "a plain set has no order; use HashableSet[...] or TaskSet[...]")
    excluded = excluded_fields(kind) if isinstance(value, StardagBaseModel) else ()
    for key, item in children(value) or ():
        if key not in excluded:
            yield from _walk(item, (*path, key))


def _identity_text(model: Identified) -> str:
    plan = _plan_of(type(model))
    try:
        payload = plan.payload(
            model.__dict__, id_text, _is_identified, lambda names: _dump(model, names)
        )
        return canonical_json(payload)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise _explain(model, error) from error


def _is_identified(value: Any) -> bool:
    return isinstance(value, Identified)


def _dump(model: Identified, names: set[str]) -> dict[str, Any]:
    dumped = model.__pydantic_serializer__.to_python(
        model,
        mode="json",
        include=names,
        context=DumpContext(model, identity=True),
        warnings=False,
    )
    return {name: dumped[name] for name in names}


def _explain(model: Identified, error: Exception) -> IdentityError:
    """Return an error that names the first field whose value can't be identified."""
    for name in _plan_of(type(model)).names:
        try:
            dumped = _dump(model, {name}).get(name)
            if (found := find_unidentifiable(dumped, name)) is not None:
                return _error((model, found[0]), found[1])
            canonical_json(dumped)
        except (PydanticSerializationError, ValueError, TypeError) as cause:
            return _error((model, name), _reason(cause))
    return _error((model,), _reason(error))


def _reason(error: Exception) -> str:
    """Return an error's text without what Pydantic says of our own serializer."""
    return str(error).rpartition("`_serialize`: ")[2]


def _error(path: tuple[Any, ...], problem: str) -> IdentityError:
    model, *rest = path
    where = type(model).__qualname__ + "".join(
        f".{part}" if isinstance(part, str) else f"[{part!r}]" for part in rest
    )
    return IdentityError(f"{where}: {problem}")


def _plan_of(cls: type[Identified]) -> IdentityPlan:
    plan: IdentityPlan | None = cls.__dict__.get("_plan")
    if plan is None:
        if cls._is_base:
            raise TaskDefinitionError(
                f"{cls.__qualname__} is a base of task types and none itself, as it derives from "
                "ABC: derive a class from it"
            )
        head = {NAMESPACE_KEY: cls.get_namespace(), NAME_KEY: cls.get_name()}
        computed = tuple(cls.model_computed_fields)
        excluded = len(excluded_fields(cls))
        plan = IdentityPlan(head, tuple(field_plans(cls)), computed, excluded=excluded)
        cls._plan = plan
    return plan
