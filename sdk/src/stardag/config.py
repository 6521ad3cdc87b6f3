"""Configuration: defaults, files and environment, and where each value came from.

Sources, a later one winning: the defaults; the user's file (`config.toml` in the
user's configuration directory); the project's file (`stardag.toml`, or
`[tool.stardag]` in `pyproject.toml`, in the working directory or the nearest one
above it that has either; `STARDAG_CONFIG` names another file in its place); the
environment. `STARDAG_PROFILE=name` lays a file's `[profiles.name]` over the rest of that
file.

Paths in a file are relative to the file's directory, those in variables to the working
directory. An empty variable unsets what files set: the default holds.
"""

from __future__ import annotations

import functools
import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError

from stardag._errors import ConfigError
from stardag._settings import (
    ROOTS,
    VARIABLES,
    Config,
    Section,
    ServerConfig,
    TargetsConfig,
    TrackingConfig,
    user_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

__all__ = [
    "Config",
    "LoadedConfig",
    "ServerConfig",
    "TargetsConfig",
    "TrackingConfig",
    "get_config",
    "load_config",
    "read_config",
    "unknown_variables",
]

_ROOT = f"{ROOTS}__"
_SELECTING = ("STARDAG_CONFIG", "STARDAG_PROFILE")

_UNSET: Any = object()


ConfigT = TypeVar("ConfigT", bound=Config)


class LoadedConfig(BaseModel):
    """A configuration and where each of its values was set."""

    config: Config
    sources: dict[str, str]
    """Dotted name of each value that was set -> the file or variable that set it."""
    profile: str | None
    """The profile in use."""


class _File(Config):
    """What a file may have: the settings, and profiles of them."""

    profiles: dict[str, Config] = Field(default_factory=dict)


@functools.cache
def get_config() -> Config:
    """Return this process's configuration, loaded when it is first asked for."""
    return load_config().config


def load_config() -> LoadedConfig:
    """Read every source anew.

    Raises `ConfigError` naming the file or variable at fault.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    profile = os.environ.get("STARDAG_PROFILE") or None
    files = {str(path): _read_file(path) for path in _files()}
    for name, file in files.items():
        _lay(values, file.model_dump(exclude_unset=True, exclude={"profiles"}), name, sources)
        if profile in file.profiles:
            settings = file.profiles[profile].model_dump(exclude_unset=True)
            _lay(values, settings, f"{name} [profiles.{profile}]", sources)
    known = sorted({name for file in files.values() for name in file.profiles})
    if profile is not None and profile not in known:
        raise ConfigError(
            f"STARDAG_PROFILE is {profile!r}, and there is no such profile "
            f"(known: {', '.join(known) or 'none'})"
        )
    for name, section, key, value in _environment():
        _lay(values, {section: {key: value}}, name, sources)
    return LoadedConfig(config=Config.model_validate(values), sources=sources, profile=profile)


def _lay(
    onto: dict[str, Any],
    values: dict[str, Any],
    source: str,
    sources: dict[str, str],
    path: tuple[str, ...] = (),
) -> None:
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            _lay(onto.setdefault(key, {}), inner, source, sources, here)
            continue
        if value is _UNSET:
            onto.pop(key, None)
        else:
            onto[key] = value
        sources[".".join(here)] = source


def _files() -> Iterator[Path]:
    """Return the files there are, the one that wins last."""
    user = user_path("config") / "config.toml"
    if user.is_file():
        yield user
    if named := os.environ.get("STARDAG_CONFIG"):
        if not (path := Path(named).expanduser()).is_file():
            raise ConfigError(f"STARDAG_CONFIG names {path}, which is not a file")
        yield path
        return
    here = _working_directory()
    for directory in (here, *here.parents):
        if (own := directory / "stardag.toml").is_file():
            yield own
            return
        pyproject = directory / "pyproject.toml"
        if pyproject.is_file() and _tool_table(_parse(pyproject)) is not None:
            yield pyproject
            return


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed, and nothing can be relative to it
        return Path()


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None


def _tool_table(pyproject: dict[str, Any]) -> Any:
    """Return `[tool.stardag]`, or None if there is none."""
    tool = pyproject.get("tool")
    return cast("dict[str, Any]", tool).get("stardag") if isinstance(tool, dict) else None


def _read_file(path: Path) -> _File:
    values = _parse(path)
    if path.name == "pyproject.toml":
        values = _tool_table(values)
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: tool.stardag must be a table, [tool.stardag]")
    return read_config(values, str(path), path.resolve().parent, _File)


def _environment() -> Iterator[tuple[str, str, str, Any]]:
    """Return for each variable the section, the setting and the value that it sets."""
    for name, (section, key) in VARIABLES.items():
        yield from _variable(name, section, key)
    if text := os.environ.get(ROOTS):
        try:
            roots = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{ROOTS} is not valid JSON: {error}") from None
        for key, root in read_config({"target_roots": roots}, ROOTS).target_roots.items():
            yield ROOTS, "target_roots", key, root
    for name in sorted(os.environ):
        if name.startswith(_ROOT):
            if name == _ROOT:
                raise ConfigError(f"{_ROOT} names no target root; write {_ROOT}NAME")
            yield from _variable(name, "target_roots", name.removeprefix(_ROOT).lower())


def _variable(name: str, section: str, key: str) -> Iterator[tuple[str, str, str, Any]]:
    """Return what one variable sets; nothing if it is not there."""
    text = os.environ.get(name)
    if text == "":
        yield name, section, key, _UNSET
    elif text is not None:
        read = read_config({section: {key: text}}, name).model_dump(exclude_unset=True)
        yield name, section, key, read[section][key]


def unknown_variables() -> dict[str, str | None]:
    """Return the variables called `STARDAG_...` that set nothing, and what may be meant by each.

    The server's settings, `STARDAG_SERVER_...`, are its own.
    """
    from difflib import get_close_matches

    known = [*VARIABLES, *_SELECTING, ROOTS]
    return {
        name: next(iter(get_close_matches(name, known, 1, cutoff=0.8)), None)
        for name in sorted(os.environ)
        if name.startswith("STARDAG_")
        and name not in known
        and not name.startswith((_ROOT, "STARDAG_SERVER_"))
    }


def read_config(
    values: Any, source: str, base: Path | None = None, kind: type[ConfigT] = Config
) -> ConfigT:
    """Return settings that `source` has; paths in them are relative to `base`.

    Raises `ConfigError` naming the source and the setting at fault.
    """
    try:
        return kind.model_validate(values, context={"base": base or _working_directory()})
    except ValidationError as error:
        problems = "; ".join(map(_describe, error.errors()))
        raise ConfigError(f"{source}: {problems}") from None


def _describe(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return _describe_unknown([str(part) for part in problem["loc"]])
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"


def _describe_unknown(place: list[str]) -> str:
    from difflib import get_close_matches

    *above, name = place
    section = above[2:] if above[:1] == ["profiles"] else above
    settings = Config.model_fields[section[0]].default_factory if section else _File
    known = list(cast("type[Section]", settings).model_fields)
    meant = get_close_matches(name, known, 1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"there are {', '.join(known)}"
    return f"there is no setting {'.'.join(place)!r} ({hint})"
