"""Where settings come from, and which source wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stardag import ConfigError
from stardag._settings import VARIABLES
from stardag.config import load_config, unknown_variables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STARDAG_TARGET_ROOTS__DEFAULT")


def test_nothing_is_tracked_and_the_default_root_is_the_users_unless_set(isolated: Path) -> None:
    config = load_config().config
    assert config.server.address is None
    assert config.target_root("default") == str(isolated / "data/stardag/targets")
    assert config.tracking.state_dir == isolated / "state/stardag"


def test_the_default_root_is_the_published_releases_where_they_have_one(isolated: Path) -> None:
    older = isolated / ".stardag/local-target-roots/default/default"
    older.mkdir(parents=True)
    assert load_config().config.target_root("default") == str(older)


def test_the_environment_wins_over_the_project_and_that_over_the_user(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = isolated / "config/stardag/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[server]\naddress = "user:1"\ntoken_file = "t"\n[tracking]\nquiet = true')
    (isolated / "stardag.toml").write_text('[server]\naddress = "project:1"')
    loaded = load_config()
    assert loaded.config.server.address == "project:1"
    assert loaded.config.server.token_file == user.parent / "t"
    assert loaded.config.tracking.quiet
    assert loaded.sources["server.address"] == str(isolated / "stardag.toml")
    monkeypatch.setenv("STARDAG_SERVER", "environment:1")
    loaded = load_config()
    assert loaded.config.server.address == "environment:1"
    assert loaded.sources["server.address"] == "STARDAG_SERVER"


def test_an_empty_variable_unsets(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (isolated / "stardag.toml").write_text('[server]\naddress = "project:1"')
    monkeypatch.setenv("STARDAG_SERVER", "")
    assert load_config().config.server.address is None


EVERY_VARIABLE = """
[targets]
write_once = true
fsync = true
cache_dir = "x"
cache_max_bytes = 1
pickle_as_last_resort = true
[server]
address = "x"
token = "x"
token_file = "x"
[tracking]
state_dir = "x"
fsync = "never"
offline = true
flush_timeout = 1
quiet = true
[target_roots]
default = "x"
cold = "x"
"""


def test_any_empty_variable_unsets_what_a_file_has_set(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unset = load_config().config
    (isolated / "stardag.toml").write_text(EVERY_VARIABLE)
    for name in (*VARIABLES, "STARDAG_TARGET_ROOTS__DEFAULT", "STARDAG_TARGET_ROOTS__COLD"):
        monkeypatch.setenv(name, "")
    loaded = load_config()
    assert loaded.config == unset
    assert loaded.sources["tracking.fsync"] == "STARDAG_FSYNC"


def test_a_variable_that_names_no_root_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARDAG_TARGET_ROOTS__", "/x")
    with pytest.raises(ConfigError, match="STARDAG_TARGET_ROOTS__ names no target root"):
        load_config()


def test_variables_that_set_nothing_are_known_with_what_may_be_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("STARDAG_SERVR", "STARDAG_NOTHING_OF_THE_KIND", "STARDAG_SERVER_PORT"):
        monkeypatch.setenv(name, "x")
    assert unknown_variables() == {
        "STARDAG_NOTHING_OF_THE_KIND": None,
        "STARDAG_SERVR": "STARDAG_SERVER",
    }


def test_a_tool_table_that_is_none_is_an_error(isolated: Path) -> None:
    (isolated / "pyproject.toml").write_text("[tool]\nstardag = 3")
    with pytest.raises(ConfigError, match=r"pyproject.toml: tool.stardag must be a table"):
        load_config()


def test_a_file_may_be_named_below_the_home_directory(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(isolated))
    (isolated / "mine.toml").write_text("[target_roots]\nx = '~/out'")
    monkeypatch.setenv("STARDAG_CONFIG", "~/mine.toml")
    assert load_config().config.target_root("x") == str(isolated / "out")


def test_the_project_file_is_found_above_the_working_directory(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (isolated / "pyproject.toml").write_text('[tool.stardag.target_roots]\ndefault = "x/../out"')
    below = isolated / "a/b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_config().config.target_root("default") == str(isolated / "out")


def test_a_working_directory_that_was_removed_is_in_no_project(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = isolated / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("STARDAG_STATE_DIR", str(isolated / "own"))
    assert load_config().config.tracking.state_dir == isolated / "own"


def test_a_profile_is_laid_over_its_file(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (isolated / "stardag.toml").write_text(
        '[server]\naddress = "a:1"\n[target_roots]\nx = "/x"\n[profiles.prod.server]\n'
        'address = "b:1"'
    )
    monkeypatch.setenv("STARDAG_PROFILE", "prod")
    loaded = load_config()
    assert loaded.profile == "prod"
    assert loaded.sources["server.address"] == f"{isolated}/stardag.toml [profiles.prod]"
    config = loaded.config
    assert (config.server.address, config.target_root("x")) == ("b:1", "/x")
    monkeypatch.setenv("STARDAG_PROFILE", "nope")
    with pytest.raises(ConfigError, match=r"'nope', and there is no such profile \(known: prod\)"):
        load_config()


def test_a_profile_of_one_file_need_not_be_in_the_other(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = isolated / "config/stardag/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[tracking]\nquiet = true")
    (isolated / "stardag.toml").write_text('[profiles.prod.server]\naddress = "b:1"')
    monkeypatch.setenv("STARDAG_PROFILE", "prod")
    assert load_config().config.server.address == "b:1"


def test_a_profile_that_no_file_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARDAG_PROFILE", "prodd")
    with pytest.raises(ConfigError, match=r"'prodd'.*known: none"):
        load_config()


def test_an_empty_root_is_none(monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    monkeypatch.setenv("STARDAG_TARGET_ROOTS__DEFAULT", "")
    assert load_config().config.target_root("default") == str(isolated / "data/stardag/targets")


def test_a_relative_root_stays_where_it_was_when_loaded(
    monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    monkeypatch.setenv("STARDAG_TARGET_ROOTS__DEFAULT", "out")
    assert load_config().config.target_root("default") == str(isolated / "out")


def test_a_pyproject_without_settings_of_ours_is_passed_over(isolated: Path) -> None:
    (isolated / "pyproject.toml").write_text("tool = 3")
    assert load_config().config.server.address is None


def test_target_roots_come_from_json_and_from_single_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STARDAG_TARGET_ROOTS", '{"default": "/d", "cold": "s3://bucket"}')
    monkeypatch.setenv("STARDAG_TARGET_ROOTS__HOT", "/hot")
    roots = load_config().config.target_roots
    assert roots == {"default": "/d", "cold": "s3://bucket", "hot": "/hot"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server", "not valid TOML"),
        (
            "[server]\naddres = 'x'",
            r"stardag.toml: there is no setting 'server.addres' \(did you mean 'address'\?\)",
        ),
        ("[servr]\naddress = 'x'", r"there is no setting 'servr' \(did you mean 'server'\?\)"),
        ("[tracking]\nx = 1", r"there is no setting 'tracking.x' \(there are state_dir, fsync, "),
        ("[profiles.a.servr]\nx = 1", r"setting 'profiles.a.servr' \(did you mean 'server'\?\)"),
        ("[profiles.a.targets]\nfsyn = 1", r"setting 'profiles.a.targets.fsyn' .*'fsync'"),
        ("server = '127.0.0.1:7465'", r"stardag.toml: server: Input should be"),
        ("target_roots = 'x'", r"target_roots: Input should be"),
        ("profiles = 3", r"profiles: Input should be"),
        ("[profiles]\na = 3", r"profiles.a: Input should be"),
        ("[tracking]\nfsync = 'often'", "tracking.fsync"),
        ("[target_roots]\ndefault = 3", r"target_roots.default: Input should be"),
        (
            "[target_roots]\ndefault = ''",
            r"target_roots.default: it is empty; write a path or a URI",
        ),
        ("[target_roots]\nx = 's3:/b'", r"target_roots.x: a URI has two slashes .*: s3://b"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(
    isolated: Path, text: str, problem: str
) -> None:
    (isolated / "stardag.toml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        load_config()


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 3}'])
def test_target_roots_that_are_no_json_object_are_an_error(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("STARDAG_TARGET_ROOTS", text)
    with pytest.raises(ConfigError, match="STARDAG_TARGET_ROOTS"):
        load_config()


def test_a_config_file_that_is_named_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARDAG_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigError, match=r"nowhere.toml, which is not a file"):
        load_config()


def test_a_token_wins_over_a_file_of_one_and_is_never_shown(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARDAG_TOKEN_FILE", "token")
    monkeypatch.setenv("STARDAG_TOKEN", "geheim")
    server = load_config().config.server
    assert server.token_file == isolated / "token"
    assert server.token is not None
    assert server.token.get_secret_value() == "geheim"
    assert "geheim" not in repr(server)
