"""Models are written as Pydantic writes them, less what they mark as insignificant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar, Union

from programs.dialect import Cases, Made, insignificant
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

import stardag as sd

sd.namespace("models", __name__)


T = TypeVar("T")


class Plain(BaseModel):
    when: datetime = datetime(2024, 1, 1)
    ratio: float = 1
    inner: dict[str, "Plain"] = {}


class Wider(Plain):
    more: int = 5


class HoldsPlain(Made[int]):
    value: Plain


class HoldsAny(Made[int]):
    value: Any


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    lr: float = Field(default=0.1, alias="learning-rate")


class HoldsAliased(Made[int]):
    value: Aliased


class AliasedTask(Made[int]):
    lr: float = Field(alias="learning-rate")


class Excluding(BaseModel):
    shown: int = 1
    hidden: int = Field(default=2, exclude=True)


class HoldsExcluding(Made[int]):
    value: Excluding = Excluding()


class Computed(BaseModel):
    side: int

    @computed_field
    @property
    def area(self) -> int:
        return self.side**2


class HoldsComputed(Made[int]):
    value: Computed


class ComputedTask(Made[int]):
    side: int

    @computed_field
    @property
    def area(self) -> int:
        return self.side**2


class Serialized(BaseModel):
    value: int

    @field_serializer("value")
    def _write(self, value: int) -> str:
        return f"<{value}>"


class HoldsSerialized(Made[int]):
    value: Serialized


class SerializedTask(Made[int]):
    value: int

    @field_serializer("value")
    def _write(self, value: int) -> str:
        return f"<{value}>"


class AnnotatedTask(Made[int]):
    value: Annotated[int, PlainSerializer(lambda value: value * 2)]


class Whole(BaseModel):
    a: int

    @model_serializer
    def _write(self) -> list[int]:
        return [self.a]


class HoldsWhole(Made[int]):
    value: Whole


class ValidatedTask(Made[int]):
    value: str

    @field_validator("value")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.lower()


class ChangedTask(Made[int]):
    value: int = 1

    @model_validator(mode="before")
    @classmethod
    def _change(cls, body: Any) -> Any:
        return {**body, "value": 5}


class ConfiguredTask(Made[int]):
    model_config = ConfigDict(ser_json_timedelta="float", ser_json_bytes="base64")

    span: timedelta = timedelta(seconds=1.5)
    raw: bytes = b"\xff"


class WrittenOtherwise(Made[int]):
    value: int = Field(serialization_alias="written")


class ReadOtherwise(Made[int]):
    value: int = Field(validation_alias="read")


class WithPrivate(Made[int]):
    value: int = 1
    _hidden: int = PrivateAttr(default=3)


class Mixin(BaseModel):
    mixed: int = 3


class WithMixin(Mixin, Made[int]):
    value: int = 1


class Numbers(RootModel[list[int]]):
    pass


class HoldsRoot(Made[int]):
    value: Numbers


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = ""


class HoldsEither(Made[int]):
    value: Annotated[Union[Cat, Dog], Field(discriminator="kind")]


class Box(BaseModel, Generic[T]):
    content: T


class HoldsBox(Made[int]):
    value: Box[float]


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")


class HoldsExtra(Made[int]):
    value: Extra


class Marked(sd.StardagBaseModel):
    kept: int = 1
    note: Annotated[str, insignificant()] = ""
    added: Annotated[int, sd.StardagField(compat_default=0)] = 0


class Outer(BaseModel):
    marked: Marked = Marked()


class HoldsMarked(Made[int]):
    value: Marked = Marked()


class HoldsMarkedDeep(Made[int]):
    value: dict[str, list[Marked]]


class HoldsMarkedInPlain(Made[int]):
    value: Outer


class Noted(Made[int]):
    a: int = 1
    note: Annotated[str, insignificant()] = ""
    added: Annotated[int | None, sd.StardagField(compat_default=None)] = None


class AddedModel(Made[int]):
    a: int = 1
    options: Annotated[Marked, sd.StardagField(compat_default=Marked(kept=7))] = Marked(kept=7)


class AddedFloat(Made[int]):
    rate: Annotated[float, sd.StardagField(compat_default=1)] = 1.0


class AddedFlag(Made[int]):
    value: Annotated[bool | int, sd.StardagField(compat_default=True)] = True


class AddedList(Made[int]):
    value: Annotated[list[int], sd.StardagField(compat_default=[])] = []


class AddedSet(Made[int]):
    value: Annotated[sd.HashableSet[int], sd.StardagField(compat_default=frozenset())] = frozenset()


class FloatBox(Made[int]):
    value: float = 1
    other: float = Field(default=2)


CASES: Cases = {
    "a model": lambda: HoldsPlain(value=Plain(ratio=2, inner={"k": Plain()})),
    "a model given as a dict": lambda: HoldsPlain(value={"ratio": 0.5}),
    "a wider model where a narrower is declared": lambda: HoldsPlain(value=Wider()),
    "an untyped model": lambda: HoldsAny(value=Wider()),
    "a model with an alias": lambda: HoldsAliased(value={"learning-rate": 1}),
    "a task's field with an alias": lambda: AliasedTask(**{"learning-rate": 1}),
    "a model that excludes a field": lambda: HoldsExcluding(),
    "a model that computes a field": lambda: HoldsComputed(value=Computed(side=2)),
    "a task that computes a field": lambda: ComputedTask(side=2),
    "a model that writes a field its way": lambda: HoldsSerialized(value=Serialized(value=1)),
    "a task that writes a field its way": lambda: SerializedTask(value=1),
    "a type that writes itself its way": lambda: AnnotatedTask(value=2),
    "a model that writes itself its way": lambda: HoldsWhole(value=Whole(a=1)),
    "a value that is validated to another": lambda: ValidatedTask(value="ABC"),
    "a task that changes what it is given": lambda: ChangedTask(value=2),
    "a task that configures how it is written": lambda: ConfiguredTask(),
    "a field written under an alias": lambda: WrittenOtherwise(value=1),
    "a field read under an alias": lambda: ReadOtherwise(read=1),
    "a private attribute": lambda: WithPrivate(),
    "a task that mixes in a model": lambda: WithMixin(),
    "a root model": lambda: HoldsRoot(value=[1, 2]),
    "one of two models": lambda: HoldsEither(value=Dog(name="x")),
    "one of two models given as a dict": lambda: HoldsEither(value={"kind": "cat"}),
    "a generic model": lambda: HoldsBox(value=Box[float](content=1)),
    "a model with extra fields": lambda: HoldsExtra(value=Extra(b=1, a=2.0)),
    "a marked model": lambda: HoldsMarked(),
    "a marked model with a note": lambda: HoldsMarked(value=Marked(note="x")),
    "a marked model with a value of its own": lambda: HoldsMarked(value=Marked(added=3)),
    "marked models in a nesting": lambda: HoldsMarkedDeep(
        value={"k": [Marked(note="x"), Marked()]}
    ),
    "a marked model in a plain one": lambda: HoldsMarkedInPlain(
        value=Outer(marked=Marked(note="x"))
    ),
    "an untyped marked model": lambda: HoldsAny(value=Marked(note="x")),
    "a note has no part in the id": lambda: Noted(note="x"),
    "a field at its compat default": lambda: Noted(),
    "a field that left its compat default": lambda: Noted(added=3),
    "a model at its compat default": lambda: AddedModel(),
    "a model that left its compat default": lambda: AddedModel(options=Marked(kept=8)),
    "a float that equals its compat default": lambda: AddedFloat(rate=1),
    "an int that equals a compat default of true": lambda: AddedFlag(value=1),
    "a list at its compat default": lambda: AddedList(),
    "a set at its compat default": lambda: AddedSet(),
    "ints as defaults of floats": lambda: FloatBox(),
}
