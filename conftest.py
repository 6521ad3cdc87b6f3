"""Examples in the documentation are tests: sybil runs every Python block, page by page."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.sybil import SybilCollection

pytest_plugins = ["stardag.testing"]

# Hypothesis would fail what takes 200 ms, as anything may on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _isolate(namespace: dict[str, Any]) -> None:
    """Give a page an empty working directory and a configuration of its own."""
    from stardag import BaseTask
    from stardag._registry import _module_namespaces
    from stardag.config import get_config
    from stardag.target import target_factory_provider

    stack = ExitStack()
    assert BaseTask._family is not None
    stack.enter_context(BaseTask._family.isolated())
    stack.enter_context(patch.dict(_module_namespaces))
    directory = stack.enter_context(TemporaryDirectory())
    settings = {name: value for name, value in os.environ.items() if "STARDAG" not in name}
    settings["STARDAG_TARGET_ROOTS__DEFAULT"] = f"{directory}/targets"
    settings["STARDAG_STATE_DIR"] = f"{directory}/state"
    stack.enter_context(patch.dict(os.environ, settings, clear=True))
    stack.callback(os.chdir, os.getcwd())  # noqa: PTH109
    os.chdir(directory)
    get_config.cache_clear()
    target_factory_provider.reset()
    stack.callback(target_factory_provider.reset)
    stack.callback(get_config.cache_clear)
    # Pydantic looks a class's module up
    sys.modules["page"] = ModuleType("page")
    stack.callback(sys.modules.pop, "page")
    namespace["__name__"] = "page"
    namespace["isolation"] = stack


def _isolate_tracked(namespace: dict[str, Any]) -> None:
    """Give a page a server besides, to which its builds report, and a commit to build."""
    from server_process import ServerProcess
    from support.senders import end_senders

    _isolate(namespace)
    stack: ExitStack = namespace["isolation"]
    server = stack.enter_context(ServerProcess(Path.cwd() / "server"))
    stack.callback(end_senders, Path(os.environ["STARDAG_STATE_DIR"]))
    os.environ["STARDAG_SERVER"] = server.address
    os.environ["STARDAG_TOKEN_FILE"] = str(server.data_dir / "token")
    os.environ["STARDAG_FLUSH_TIMEOUT"] = "30"
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "One"]):
        subprocess.run(["git", *author, *command], check=True)


def _restore(namespace: dict[str, Any]) -> None:
    namespace["isolation"].close()


_TRACKED = "docs/how-to/ops-recipes.md"
_PAGES = ["README.md", "docs/*.md", "docs/concepts/*.md", "docs/how-to/*.md"]


def _examples(
    patterns: list[str], setup: Callable[[dict[str, Any]], None], excludes: list[str]
) -> Sybil:
    parsers = [PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS), SkipParser()]
    return Sybil(parsers, patterns=patterns, excludes=excludes, setup=setup, teardown=_restore)


pytest_collect_file = SybilCollection(
    [_examples(_PAGES, _isolate, [_TRACKED]), _examples([_TRACKED], _isolate_tracked, [])]
).pytest()
