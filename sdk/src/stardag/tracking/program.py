"""What this process is: the software, the machine, the command."""

from __future__ import annotations

import functools
import platform
import socket
import sys
from dataclasses import dataclass

import stardag
from stardag.tracking.redaction import redact_command


@dataclass(frozen=True, slots=True)
class Program:
    """A process that builds, as its builds are recorded with it."""

    client: str
    """Such as `stardag-python/0.2.0`."""
    host: str
    runtime: str
    """Such as `CPython 3.11.7, Linux x86_64`."""
    command: str
    """The command line, without its secrets."""


@functools.cache
def this_program() -> Program:
    """Return what this process is."""
    system = f"{platform.system()} {platform.machine()}"
    return Program(
        client=client_name(),
        host=socket.gethostname(),
        runtime=f"{platform.python_implementation()} {platform.python_version()}, {system}",
        command=redact_command(sys.orig_argv),
    )


def client_name() -> str:
    """Return what the server is told of this software, such as `stardag-python/0.2.0`."""
    return f"stardag-python/{stardag.__version__}"
