"""`stardag-server settings`: what holds, and where it comes from."""

import os
from pathlib import Path

from stardag_server import settings as all_settings


def settings(*, config: Path | None = None) -> int:
    """Show each setting of a server that is started here, where it comes from, and no secrets.

    Parameters
    ----------
    config
        File of settings, in TOML.
    """
    for line in all_settings.load({"config": config}, os.environ).describe():
        print(line)
    return 0
