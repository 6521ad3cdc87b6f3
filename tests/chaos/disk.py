"""A disk that is small and can be full: a tmpfs of its own."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path


class SmallDisk:
    """Mounted at `path` until `unmount`. Raises `PermissionError` if this user may not mount."""

    def __init__(self, path: Path, size: str) -> None:
        path.mkdir(mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(path)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            path.rmdir()
            raise PermissionError(f"a tmpfs can't be mounted at {path}")
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no room, but for what fits at the ends of files that are there."""
        file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while free := os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_frsize:
                try:
                    os.posix_fallocate(file, os.fstat(file).st_size, free)
                except OSError as error:  # somebody else was faster
                    if error.errno != errno.ENOSPC:
                        raise
        finally:
            os.close(file)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take the disk away, with all that is on it."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
