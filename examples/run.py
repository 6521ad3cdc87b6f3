"""`make run`: start a server, build the example, and show its history; see README.md."""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
from pathlib import Path

from local_server import LocalServer, LocalServerError

import stardag as sd
from stardag.config import get_config

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
PYTHON = Path(sys.executable)
STARDAG = PYTHON.with_name("stardag")

# What other processes print comes in between, also where the output is no terminal.
say = functools.partial(print, flush=True)


class ExampleError(Exception):
    """The example can't go on; one line for people says why."""


def main() -> int:
    """Do what the command line asks for, and return the exit code."""
    arguments = parse_arguments()
    use_own_settings()
    try:
        server = configured_server()
        if arguments.stop:
            stop(server)
        else:
            start_or_reuse(server)
            build_id, report = build(arguments.trees, arguments.seed)
            show_history(build_id)
            show_next_steps(report, arguments.trees)
    except (LocalServerError, ExampleError, sd.StardagError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the example, tracked by a local server.")
    parser.add_argument("--trees", type=positive, default=200, help="size of the random forests")
    parser.add_argument("--seed", type=int, default=0, help="seed of the models that use chance")
    parser.add_argument("--stop", action="store_true", help="stop the server, and that is all")
    return parser.parse_args()


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def use_own_settings() -> None:
    """Have every setting taken from the stardag.toml beside this file."""
    for name in [name for name in os.environ if name.startswith("STARDAG_")]:
        del os.environ[name]
    os.environ["STARDAG_CONFIG"] = str(EXAMPLES / "stardag.toml")


def configured_server() -> LocalServer:
    settings = get_config().server
    assert settings.address and settings.token_file, "stardag.toml has both"
    return LocalServer(settings.address, data_dir=settings.token_file.parent.resolve())


def start_or_reuse(server: LocalServer) -> None:
    reused = server.pid() is not None
    try:
        pid = server.start()
    except LocalServerError as error:
        raise ExampleError(f"{error} (its address is set in examples/stardag.toml)") from None
    if reused and stardag("builds", "list", stdout=subprocess.DEVNULL) != 0:
        raise ExampleError(f"the server (process {pid}) does not answer: `make stop` ends it")
    say(f"server    {server.address}, {'running already' if reused else 'started'} (process {pid})")


def stop(server: LocalServer) -> None:
    pid = server.stop()
    say(f"stopped the server (process {pid})" if pid else "no server is running")


def build(trees: int, seed: int) -> tuple[str, str]:
    """Build the report, and return the build's id and the report's path."""
    # After the line on the server, as scikit-learn takes its time to be imported.
    from classifiers.decorator_form import comparison
    from classifiers.models import grid

    report = comparison(grid(trees, seed))
    summary = sd.build(report)
    summary.raise_for_status()
    say(summary)
    path = os.path.relpath(report.output().uri, ROOT)
    say(f"report    {path}")
    say(f"trace id  {summary.build_id.hex}")
    return str(summary.build_id), path


def show_history(build_id: str) -> None:
    for command in (["builds", "list"], ["builds", "show", build_id]):
        say(f"\n$ stardag {' '.join(command)}")
        if stardag(*command) != 0:
            raise ExampleError("the history can't be shown")


def show_next_steps(report: str, trees: int) -> None:
    python = os.path.relpath(PYTHON, ROOT)
    command = os.path.relpath(STARDAG, EXAMPLES)
    say(f"""
The server keeps running. Next, from the repository's root:

# read the report
cat {report}
# again: everything is there, and reused
make run
# another size of the forests: only what depends on it runs, the rest is reused
{python} examples/run.py --trees {trees + 100}
# in a second terminal, follow the latest build live
(cd examples && {command} builds watch latest)
# stop the server
make stop""")


def stardag(*command: str, stdout: int | None = None) -> int:
    """Run the `stardag` command with the example's settings, and return its exit code."""
    return subprocess.run([STARDAG, *command], stdout=stdout, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
