"""What can be shown with a task, and what can't."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import stardag as sd

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


def test_texts_are_kept_in_utf_8() -> None:
    assert sd.MarkdownAsset("notes", "größer").content() == "größer".encode()
    assert sd.HtmlAsset("page", "<p>ok</p>").content() == b"<p>ok</p>"


def test_whatever_pydantic_writes_is_json() -> None:
    asset = sd.JsonAsset("result", {"at": {1}, "loss": math.nan})
    assert json.loads(asset.content()) == {"at": [1], "loss": None}


def test_a_table_has_plain_values() -> None:
    asset = sd.TableAsset("rows", ["n", "what"], [[1, None], [math.inf, {"a": 1}], [True, "x"]])
    assert json.loads(asset.content()) == {
        "columns": ["n", "what"],
        "rows": [[1, None], [None, "{'a': 1}"], [True, "x"]],
    }


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_is_a_table(library: str) -> None:
    frame = pytest.importorskip(library).DataFrame({"n": [1, 2], "x": [0.5, None]})
    asset = sd.TableAsset.from_frame("rows", frame)
    assert json.loads(asset.content()) == {"columns": ["n", "x"], "rows": [[1, 0.5], [2, None]]}


def test_an_image_says_its_type_by_itself() -> None:
    assert sd.ImageAsset("plot", PNG).media_type == "image/png"
    assert sd.ImageAsset("plot", b"RIFF\0\0\0\0WEBPVP8 ").media_type == "image/webp"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: sd.MarkdownAsset("", "x"), "1 to 255 characters"),
        (lambda: sd.MarkdownAsset("n" * 256, "x"), "1 to 255 characters"),
        (lambda: sd.MarkdownAsset("n", "x", description="d" * 1025), "at most 1,024"),
        (lambda: sd.MarkdownAsset("n", ""), "'n' is empty"),
        (lambda: sd.MarkdownAsset("n", "x" * (65 << 20)), "at most 64 MiB"),
        (lambda: sd.JsonAsset("n", object()), "'n' can't be written as JSON"),
        (lambda: sd.TableAsset("n", [], []), "1 to 1000 columns"),
        (lambda: sd.TableAsset("n", ["a"], [[1], [1, 2]]), "row 2 of the table 'n' has 2 values"),
        (lambda: sd.ImageAsset("n", b"<svg/>"), "no PNG, JPEG, GIF or WebP"),
    ],
)
def test_what_can_not_be_shown_is_refused_where_it_is_made(make: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make()
