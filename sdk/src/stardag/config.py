"""Configuration: defaults, files and environment, and where each value came from.

Sources, a later one winning: the defaults; the user's file (`config.toml` in the
user's configuration directory); the project's file (`stardag.toml`, or
`[tool.stardag]` in `pyproject.toml`, in the working directory or the nearest one
above it that has either; `STARDAG_CONFIG` names another file in its place); the
environment. `STARDAG_PROFILE=name` lays a file's `[profiles.name]` over the rest of that
file.

Paths in a file are relative to the file's directory, those in variables to the working
directory. An empty variable unsets what files set.
"""

from __future__ import annotations

import functools
import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

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


def _user_path(kind: Literal["config", "data", "state"]) -> Path:
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("stardag", appauthor=False))


def _absolute(path: Path, info: ValidationInfo) -> Path:
    """Return a path relative to where its source is, if that is known."""
    base: Path = info.context["base"] if info.context else Path()
    return Path(os.path.normpath(base / path.expanduser()))


def _absolute_root(root: str, info: ValidationInfo) -> str:
    return root if "://" in root else str(_absolute(Path(root), info))


ConfigPath = Annotated[Path, AfterValidator(_absolute)]
TargetRoot = Annotated[str, Field(min_length=1), AfterValidator(_absolute_root)]


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
    """Print none of tracking's own lines."""


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


class LoadedConfig(BaseModel):
    """A configuration and where each of its values was set."""

    config: Config
    sources: dict[str, str]
    """Dotted name of each value that was set -> the file or variable that set it."""


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
            _lay(values, file.profiles[profile].model_dump(exclude_unset=True), name, sources)
    known = sorted({name for file in files.values() for name in file.profiles})
    if profile is not None and profile not in known:
        raise ConfigError(
            f"STARDAG_PROFILE is {profile!r}, and there is no such profile "
            f"(known: {', '.join(known) or 'none'})"
        )
    for name, layer in _environment():
        _lay(values, layer.model_dump(exclude_unset=True), name, sources)
    return LoadedConfig(config=Config.model_validate(values), sources=sources)


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
        else:
            onto[key] = value
            sources[".".join(here)] = source


def _files() -> Iterator[Path]:
    """Return the files there are, the one that wins last."""
    user = _user_path("config") / "config.toml"
    if user.is_file():
        yield user
    if named := os.environ.get("STARDAG_CONFIG"):
        if not (path := Path(named)).is_file():
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
    try:
        return _File.model_validate(values, context={"base": path.resolve().parent})
    except ValidationError as error:
        raise ConfigError(f"{path}: {_describe(error)}") from None


def _environment() -> Iterator[tuple[str, Config]]:
    """Return what each variable sets."""
    for name, (section, key) in _VARIABLES.items():
        if (text := os.environ.get(name)) is not None:
            yield name, _from_variable(name, {section: {key: text or None}})
    if text := os.environ.get(_ROOTS):
        try:
            roots = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{_ROOTS} is not valid JSON: {error}") from None
        yield _ROOTS, _from_variable(_ROOTS, {"target_roots": roots})
    prefix = _ROOTS + "__"
    for name, text in os.environ.items():
        if name.startswith(prefix) and text:
            root = {name.removeprefix(prefix).lower(): text}
            yield name, _from_variable(name, {"target_roots": root})


def _from_variable(name: str, values: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(values, context={"base": Path.cwd()})
    except ValidationError as error:
        raise ConfigError(f"{name}: {_describe(error)}") from None


def _describe(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    )
