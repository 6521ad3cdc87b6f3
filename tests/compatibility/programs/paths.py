"""Where an output is: parts of the path, target roots, extensions by type."""

from typing import Annotated, Any, ClassVar

from programs.dialect import Cases, Made, Task, get_target
from pydantic import BaseModel

import stardag as sd
from stardag.target.serialize import JSONSerializer, PickleSerializer, PlainTextSerializer

sd.namespace("paths", __name__)


class Model(BaseModel):
    a: int = 1


class Json(Made[dict[str, int]]):
    pass


class OfModel(Made[Model]):
    pass


class Text(Made[str]):
    pass


class Raw(Made[bytes]):
    pass


class Nothing(Made[None]):
    pass


class Untyped(Made[Any]):
    pass


class Chosen(Made[Annotated[Model, PickleSerializer()]]):
    pass


class ChosenJson(Made[Annotated[str, JSONSerializer(str)]]):
    pass


class ChosenText(Made[Annotated[str, PlainTextSerializer()]]):
    pass


class Own:
    """A class that Pydantic can't describe."""


def make_of_own() -> object:
    class OfOwn(Made[Own]):
        pass

    return OfOwn()


class Parts(Made[dict[str, int]]):
    base: str = ""
    extra: str = ""
    filename: str = ""

    @property
    def _relpath_base(self) -> str:
        return self.base

    @property
    def _relpath_extra(self) -> str:
        return self.extra

    @property
    def _relpath_filename(self) -> str:
        return self.filename


class Extension(Made[dict[str, int]]):
    @property
    def _relpath_extension(self) -> str:
        return "dat"


class DottedExtension(Made[dict[str, int]]):
    @property
    def _relpath_extension(self) -> str:
        return ".tar.gz"


class NoExtension(Made[dict[str, int]]):
    @property
    def _relpath_extension(self) -> str:
        return ""


class Plain(Made[int]):
    _relpath_base = "plain/base"
    _relpath_extra = "plain/extra"
    _target_root_key = "other"


class WholePath(Made[int]):
    name: str

    @property
    def _relpath(self) -> str:
        return f"whole/{self.name}.json"


class ByClassVariable(Made[int]):
    _relpath_base: ClassVar[str] = "by/variable"


class Rooted(Made[int]):
    @property
    def _target_root_key(self) -> str:
        return "other"


class Spaced(Made[int], namespace_override="a.b"):
    @property
    def _relpath_base(self) -> str:
        return "base"

    @property
    def _relpath_extra(self) -> str:
        return "extra"


class Handmade(Task[Any]):
    name: str

    def output(self) -> Any:
        return get_target(f"made/{self.name}.txt")

    def target(self) -> Any:
        return self.output()

    def run(self) -> None: ...


class Directory(Task[Any]):
    def output(self) -> Any:
        return sd.get_directory_target("a/directory")

    def target(self) -> Any:
        return self.output()

    def run(self) -> None: ...


@sd.task(relpath={"base": "base", "extra": lambda self: f"n-{self.n}", "filename": "data"})
def by_parts(n: int) -> int:
    return n


@sd.task(relpath="whole/path.json")
def by_path(n: int) -> int:
    return n


@sd.task(relpath=lambda self: f"whole/{self.n}.json")
def by_function(n: int) -> int:
    return n


@sd.task(version="2", name="Other", relpath={"extension": "dat"})
def by_extension(n: int) -> int:
    return n


@sd.task
def text(n: int) -> str:
    return str(n)


@sd.task
def nothing(n: int) -> None:
    return None


def make_rooted_function() -> object:
    @sd.task(target_root_key="other")  # since 0.10
    def rooted(n: int) -> int:
        return n

    return rooted(n=1)


CASES: Cases = {
    "json": lambda: Json(),
    "a model": lambda: OfModel(),
    "text": lambda: Text(),
    "bytes": lambda: Raw(),
    "nothing": lambda: Nothing(),
    "an untyped output": lambda: Untyped(),
    "a serializer chosen": lambda: Chosen(),
    "json chosen for text": lambda: ChosenJson(),
    "text chosen": lambda: ChosenText(),
    "a class that json can't hold": make_of_own,
    "a base": lambda: Parts(base="of/all"),
    "an extra": lambda: Parts(extra="x/y"),
    "a filename": lambda: Parts(filename="data"),
    "all parts and a version": lambda: Parts(base="b", extra="x", filename="f", version="7"),
    "slashes around parts": lambda: Parts(base="/b/", extra="/x/", filename="f.csv"),
    "an extension": lambda: Extension(),
    "an extension with its dot": lambda: DottedExtension(),
    "no extension": lambda: NoExtension(),
    "plain attributes": lambda: Plain(),
    "a class variable": lambda: ByClassVariable(),
    "a whole path": lambda: WholePath(name="n"),
    "a whole absolute path": lambda: WholePath(name="/abs"),
    "another root": lambda: Rooted(),
    "a namespace between base and name": lambda: Spaced(version="1"),
    "a target of one's own": lambda: Handmade(name="n"),
    "a function with parts": lambda: by_parts(n=1),
    "a function with a whole path": lambda: by_path(n=1),
    "a function with a function for the path": lambda: by_function(n=1),
    "a function with an extension": lambda: by_extension(n=1),
    "a function with another root": make_rooted_function,
    "a directory": lambda: Directory(),
    "a function that returns text": lambda: text(n=1),
    "a function that returns nothing": lambda: nothing(n=1),
}
