"""Configuration: defaults, files and environment, and where each value came from.

Sources, a later one winning: the defaults; the user's file (`config.toml` in the
user's configuration directory); the project's file (`stardag.toml`, or
`[tool.stardag]` in `pyproject.toml`, in the working directory or the nearest one
above it that has either; `STARDAG_CONFIG` names another file in its place); the
environment. `STARDAG_PROFILE=name` lays the file's `[profiles.name]` over the rest
of that file.

Paths in a file are relative to the file's directory.
"""

from __future__ import annotations

import functools
import json
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from stardag._errors import ConfigError

DEFAULT_ADDRESS = "127.0.0.1:7465"

# Environment variable -> where its value goes.
_VARIABLES = {
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


def _user_path(kind: Literal["config", "data", "state"], app: str = "stardag") -> Path:
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")(app, appauthor=False))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerConfig(_Section):
    """The tracking service to report to."""

    address: str | None = None
    """`host:port` or a URL; without one nothing is tracked. Off loopback it means TLS."""
    token: SecretStr | None = None
    """The credential itself; prefer `token_file`."""
    token_file: Path | None = None
    """File with the credential; by default the one that a local server writes."""

    def read_token(self) -> str | None:
        """Return the credential, or None if there is none.

        Raises `ConfigError` if a token file was named and can't be read.
        """
        if self.token is not None:
            return self.token.get_secret_value()
        path = self.token_file or _user_path("data", "stardag-server") / "token"
        try:
            return path.read_text().strip() or None
        except FileNotFoundError:
            if self.token_file is None:
                return None
            raise ConfigError(
                f"the token file {path} does not exist; is the server running? "
                "(it writes the file when it starts)"
            ) from None
        except OSError as error:
            raise ConfigError(f"the token file {path} can't be read: {error.strerror}") from None


class TrackingConfig(_Section):
    """How events are kept on this machine until the service has them."""

    state_dir: Path = Field(default_factory=lambda: _user_path("state"))
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


class Config(_Section):
    """All settings. Frozen; `load_config` makes one."""

    target_roots: dict[str, str] = Field(default_factory=dict)
    """Target root URI or path by name. `default` has a default; others must be named."""
    server: ServerConfig = Field(default_factory=ServerConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)

    def target_root(self, key: str) -> str:
        """Return the target root called `key`.

        Raises `ConfigError` if it isn't configured. The root called `default` is in the
        user's data directory unless configured.
        """
        root = self.target_roots.get(key)
        if root is not None:
            return root
        if key == "default":
            return str(_user_path("data") / "targets")
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
    for path in (_user_path("config") / "config.toml", _project_file()):
        if path is not None and path.is_file():
            _lay(values, _read_file(path), (), str(path), sources)
    for name, (section, key) in _VARIABLES.items():
        if (text := os.environ.get(name)) is not None:
            _lay(values, {section: {key: text or None}}, (), name, sources)
    _lay(values, {"target_roots": _roots_from_environment()}, (), _ROOTS, sources)
    try:
        return LoadedConfig(config=Config.model_validate(values), sources=sources)
    except ValidationError as error:
        raise ConfigError(_describe(error, sources)) from None


def _lay(
    onto: dict[str, Any],
    values: dict[str, Any],
    path: tuple[str, ...],
    source: str,
    sources: dict[str, str],
) -> None:
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict):
            _lay(onto.setdefault(key, {}), value, here, source, sources)  # pyright: ignore[reportUnknownArgumentType]
        else:
            onto[key] = value
            sources[".".join(here)] = source


def _project_file() -> Path | None:
    if named := os.environ.get("STARDAG_CONFIG"):
        path = Path(named)
        if not path.is_file():
            raise ConfigError(f"STARDAG_CONFIG names {path}, which does not exist")
        return path
    for directory in (Path.cwd(), *Path.cwd().parents):
        if (own := directory / "stardag.toml").is_file():
            return own
        pyproject = directory / "pyproject.toml"
        if pyproject.is_file() and "stardag" in _parse(pyproject).get("tool", {}):
            return pyproject
    return None


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def _read_file(path: Path) -> dict[str, Any]:
    values = _parse(path)
    if path.name == "pyproject.toml":
        values = values["tool"]["stardag"]
    profiles: dict[str, dict[str, Any]] = values.pop("profiles", {})
    if chosen := os.environ.get("STARDAG_PROFILE"):
        if chosen not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            raise ConfigError(f"{path} has no profile {chosen!r} (it has: {known})")
        for section, own in profiles[chosen].items():
            values[section] = {**values.get(section, {}), **own}
    base = path.resolve().parent
    for section, key in (("server", "token_file"), ("tracking", "state_dir")):
        if isinstance(text := values.get(section, {}).get(key), str):
            values[section][key] = _below(base, text)
    for name, root in values.get("target_roots", {}).items():
        if isinstance(root, str) and "://" not in root:
            values["target_roots"][name] = str(_below(base, root))
    return values


def _below(base: Path, text: str) -> Path:
    return Path(os.path.normpath(base / Path(text).expanduser()))


def _roots_from_environment() -> dict[str, str]:
    roots: dict[str, str] = {}
    if text := os.environ.get(_ROOTS):
        try:
            parsed = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{_ROOTS} is not valid JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise ConfigError(f'{_ROOTS} must be a JSON object such as {{"default": "/data"}}')
        roots.update(parsed)  # pyright: ignore[reportUnknownArgumentType]
    prefix = _ROOTS + "__"
    for name, value in os.environ.items():
        if name.startswith(prefix):
            roots[name.removeprefix(prefix).lower()] = value
    return {
        name: root if "://" in root else str(Path(root).expanduser()) if root else root
        for name, root in roots.items()
    }


def _describe(error: ValidationError, sources: dict[str, str]) -> str:
    lines: list[str] = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        lines.append(f"{name} (from {sources.get(name, 'defaults')}): {problem['msg']}")
    return "invalid configuration: " + "; ".join(lines)
