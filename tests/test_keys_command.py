"""`stardag keys` and `stardag workspaces`, against a real server."""

from __future__ import annotations

import json

from .conftest import Workplace


def test_a_key_works_from_its_making_to_its_revocation(workplace: Workplace) -> None:
    made = workplace.stardag("keys", "create", "nightly", "--scope", "ingest", "--scope", "read")
    assert made.returncode == 0
    secret = made.stdout.strip()
    listed = workplace.stardag("keys", "list", "--json").stdout
    assert secret.rpartition("_")[0] not in listed
    (key,) = json.loads(listed)
    assert (key["display_name"], key["scopes"]) == ("nightly", ["SCOPE_INGEST", "SCOPE_READ"])
    assert key["key_id"] in made.stderr
    assert "nightly" in workplace.stardag("keys", "list").stdout

    workplace.extra = {"STARDAG_TOKEN": secret}
    assert workplace.read("builds", "list") == []
    refused = workplace.stardag("keys", "list")
    assert (refused.returncode, "credential with scope" in refused.stderr) == (3, True)

    workplace.extra = {}
    assert "revoke_time" in workplace.read("keys", "revoke", key["key_id"])
    assert workplace.read("keys", "list") == []
    assert [each["key_id"] for each in workplace.read("keys", "list", "--ended")] == [key["key_id"]]
    workplace.extra = {"STARDAG_TOKEN": secret}
    assert workplace.stardag("builds", "list").returncode == 3


def test_a_workspace_is_made_and_changed_by_its_own_key(workplace: Workplace) -> None:
    root = ("--target-root", "default=s3://bucket/prefix")
    made = workplace.read("workspaces", "create", "search", "--display-name", "Search", *root)
    assert (made["name"], made["display_name"]) == ("search", "Search")
    names = [each["name"] for each in workplace.read("workspaces", "list")]
    assert names == ["default", "search"]
    key = ("keys", "create", "first", "--scope", "admin", "--workspace", "search")
    workplace.extra = {"STARDAG_TOKEN": workplace.read(*key)["secret"]}

    changes = ("--target-root", "cold=/cold", "--keep-events", "30d", "--keep-builds", "0d")
    changed = workplace.read("workspaces", "update", *changes, "--min-builds", "7")
    assert changed["target_roots"] == {"default": "s3://bucket/prefix", "cold": "/cold"}
    assert changed["retention"]["events"] == "2592000s"
    assert changed["retention"]["builds"] == "0s"
    assert changed["retention"]["min_builds"] == 7
    assert changed["display_name"] == "Search"
    changed = workplace.read("workspaces", "update", "--remove-target-root", "default")
    assert changed["target_roots"] == {"cold": "/cold"}
    told = workplace.stardag("workspaces", "show").stdout
    for words in ("search", "target root cold", "for 30 days", "for ever", "latest 7 builds"):
        assert words in told

    limit = workplace.stardag("workspaces", "update", "--max-streams", "5")
    assert (limit.returncode, "credential with scope" in limit.stderr) == (3, True)
    nothing = workplace.stardag("workspaces", "update")
    assert (nothing.returncode, "say what to change" in nothing.stderr) == (2, True)
    unknown = workplace.stardag("workspaces", "update", "--remove-target-root", "warm")
    assert (unknown.returncode, "no target root 'warm'" in unknown.stderr) == (2, True)
