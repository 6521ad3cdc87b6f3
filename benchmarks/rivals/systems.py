"""Which systems are measured, in which version, and what a reader should know of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WORKLOADS = ("layers", "files", "again")


@dataclass(frozen=True)
class Server:
    """A server that outlives the runs that report to it, on a port of this machine."""

    command: tuple[str, ...]
    """A program in the environment's `bin`, and its arguments, with `{port}` and `{data}`."""
    settings: Mapping[str, str]
    """Environment variables by which a run finds it, with `{address}` and `{data}`."""


@dataclass(frozen=True, eq=False)
class System:
    """One way of running the workloads."""

    name: str
    """As the page shows it, and as `--only` takes it."""
    adapter: str
    """The script in `adapters/`, without its suffix."""
    about: str
    """How it is used here, and what it does besides."""
    requirements: tuple[str, ...] = ()
    """What is installed in an environment of its own; nothing: the project's own is used."""
    mode: str = ""
    """The adapter's last argument."""
    server: Server | None = None
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables of its runs."""
    workloads: tuple[str, ...] = WORKLOADS

    @property
    def ours(self) -> bool:
        """Whether it is this project."""
        return self.adapter == "stardag" and not self.requirements


TRACKING = Server(
    (
        "python",
        "-m",
        "stardag_server",
        "--port",
        "{port}",
        "--http-port",
        "off",
        "--data-dir",
        "{data}",
    ),
    {
        "STARDAG_SERVER": "{address}",
        "STARDAG_TOKEN_FILE": "{data}/token",
        "STARDAG_STATE_DIR": "{data}/state",
    },
)
LUIGID = Server(
    ("luigid", "--address", "127.0.0.1", "--port", "{port}", "--state-path", "{data}/state"),
    {"RIVALS_SERVER": "{address}"},
)
PREFECT = Server(
    ("prefect", "server", "start", "--no-ui", "--port", "{port}"),
    {"PREFECT_API_URL": "http://{address}/api"},
)

NEWEST, FIRST = ("stardag==0.28.0",), ("stardag==0.1.6",)
LUIGI = ("luigi==3.8.1",)
DASK = ("dask==2026.8.0", "distributed==2026.8.0")

SYSTEMS = (
    System("loop", "loop", "The floor: the work alone, in order; a file that exists is left."),
    System(
        "stardag, inline",
        "stardag",
        "`build_sequential`. An output is placed by its id, in folders of its own.",
        mode="inline",
    ),
    System("stardag, threads", "stardag", "`build`, as it is by default.", mode="threads"),
    System(
        "stardag, processes",
        "stardag",
        "`build(executor=ProcessExecutor())`; the run starts two processes. "
        "The layers' outputs are on disk, as processes share no memory.",
        mode="processes",
    ),
    System(
        "stardag, inline, tracked",
        "stardag",
        "`build_sequential`. Reports each task to its server on SQLite, and then waits, up to "
        "two seconds, until all of it is committed there.",
        mode="inline",
        server=TRACKING,
    ),
    System(
        "stardag, threads, tracked",
        "stardag",
        "`build`, which reports and waits in the same way.",
        mode="threads",
        server=TRACKING,
    ),
    System(
        "stardag 0.28.0, inline",
        "stardag",
        "The newest public release, `build_sequential`, no registry.",
        requirements=NEWEST,
        mode="inline",
    ),
    System(
        "stardag 0.28.0, concurrent",
        "stardag",
        "`build`, no registry.",
        requirements=NEWEST,
        mode="threads",
    ),
    System(
        "stardag 0.1.6, inline",
        "stardag",
        "The last public release of the 0.1 series, `build_sequential`, no registry.",
        requirements=FIRST,
        mode="inline",
    ),
    System(
        "stardag 0.1.6, concurrent",
        "stardag",
        "`build`, no registry.",
        requirements=FIRST,
        mode="threads",
    ),
    System(
        "doit",
        "doit",
        "One process. Keeps a database of what is up to date; asks each file as well.",
        requirements=("doit==0.37.0",),
    ),
    System(
        "Luigi, local scheduler",
        "luigi",
        "One worker in the process: with more, each task is a fork. Remembers what is complete.",
        requirements=LUIGI,
    ),
    System(
        "Luigi, luigid",
        "luigi",
        "One worker. Asks its central scheduler, another process, over HTTP; history in memory.",
        requirements=LUIGI,
        mode="luigid",
        server=LUIGID,
    ),
    System(
        "Hamilton",
        "hamilton",
        "One process. The files are those of its cache, which keeps an index in SQLite; "
        "the layers are run without it.",
        requirements=("sf-hamilton==1.90.0",),
    ),
    System(
        "joblib",
        "joblib",
        "Two processes. No graph: a loop a layer. `Memory` keeps each result under its arguments.",
        requirements=("joblib==1.6.0",),
    ),
    System(
        "Dask, threads",
        "dask",
        "`delayed`, two threads. Keeps no record.",
        requirements=DASK,
        mode="threads",
    ),
    System(
        "Dask, distributed",
        "dask",
        "`delayed`, its scheduler and two worker processes, over TCP. Scales to many machines. "
        "Keeps no record.",
        requirements=DASK,
        mode="distributed",
    ),
    System(
        "Ray",
        "ray",
        "Remote functions, two worker processes, its control service, scheduler and object "
        "store. Scales to many machines. Keeps no record.",
        requirements=("ray==2.60.0",),
    ),
    System(
        "redun",
        "redun",
        "Two threads. Records each call, its code, arguments and result in SQLite.",
        requirements=("redun==0.44.1",),
    ),
    System(
        "Prefect",
        "prefect",
        "Two threads. Reports each state of each task to its server on SQLite; "
        "keeps each result, to be found again by its inputs.",
        requirements=("prefect==3.9.1",),
        server=PREFECT,
        settings={"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
    ),
    System(
        "Dagster",
        "dagster",
        "Assets, materialized in the process, its event log in memory. Does not skip what exists.",
        requirements=("dagster==1.13.29",),
    ),
    System(
        "Snakemake",
        "snakemake",
        "A rule whose job is a line of shell, two at once. Tasks exchange files only, so that "
        "the layers, in memory, have no counterpart. Keeps a record of each output's making.",
        requirements=("snakemake==9.27.1",),
        workloads=("files", "again"),
    ),
)
