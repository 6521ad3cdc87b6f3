"""The `stardag` command where it needs no server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stardag.cli import run

STARDAG = Path(sys.executable).with_name("stardag")
COMMANDS = [
    *("build", "builds", "completion", "config", "doctor", "keys", "server", "sync", "targets"),
    *("tasks", "workspaces"),
]


IN_CI = os.environ.get("CI") == "true"


def require_shell(name: str) -> None:
    """Skip the test if the shell is not installed; install it in CI, where nothing is skipped."""
    if shutil.which(name) is not None:
        return
    if not IN_CI:
        pytest.skip(f"{name} is not installed")
    subprocess.run(["apt-get", "update", "--quiet"], check=True)
    subprocess.run(["apt-get", "install", "--quiet", "--yes", name], check=True)


def stardag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STARDAG, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_the_commands() -> None:
    done = stardag("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["builds", "--help"],
        ["builds", "show", "--help"],
        ["tasks", "--help"],
        ["tasks", "check", "--help"],
        ["targets", "gc", "--help"],
    ],
)
def test_help_imports_nothing_of_the_wire_or_of_what_builds_need(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from stardag.cli import run\n"
        "try:\n"
        "    run(sys.argv[1:])\n"
        "finally:\n"
        "    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert "Usage: stardag" in done.stdout
    heavy = {"grpc", "google.protobuf", "google", "opentelemetry", "obstore", "pandas", "numpy"}
    heavy |= {"stardag.client", "stardag.v1", "stardag.cli.output", "asyncio", "rich.markdown"}
    assert not heavy & {*done.stderr.split()}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("build", "a list of tasks, or a function without arguments that returns them."),
        ("targets gc", "is ever deleted. All that builds there must be tracked"),
        ("tasks check", "whose types a --module defines"),
        ("tasks check", "tasks check [OPTIONS] [SUBJECT]"),
        ("tasks list", "Only those first heard of since then"),
        ("builds show", "List the tasks in this status instead"),
        ("builds show", "List the tasks that match instead"),
        ("targets verify", "targets verify [OPTIONS] [BUILD]"),
    ],
)
def test_help_is_that_of_the_command_and_broken_only_where_the_terminal_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, told: str
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert run([*command.split(), "--help"]) == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["stardag", "tar"], ["targets"]),
        (["stardag", "targets", ""], ["list", "gc", "verify"]),
        (["stardag", "build", "pipeline:total", "--dr"], ["--dry-run"]),
        (["stardag", "keys", "create", "--scope", "re"], ["read"]),
    ],
)
def test_bash_completes_commands_and_options(
    isolated: Path, typed: list[str], completed: list[str]
) -> None:
    script = isolated / "completion.bash"
    script.write_text(stardag("completion", "bash").stdout)
    words = " ".join(map(shlex.quote, typed))
    program = f"""
source {script}
COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}
_stardag
printf '%s\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == completed


@pytest.mark.parametrize("start", ["fpath=($PWD $fpath); {}".format, "{}; source _stardag".format])
def test_zsh_completes_commands_and_options(isolated: Path, start: Callable[[str], str]) -> None:
    require_shell("zsh")
    (isolated / "_stardag").write_text(stardag("completion", "zsh").stdout)
    settings = start("autoload -U compinit; compinit -D -u")
    (isolated / ".zshrc").write_text(f"{settings}\nPROMPT='ready: '\n")
    path = f"{STARDAG.parent}:{os.environ['PATH']}"
    leader, follower = pty.openpty()
    with os.fdopen(follower, "wb") as terminal:
        zsh = subprocess.Popen(
            ["zsh", "-d", "-i"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "PATH": path, "ZDOTDIR": str(isolated)},
            cwd=isolated,
            start_new_session=True,
        )
    with os.fdopen(leader, "r+b", buffering=0) as keyboard:
        shown = b""
        while b"ready: " not in shown:
            shown += keyboard.read(65_536)
        # what a tab makes of the line is printed, not run
        keyboard.write(b"stardag keys create --scope re\t\x01print -r -- \nexit\n")
        with contextlib.suppress(OSError):  # so a terminal ends
            while part := keyboard.read(65_536):
                shown += part
    assert zsh.wait(10) == 0
    assert b"\nstardag keys create --scope read\r" in shown


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("stardag targets ", ["gc", "list", "verify"]),
        ("stardag keys create --scope re", ["read"]),
        ("stardag server sta", ["stardag.fish"]),
    ],
)
def test_fish_completes_commands_and_options(
    isolated: Path, typed: str, completed: list[str]
) -> None:
    require_shell("fish")
    (isolated / "stardag.fish").write_text(stardag("completion", "fish").stdout)
    program = f"source stardag.fish; complete -C '{typed}'"
    done = subprocess.run(
        ["fish", "-N", "-c", program], cwd=isolated, capture_output=True, text=True, check=True
    )
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == completed


@pytest.mark.parametrize("server", ["", "127.0.0.1:1"])
def test_without_a_server_no_id_is_suggested(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARDAG_SERVER", server)
    done = stardag("__complete", "builds", "show", "")
    told = [line for line in done.stdout.split("\n") if line]
    assert (done.returncode, told, done.stderr) == (0, ["\x1fbegin"], "")


def test_settings_are_shown_with_their_sources(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (isolated / "stardag.toml").write_text('[server]\naddress = "host:1"\ntoken = "s3cret"')
    monkeypatch.setenv("STARDAG_TARGET_ROOTS__COLD", "/cold")
    shown = json.loads(stardag("config", "show", "--json").stdout)
    assert shown["server.address"] == {
        "value": "host:1",
        "source": str(isolated / "stardag.toml"),
    }
    assert shown["target_roots.cold"] == {"value": "/cold", "source": "STARDAG_TARGET_ROOTS__COLD"}
    assert shown["tracking.fsync"] == {"value": "interval", "source": "default"}
    for done in (stardag("config", "show"), stardag("config", "show", "--json")):
        assert "s3cret" not in done.stdout
        assert "server.token" in done.stdout


def test_nothing_is_cut_from_settings_in_a_narrow_terminal(isolated: Path) -> None:
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    environment = {**os.environ, "COLUMNS": "60"}
    with os.fdopen(leader, "rb") as terminal, os.fdopen(follower, "wb") as shown:
        subprocess.run([STARDAG, "config", "show"], stdout=shown, env=environment, check=True)
        text = terminal.read().decode()
    assert "tracking.trace_url" in text
    assert "…" not in text


def test_the_profile_is_shown_and_so_are_variables_that_set_nothing(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (isolated / "stardag.toml").write_text("[profiles.prod.tracking]\nquiet = true")
    monkeypatch.setenv("STARDAG_PROFILE", "prod")
    monkeypatch.setenv("STARDAG_SERVR", "host:1")
    done = stardag("config", "show", "--json")
    shown = json.loads(done.stdout)
    assert shown["profile"] == {"value": "prod", "source": "STARDAG_PROFILE"}
    assert shown["tracking.quiet"]["source"] == f"{isolated}/stardag.toml [profiles.prod]"
    assert done.stderr == (
        "stardag: STARDAG_SERVR is set, and is no setting; did you mean STARDAG_SERVER?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["builds", "list"], "no server is configured; set STARDAG_SERVER"),
        (["builds", "show", "latest"], "no server is configured"),
        (["sync"], "no server is configured"),
        (["builds", "list", "--limit", "0"], "Must be >= 1"),
        (["builds", "list", "--limit", "9" * 20], "Must be <= 2147483647"),
        (
            ["builds", "list", "--limt", "3"],
            "Did you mean --limit? (see",
        ),
        (["builds", "show"], "BUILD is missing (see `stardag builds show --help`)"),
        (
            ["builds", "show", "a", "b"],
            "there is no use for 'b' (see",
        ),
        (["bulds"], "there is no command 'bulds'; did you mean 'builds'? (see `stardag --help`)"),
        (["builds", "start"], "there is no command 'start'; there are list, show, watch, compare"),
        (["keys", "create", "ci"], "--scope is missing"),
        (["keys", "create", "ci", "--scope", "read", "--days", "9" * 11], "Must be <= 36500"),
        (["targets", "gc", "--older-than", "5"], "'5' is no span such as 90s, 30m, 6h, 7d or 2w"),
        (["targets", "gc", "--older-than", f"{'9' * 11}d"], "is no span"),
        (["workspaces", "update", "--min-builds", "9" * 11], "Must be <= 2147483647"),
        (["workspaces", "update", "--max-streams", "9" * 20], "Must be <= 9223372036854775807"),
        (["tasks", "lineage", "latest", "--depth", "-1"], "Must be >= 0"),
        (["builds", "list", "--name", os.fsdecode(b"\xff")], "is not UTF-8"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], message: str) -> None:
    done = stardag(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert (done.stderr.count("\n"), done.stdout) == (1, "")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["config", "show"], ["config", "show", "--json"]]
)
def test_a_reader_that_has_seen_enough_is_no_failure(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as closed:
        done = subprocess.run(
            [STARDAG, *arguments], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_server_that_is_not_installed_is_told_with_the_way_to_install_it() -> None:
    program = """
import sys
sys.path[:] = [path for path in sys.path if not path.endswith("server/src")]
from stardag.cli import main
sys.argv = ["stardag", "server"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install stardag-server" in done.stderr


def test_a_mistake_in_a_file_is_told_without_a_traceback(isolated: Path) -> None:
    (isolated / "stardag.toml").write_text('server = "127.0.0.1:7465"')
    done = stardag("builds", "list")
    assert done.returncode == 2
    assert done.stderr.startswith(f"stardag: {isolated}/stardag.toml: server: ")
    assert done.stderr.count("\n") == 1


def test_a_state_directory_that_is_none_is_told_without_a_traceback(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (isolated / "spool").touch()
    monkeypatch.setenv("STARDAG_STATE_DIR", str(isolated))
    monkeypatch.setenv("STARDAG_SERVER", "127.0.0.1:1")
    done = stardag("sync")
    assert done.returncode == 1
    assert (
        f"what waits can't be read: [Errno 20] Not a directory: '{isolated}/spool'" in done.stderr
    )
    assert done.stderr.count("\n") == 1
