"""What the directory of a spool is called, and what that says of it."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TYPE_CHECKING

from stardag.telemetry.current import traces_wanted
from stardag.tracking.connection.credential import configured_credential

if TYPE_CHECKING:
    from pathlib import Path

    from stardag.config import Config
    from stardag.tracking.connection.address import Address
    from stardag.tracking.connection.credential import Credential

_KEPT = "local"
_TRACES_ONLY = "traces+"  # what no address begins with


def is_for_traces_only(spool: Path) -> bool:
    """Return whether a spool's events go to the trace collector and nowhere else."""
    return spool.name.startswith(_TRACES_ONLY)


def is_spool_for(spool: Path, address: Address) -> bool:
    """Return whether a spool's events are for a server, or for whichever is configured later."""
    return spool.name == _KEPT or spool.name.startswith(f"{address.slug}-")


def is_spool_with(spool: Path, address: Address, credential: Credential) -> bool:
    """Return whether a spool's events are for a server with this credential, or one like it."""
    name = _name(address, credential)
    return spool.name == name or spool.name.startswith(f"{name}-")


def spool_name(config: Config, address: Address | None) -> str:
    """Return the name of the spool: one for each server, credential and trace collector.

    A spool has one sender, with the settings of whoever started it. What is recorded with other
    settings must not go their way, such as into the workspace of another key.
    """
    if address is None and config.tracking.offline:
        return _KEPT
    traces = ""
    if traces_wanted(os.environ):
        told = (f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("OTEL_"))
        traces = _digest(*told)
    if address is None:
        return f"{_TRACES_ONLY}{traces}"
    name = _name(address, configured_credential(config.server, address))
    return f"{name}-{traces}" if traces else name


def _name(address: Address, credential: Credential) -> str:
    shown = (credential.token or "", str(credential.file), str(credential.tls.certificate))
    return f"{address.slug}-{_digest(*shown)}"


def _digest(*told: str) -> str:
    return blake2b("\0".join(told).encode(errors="replace"), digest_size=5).hexdigest()
