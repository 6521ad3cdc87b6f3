"""What is an output by its place, what is garbage, and what is whole, where no server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from stardag import StardagError
from stardag.cli.targets.garbage import KeptTasks, sort_out
from stardag.cli.targets.roots import Root, RootObject, configured_roots, objects_below
from stardag.cli.targets.verification import verify_outputs
from stardag.target import TargetFactory, get_directory_target, get_target, target_factory_provider
from stardag.target.stores.local import LocalStore
from stardag.v1.task_pb2 import Task, TaskState

KEPT = "0a1b2c3d-1111-5222-8333-444455556666"
GONE = "fedc0123-1111-5222-9333-444455556666"
ROOT = Root("default", LocalStore(), "/data")


def place(task_id: str, rest: str = ".json") -> str:
    return f"total/v1/{task_id[:2]}/{task_id[2:4]}/{task_id}{rest}"


def at(path: str) -> RootObject:
    return RootObject(ROOT, f"/data/{path}", 1, 0.0)


@pytest.mark.parametrize(
    "path",
    [
        place(GONE),
        place(GONE, ""),
        place(GONE, "/model.bin"),
        place(GONE, "/part/0.parquet"),
        place(GONE, "._DONE"),
        f"total/fe/dc/.{GONE}.json.0123456789ab.partial",
        f"fe/dc/{GONE}.json",
        f"outer/{KEPT[:2]}/{KEPT[2:4]}/{KEPT}/inner/fe/dc/{GONE}.json",
    ],
)
def test_an_output_of_a_task_is_known_by_its_place(path: str) -> None:
    assert at(path).task_id == GONE


@pytest.mark.parametrize(
    "path",
    [
        "raw/measurements.csv",
        f"{GONE}.json",
        f"total/fe/dd/{GONE}.json",
        f"total/fe/dc/{GONE}0.json",
        f"total/fe/dc/x{GONE}.json",
        "delta/part-00000-fedc0123-1111-4222-9333-444455556666.parquet",
        "total/fe/dc/fedc0123-1111-4222-9333-444455556666.json",
    ],
)
def test_what_is_elsewhere_is_no_output(path: str) -> None:
    assert at(path).task_id is None


def test_a_root_with_an_id_in_its_own_path_makes_nothing_an_output() -> None:
    root = Root("default", LocalStore(), f"/data/fe/dc/{GONE}")
    assert RootObject(root, f"{root.path}/raw.csv", 1, 0.0).task_id is None


@pytest.mark.parametrize(
    "uri",
    [
        f"/data/{place(KEPT)}",
        f"/mounted/elsewhere/{place(KEPT)}",
        f"/data/{place(KEPT, '/deep/file')}",
        f"/data/models/{KEPT}/weights",
        "/data/latest.json",
        "/data/folder/part/0",
        "/data/folder._DONE",
        "/data/folder._SUB_KEYS",
        f"/data/{place(GONE, '/inside.json')}",
    ],
)
def test_what_a_kept_task_refers_to_is_kept(uri: str) -> None:
    kept = KeptTasks(
        [
            Task(task_id=KEPT, output_uri=f"/data/{place(KEPT)}"),
            Task(task_id="0" * 8 + KEPT[8:], output_uri="/data/latest.json"),
            Task(task_id="1" * 8 + KEPT[8:], output_uri="/data/folder/"),
            Task(
                task_id="2" * 8 + KEPT[8:],
                latest_state=TaskState(output_uri=f"/data/{place(GONE, '/inside.json')}"),
            ),
        ]
    )
    assert kept.refer_to(uri)
    assert not kept.refer_to(f"/data/{place(GONE)}")
    assert not kept.refer_to("/data/latest.json.old")


def test_what_a_kept_task_takes_as_a_parameter_is_kept() -> None:
    params = f'{{"values": [{{"id": "{GONE}"}}]}}'
    assert KeptTasks([Task(task_id=KEPT, params_json=params)]).refer_to(f"/data/{place(GONE)}")


def test_a_root_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        target_factory_provider.override(TargetFactory({"default": tmp_path / "file"})),
        pytest.raises(StardagError, match="can't be listed"),
    ):
        list(objects_below(configured_roots(["default"])))


def test_objects_are_sorted_out_by_task_place_and_age() -> None:
    kept = KeptTasks([Task(task_id=KEPT, output_uri=f"/data/{place(KEPT)}")])
    young = RootObject(ROOT, f"/data/{place(GONE, '.csv')}", 1, 200.0)
    found = sort_out([at(place(KEPT)), at(place(GONE)), at("raw.csv"), young], kept, 100.0)
    assert [each.path for each in found.garbage] == [f"/data/{place(GONE)}"]
    assert (found.kept["default"], found.young, found.other) == (1, 1, 1)
    assert found.unknown_roots == []
    assert sort_out([at(place(GONE))], kept, 100.0).unknown_roots == [ROOT]


def test_an_object_in_several_roots_is_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").touch()
    roots = {"default": tmp_path, "inner": tmp_path / "inner", "same": tmp_path}
    with target_factory_provider.override(TargetFactory(roots)):
        found = list(objects_below(configured_roots(["default", "inner", "same"])))
        assert [each.path for each in found] == [str(tmp_path / "inner" / "file")]
        assert [each.root.name for each in objects_below(configured_roots(["inner"]))] == ["inner"]


def state(uri: str) -> TaskState:
    return TaskState(task_id=KEPT, namespace="a", name="b", output_uri=uri)


def test_outputs_are_whole_missing_or_incomplete() -> None:
    whole, frame, folder, other = get_target("whole"), get_target("frame.csv"), "folder", "other"
    for target in (whole, frame):
        with target.open("w") as file:
            file.write("x")
    for name in (folder, other):
        directory = get_directory_target(name)
        with (directory / "a").open("w") as a, (directory / "b").open("w") as b:
            a.write("a")
            b.write("b")
        directory.mark_done()
    directory = get_directory_target(folder)
    directory.store.delete((directory / "b").path)
    uris = [
        whole.uri,
        frame.uri.replace(".csv", ".parquet"),
        directory.uri,
        get_directory_target(other).uri,
        get_target("gone").uri,
        "",
    ]
    verified = verify_outputs(map(state, uris))
    assert (verified.whole, verified.without_uri) == (3, 1)
    assert [(p.output_uri, p.problem, p.missing) for p in verified.problems] == [
        (directory.uri, "incomplete", ["b"]),
        (get_target("gone").uri, "missing", []),
    ]
    assert {(p.task_id, p.task) for p in verified.problems} == {(KEPT, "a.b")}
