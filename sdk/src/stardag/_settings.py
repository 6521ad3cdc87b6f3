"""What can be set, what each setting means, and the environment variable of each."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from pydantic import ValidationInfo

# Environment variable -> where its value goes.
VARIABLES = {
    "STARDAG_TARGET_WRITE_ONCE": ("targets", "write_once"),
    "STARDAG_TARGET_FSYNC": ("targets", "fsync"),
    "STARDAG_TARGET_CACHE_DIR": ("targets", "cache_dir"),
    "STARDAG_TARGET_CACHE_MAX_BYTES": ("targets", "cache_max_bytes"),
    "STARDAG_PICKLE_AS_LAST_RESORT": ("targets", "pickle_as_last_resort"),
    "STARDAG_SERVER": ("server", "address"),
    "STARDAG_TOKEN": ("server", "token"),
    "STARDAG_TOKEN_FILE": ("server", "token_file"),
    "STARDAG_CA_FILE": ("server", "ca_file"),
    "STARDAG_CLIENT_CERTIFICATE": ("server", "client_certificate"),
    "STARDAG_CLIENT_KEY": ("server", "client_key"),
    "STARDAG_STATE_DIR": ("tracking", "state_dir"),
    "STARDAG_FSYNC": ("tracking", "fsync"),
    "STARDAG_OFFLINE": ("tracking", "offline"),
    "STARDAG_FLUSH_TIMEOUT": ("tracking", "flush_timeout"),
    "STARDAG_QUIET": ("tracking", "quiet"),
    "STARDAG_TRACE_URL": ("tracking", "trace_url"),
}
ROOTS = "STARDAG_TARGET_ROOTS"
"""Environment variable of the target roots; the name of one root may follow, after `__`."""


def user_path(kind: Literal["config", "data", "state"]) -> Path:
    """Return the user's directory of one kind, by the conventions of the system."""
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("stardag", appauthor=False))


def _absolute(path: Path, info: ValidationInfo) -> Path:
    """Return a path relative to where its source is, if that is known."""
    base: Path = info.context["base"] if info.context else Path()
    return Path(os.path.normpath(base / path.expanduser()))


def _not_the_content(path: object) -> object:
    """Refuse a key or certificate where its path belongs, without repeating it."""
    if "-----BEGIN" in str(path):
        raise ValueError("it is the content of a file; write the file's path")
    return path


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


def _with_trace_id(url: str) -> str:
    if "{trace_id}" not in url:
        raise ValueError("it has no {trace_id}, as in http://localhost:16686/trace/{trace_id}")
    return url


ConfigPath = Annotated[Path, AfterValidator(_absolute)]
PemPath = Annotated[Path, BeforeValidator(_not_the_content), AfterValidator(_absolute)]
TargetRoot = Annotated[str, AfterValidator(_absolute_root)]


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerConfig(Section):
    """The tracking service to report to."""

    address: str | None = None
    """`host:port` or a URL; without one nothing is tracked. Off loopback it means TLS."""
    token: SecretStr | None = None
    """The credential itself; prefer `token_file`."""
    token_file: ConfigPath | None = None
    """File with the credential; by default the one that a local server writes."""
    ca_file: PemPath | None = None
    """PEM file of the CAs that may have signed the server's certificate; else the system's."""
    client_certificate: PemPath | None = None
    """PEM file of the certificate to show to the server, with its chain."""
    client_key: PemPath | None = None
    """PEM file of that certificate's key, without a password."""


class TrackingConfig(Section):
    """How events are kept on this machine until the service has them."""

    state_dir: ConfigPath = Field(default_factory=lambda: user_path("state"))
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
    trace_url: Annotated[str, AfterValidator(_with_trace_id)] | None = None
    """Where a trace is shown, with `{trace_id}` in the place of its id."""


class TargetsConfig(Section):
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


class Config(Section):
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
            return str(older if older.is_dir() else user_path("data") / "targets")
        known = ", ".join(sorted({*self.target_roots, "default"}))
        raise ConfigError(
            f"there is no target root called {key!r} (known: {known}); set "
            f"{ROOTS}__{key.upper()}=<path or URI>, or `{key} = ...` under "
            "[target_roots] in stardag.toml"
        )
