"""What `stardag doctor` looks at, one thing after the other."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag.cli.doctor.check import Check
from stardag.cli.doctor.server_checks import server_checks
from stardag.cli.doctor.spool_checks import spool_checks
from stardag.cli.doctor.trace_checks import trace_checks
from stardag.cli.targets.roots import configured_roots
from stardag.config import load_config, unknown_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stardag.config import TrackingConfig


def run_checks() -> Iterator[Check]:
    """Look at everything that a build needs here, and yield what was found as it is found."""
    try:
        loaded = load_config()
    except ConfigError as error:
        yield Check("configuration", False, str(error), "correct it; nothing else was looked at")
        return
    yield _configuration(loaded.profile)
    config = loaded.config
    if config.server.address:
        yield from server_checks(config)
    else:
        kept = "their events are kept here" if config.tracking.offline else "they are not tracked"
        yield Check("server", True, f"none is configured for builds: {kept}")
    yield _state_directory(config.tracking)
    yield from spool_checks(config)
    yield from trace_checks()
    for name in dict.fromkeys(("default", *config.target_roots)):
        yield _root(name)


def _configuration(profile: str | None) -> Check:
    unknown = unknown_variables()
    if unknown:
        hints = (f"{n} (did you mean {meant}?)" if meant else n for n, meant in unknown.items())
        detail = f"variables that set nothing: {', '.join(hints)}"
        return Check("configuration", False, detail, "unset them, or correct their names")
    return Check("configuration", True, f"profile {profile}" if profile else "no profile")


def _state_directory(tracking: TrackingConfig) -> Check:
    probe = tracking.state_dir / f".doctor-{secrets.token_hex(6)}"
    try:
        tracking.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        detail = f"{tracking.state_dir} can't be written: {error.strerror}"
        action = "make it writable, or set STARDAG_STATE_DIR; until then builds are not tracked"
        return Check("state", False, detail, action)
    return Check("state", True, f"{tracking.state_dir} is writable")


def _root(name: str) -> Check:
    """Write to a target root, and delete what was written."""
    place = f"root {name}"
    action = "make it a place that this user can write to, or configure another"
    try:
        (root,) = configured_roots([name])
        probe = f"{root.path}/.stardag-doctor-{secrets.token_hex(6)}"
        with root.store.writer(probe) as file:
            file.write(b"")
        root.store.delete(probe)
    except (OSError, ConfigError) as error:
        return Check(place, False, str(error), action)
    return Check(place, True, f"{root.uri} is writable")
