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
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

# Environment variable -> where its value goes.
_VARIABLES = {
    "STARDAG_TARGET_WRITE_ONCE": ("targets", "write_once"),
    "STARDAG_TARGET_FSYNC": ("targets", "fsync"),
    "STARDAG_TARGET_CACHE_DIR": ("targets", "cache_dir"),
    "STARDAG_TARGET_CACHE_MAX_BYTES": ("targets", "cache_max_bytes"),
    "STARDAG_PICKLE_AS_LAST_RESORT": ("targets", "pickle_as_last_resort"),
    "STARDAG_SERVER": ("server", "address"),
    "STARDAG_TOKEN": ("server", "token"),
    "STARDAG_TOKEN_FILE": ("server", "token_file"),
    "STARDAG_STATE_DIR": ("tracking", "state_dir"),
    "STARDAG_FSYNC": ("tracking", "fsync"),
    "STARDAG_OFFLINE": ("tracking", "offline"),
    "STARDAG_FLUSH_TIMEOUT": ("tracking", "flush_timeout"),
    "STARDAG_QUIET": ("tracking", "quiet"),
}
_ROOTS = "STARDAG_TARGET_ROOTS"
_ROOT = f"{_ROOTS}__"
_SELECTING = ("STARDAG_CONFIG", "STARDAG_PROFILE")

_UNSET: Any = object()


def _user_path(kind: Literal["config", "data", "state"]) -> Path:
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("stardag", appauthor=False))


def _absolute(path: Path, info: ValidationInfo) -> Path:
    """Return a path relative to where its source is, if that is known."""
    base: Path = info.context["base"] if info.context else Path()
    return Path(os.path.normpath(base / path.expanduser()))


def _absolute_root(root: str, info: ValidationInfo) -> str:
    """Return a root as it is if it is a URI, else as an absolute path."""
    scheme, is_uri, place = root.partition("://")
    if not root.strip():
        raise ValueError("it is empty; write a path or a URI")
    if not is_uri:
        if one_slash := re.match(r"([a-z][a-z0-9+.-]+):/", root):
            there = root[one_slash.end() :]
            raise ValueError(f"a URI has two slashes after its scheme: {one_slash[1]}://{there}")
        return str(_absolute(Path(root), info))
    if scheme == "s3" and not place.strip("/"):
        raise ValueError(f"{root} names no bucket")
    if scheme == "file" and not place.removeprefix("localhost").startswith("/"):
        raise ValueError(f"file:// is followed by a full path: file:///{place}")
    return root


ConfigPath = Annotated[Path, AfterValidator(_absolute)]
TargetRoot = Annotated[str, AfterValidator(_absolute_root)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerConfig(_Section):
    """The tracking service to report to."""

    address: str | None = None
    """`host:port` or a URL; without one nothing is tracked. Off loopback it means TLS."""
    token: SecretStr | None = None
    """The credential itself; prefer `token_file`."""
    token_file: ConfigPath | None = None
    """File with the credential; by default the one that a local server writes."""


class TrackingConfig(_Section):
    """How events are kept on this machine until the service has them."""

    state_dir: ConfigPath = Field(default_factory=lambda: _user_path("state"))
    """Directory of the spool and the sender's state."""
    fsync: Literal["interval", "never", "always"] = "interval"
    """When spooled events are forced to disk: each 100 ms, never, or each one."""
    offline: bool = False
    """Keep events although no server is configured, for a later `stardag sync`."""
    max_bytes: int = Field(default=256 * 2**20, ge=2**20)
    """Most bytes of spool a process may use; events beyond it are counted as lost."""
    retention_s: float = Field(default=24 * 3600.0, ge=0)
    """Seconds that delivered segments are kept, for a server restored from a backup."""
    flush_timeout: float = Field(default=2.0, ge=0)
    """Most seconds a build waits at its end until its events are delivered."""
    quiet: bool = False
    """Print none of tracking's own lines, and no progress that a call does not ask for."""


class TargetsConfig(_Section):
    """How outputs are written and read."""

    write_once: bool = False
    """Never replace an object: a second write of it is dropped."""
    fsync: bool = False
    """Local files: end a write only when it would survive a power failure."""
    cache_dir: ConfigPath | None = None
    """Where copies of remote objects are kept once they have been read; without it, nowhere."""
    cache_max_bytes: int = Field(default=10 * 2**30, ge=0)
    """Most bytes of copies in `cache_dir`."""
    pickle_as_last_resort: bool = False
    """Pickle outputs of types that no serializer fits, as the 0.1 series did."""


class Config(_Section):
    """All settings. Frozen; `load_config` makes one."""

    target_roots: dict[str, TargetRoot] = Field(default_factory=dict)
    """Target root URI or path by name. `default` has a default; others must be named."""
    targets: TargetsConfig = Field(default_factory=TargetsConfig)
    resources: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """How much there is on this machine of what tasks need, by name: `gpu = 2`."""
    server: ServerConfig = Field(default_factory=ServerConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)

    def target_root(self, key: str) -> str:
        """Return the target root called `key`.

        Raises `ConfigError` if it isn't configured. The root called `default` is, unless
        configured, where the published releases have it, if there is such a directory, and
        else in the user's data directory.
        """
        root = self.target_roots.get(key)
        if root is not None:
            return root
        if key == "default":
            older = Path("~/.stardag/local-target-roots/default/default").expanduser()
            return str(older if older.is_dir() else _user_path("data") / "targets")
        known = ", ".join(sorted({*self.target_roots, "default"}))
        raise ConfigError(
            f"there is no target root called {key!r} (known: {known}); set "
            f"{_ROOTS}__{key.upper()}=<path or URI>, or `{key} = ...` under "
            "[target_roots] in stardag.toml"
        )


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
    user = _user_path("config") / "config.toml"
    if user.is_file():
        yield user
    if named := os.environ.get("STARDAG_CONFIG"):
        if not (path := Path(named).expanduser()).is_file():
            raise ConfigError(f"STARDAG_CONFIG names {path}, which is not a file")
        yield path
        return
    for directory in (Path.cwd(), *Path.cwd().parents):
        if (own := directory / "stardag.toml").is_file():
            yield own
            return
        pyproject = directory / "pyproject.toml"
        if pyproject.is_file() and _tool_table(_parse(pyproject)) is not None:
            yield pyproject
            return


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
    for name, (section, key) in _VARIABLES.items():
        yield from _variable(name, section, key)
    if text := os.environ.get(_ROOTS):
        try:
            roots = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{_ROOTS} is not valid JSON: {error}") from None
        for key, root in read_config({"target_roots": roots}, _ROOTS).target_roots.items():
            yield _ROOTS, "target_roots", key, root
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

    known = [*_VARIABLES, *_SELECTING, _ROOTS]
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
        return kind.model_validate(values, context={"base": base or Path.cwd()})
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
    known = list(cast("type[_Section]", settings).model_fields)
    meant = get_close_matches(name, known, 1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"there are {', '.join(known)}"
    return f"there is no setting {'.'.join(place)!r} ({hint})"
