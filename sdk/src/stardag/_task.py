"""Tasks: what they are made of, what they need, and when they are complete."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Set, Sized
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, cast

from stardag._declaration import misdeclared
from stardag._errors import TaskDefinitionError, VersionMismatchError
from stardag._execution import Execution
from stardag._identified import Identified
from stardag._nesting import children
from stardag._run_form import RunForm, run_form
from stardag._traversal import bottom_up
from stardag.target._protocols import LoadableTarget, Target

if TYPE_CHECKING:
    from typing import Self
    from uuid import UUID

    from stardag.assets import Asset
    from stardag.registry import Registry

T = TypeVar("T")
TargetT_co = TypeVar("TargetT_co", bound=Target, covariant=True)


class BaseTask(Identified):
    """A unit of work, known by its id: same type, version and parameters, same id.

    A subclass declares its parameters as Pydantic fields and defines `complete` and `run`.
    Tasks are immutable; they are equal, and sort, by id.
    """

    # The output and who placed it, once it was asked for: see AutoTask. It is here because
    # Pydantic gives each parametrization of a generic class slots of its own.
    __slots__ = ("_placed",)

    __version__: ClassVar[str] = ""
    """Version that the code of `run` implements; a task of another version is not run."""

    _form: ClassVar[RunForm]
    _execution: ClassVar[Execution] = Execution()

    version: str = ""

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        name_override: str | None = None,
        namespace_override: str | None = None,
        **keywords: Any,
    ) -> None:
        super().__pydantic_init_subclass__(
            name_override=name_override, namespace_override=namespace_override
        )
        if not isinstance(cls.__version__, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise misdeclared(cls, f"__version__ must be text, not {cls.__version__!r}")
        cls._form = run_form(cls, BaseTask)
        execution = {k: v for k, v in keywords.items() if k in cls._keywords}
        if execution:
            where = f"{cls.__module__}.{cls.__qualname__}"
            cls._execution = cls._execution.with_keywords(execution, where)

    @classmethod
    def from_registry(cls, id: UUID, registry: Registry | None = None) -> Self:
        """Return the task that a registry, by default the tracking service, has under an id.

        Raises `stardag.client.NotFoundError` if it has none, `ValueError` if its class has
        not been imported, and `TypeError` if it is no task of this class.
        """
        from stardag.registry import rebuild

        task = rebuild(id, registry)
        if not isinstance(task, cls):
            raise TypeError(f"{task!r} is not a {cls.__qualname__}")
        return task

    @abstractmethod
    def complete(self) -> bool:
        """Return whether there is nothing left to do."""

    def run(self) -> Any:
        """Do the work. Called once all that `requires` returns is complete.

        A generator may yield further tasks, in any nesting: when it is resumed, all of them
        are complete. `async def`, with and without `yield`, runs in an event loop. A task type
        without a `run` of its own stands for something made elsewhere: it has an id and a
        place, and can't be built.
        """
        raise TaskDefinitionError(
            f"{type(self).__qualname__} has no run: what it stands for must exist already"
        )

    async def run_aio(self) -> Any:
        """Do the work in an event loop; beside a `run` that does the same in a thread.

        Defined by types that can do both. A build in an event loop prefers this one.
        """
        raise TaskDefinitionError(f"{type(self).__qualname__} has no run_aio")

    def requires(self) -> TaskStruct | None:
        """Return what must be complete before `run`; nothing, unless overridden."""
        return None

    def output_uri(self) -> str | None:
        """Return where the output is, or None if the task has no such place."""
        return None

    def registry_assets(self) -> Iterable[Asset]:
        """Return what is to be shown with the task in the tracking service; nothing by default.

        Called once the task is complete, in the process that ran it, if builds are tracked. An
        error in it is logged, and fails nothing.
        """
        return ()

    def __repr__(self) -> str:
        values = ((n, self.__dict__[n]) for n in type(self).model_fields if n in self.__dict__)
        shown = (f"{n}={_brief(v)}" for n, v in values if n != "version" or v)
        return f"{self.get_name()}({', '.join(shown)})"

    def __str__(self) -> str:
        return repr(self)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copies = {} if memo is None else memo
        for task in bottom_up([cast("BaseTask", self)], lambda task: id(task) in copies):
            # what is below it is in there by now, so that this goes no deeper
            copies[id(task)] = super(BaseTask, task).__deepcopy__(copies)
        return copies[id(self)]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with other values for the parameters in `update`.

        Raises as the constructor does for a value or a name that does not fit.
        """
        copied = super().model_copy(deep=deep)
        return self.model_validate({**copied.__dict__, **update}) if update else copied

    def check_version(self) -> None:
        """Raise `VersionMismatchError` unless the class's code implements the task's version."""
        if self.version != self.__version__:
            raise VersionMismatchError(
                f"{self!r} has version {self.version!r}, but the code of "
                f"{type(self).__qualname__} implements version {self.__version__!r} "
                f"(its __version__): make the task with version={self.__version__!r}, or let "
                f'the class say so, version: str = "{self.__version__}"'
            )


TaskStruct: TypeAlias = BaseTask | Iterable["TaskStruct | None"] | Mapping[Any, "TaskStruct | None"]
"""A task, or any nesting of sequences, sets and mappings of tasks; None stands for no task."""


_BRIEF_ITEMS, _BRIEF_CHARACTERS = 3, 60


def _brief(value: Any, depth: int = 2) -> str:
    """Return a short text for a parameter, however much is in it; tasks as their name alone."""
    if isinstance(value, BaseTask):
        return f"{value.get_name()}(...)"
    items = children(value)
    if items is None:
        text = repr(value)
        return text if len(text) <= _BRIEF_CHARACTERS else f"{text[: _BRIEF_CHARACTERS - 3]}..."
    if not depth:
        return f"{type(value).__name__}(...)"
    named = not isinstance(value, (list, tuple, Set))
    shown = [
        f"{key}: {_brief(item, depth - 1)}" if named else _brief(item, depth - 1)
        for key, item in itertools.islice(items, _BRIEF_ITEMS)
    ]
    more = len(value) - _BRIEF_ITEMS if isinstance(value, Sized) else 0
    shown += [f"... {more} more"] * (more > 0)
    return f"{{{', '.join(shown)}}}" if named else f"[{', '.join(shown)}]"


class Task(BaseTask, Generic[TargetT_co]):
    """A task whose work is a target: it is complete when the target exists."""

    @abstractmethod
    def output(self) -> TargetT_co:
        """Return the target that `run` makes."""

    def complete(self) -> bool:
        """Return whether the output exists."""
        return self.output().exists()

    def load(self: Task[LoadableTarget[T]]) -> T:
        """Return what the output holds; short for `output().load()`."""
        return self.output().load()

    def output_uri(self) -> str | None:
        """Return the output's URI, if it has one."""
        return getattr(self.output(), "uri", None)


def flatten_task_struct(struct: TaskStruct | None) -> list[BaseTask]:
    """Return the tasks of a nesting, in its order.

    Raises `TypeError` naming the place of what is no task.
    """
    return list(_flatten(struct, ""))


def _flatten(struct: Any, path: str) -> Iterator[BaseTask]:
    if struct is None:
        return
    if isinstance(struct, BaseTask):
        yield struct
    elif isinstance(struct, Mapping):
        for key, item in cast("Mapping[Any, Any]", struct).items():
            yield from _flatten(item, f"{path}[{key!r}]")
    elif isinstance(struct, Iterable) and not isinstance(struct, (str, bytes)):
        for index, item in enumerate(cast("Iterable[Any]", struct)):
            yield from _flatten(item, f"{path}[{index}]")
    else:
        place = f" at {path}" if path else ""
        raise TypeError(
            f"tasks are needed, or lists, tuples, sets and dicts of tasks; found {struct!r}{place}"
        )
