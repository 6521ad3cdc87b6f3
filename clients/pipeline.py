"""The build of `cases.json`, as the Python SDK makes it.

`python clients/pipeline.py` builds it, and fails as it is meant to; with `--cases` it
prints the table that the clients in other languages read, and builds nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import stardag as sd
from stardag.tracking.connection.address import parse_address

sd.namespace("shop", __name__)

DESCRIPTION = "Prices of a day, as every client publishes them"
LABELS = {"team": "search", "purpose": "clients"}
TASK_DURATION_S = 0.25
ADDRESSES = (
    "localhost",
    "127.8.9.1:1234",
    "[::1]:1234",
    "stardag.example.com",
    "127.example.com:1234",
    "http://localhost:1234",
    "https://localhost",
    "https://stardag.example.com:1234/",
)


@sd.task
def orders(city: str, seed: int) -> list[int]:
    return [seed % 7, seed % 11]


@sd.task(version="2")
def prices(
    rate: float,
    note: str | None = None,
    chunk: Annotated[int, sd.StardagField(hash_exclude=True)] = 100,
) -> list[float]:
    return [rate, 2 * rate]


@sd.task
def invoices(orders: sd.Depends[list[int]], prices: sd.Depends[list[float]]) -> list[float]:
    return [count * price for count, price in zip(orders, prices, strict=True)]


@sd.task
def revenue(invoices: sd.Depends[list[float]]) -> float:
    return sum(invoices)


@sd.task
def audit(invoices: sd.Depends[list[float]], limit: int) -> bool:
    raise ValueError(f"{len(invoices)} invoices are over {limit} €")


def tasks() -> list[sd.AutoTask[Any]]:
    """Return the tasks, each after its dependencies; `audit` fails."""
    # What a client must not change on its way: other letters, numbers that are no double.
    of_day = orders(city='Zürich ☕ "Hürlimann"', seed=2**53 + 1)
    at_rate = prices(rate=1e-07, chunk=500)
    made = invoices(orders=of_day, prices=at_rate)
    return [of_day, at_rate, made, revenue(invoices=made), audit(invoices=made, limit=0)]


def cases() -> dict[str, Any]:
    """Return the table that the clients read, with the identities that were published."""
    published = Path(__file__).parent.parent / "sdk" / "tests" / "vectors.json"
    vectors = json.loads(published.read_text())
    texts = vectors["identity_json"]
    return {
        "build": {
            "id": "01990000-0000-7000-8000-000000000001",
            "stream_id": "01990000-0000-4000-8000-000000000002",
            "name": "revenue",
            "description": DESCRIPTION,
            "labels": LABELS,
            "tasks": [_case(task) for task in tasks()],
        },
        "identity_vectors": [
            *(_vector(texts[name], vectors["expected"][name]["id"]) for name in texts),
            *(_vector(task.identity_json(), str(task.id)) for task in tasks()),
        ],
        "addresses": [_address(text) for text in ADDRESSES],
    }


def _case(task: sd.AutoTask[Any]) -> dict[str, Any]:
    identity, params = task.identity_and_params_json()
    failed = task.get_name() == "audit"
    case: dict[str, Any] = {
        "namespace": task.get_namespace(),
        "name": task.get_name(),
        "version": task.version,
        "identity_json": identity,
        "params_json": "" if params == identity else params,
        "task_id": str(task.id),
        "dependency_ids": [str(one.id) for one in sd.flatten_task_struct(task.requires())],
        "output_uri": task.output().uri,
        "duration_s": TASK_DURATION_S,
        "outcome": "failed" if failed else "completed",
    }
    if failed:
        message = "2 invoices are over 0 €"
        case["failure"] = {
            "kind": "ValueError",
            "message": message,
            "stack_trace": f"Traceback (most recent call last):\nValueError: {message}\n",
        }
    return case


def _vector(identity_json: str, task_id: str) -> dict[str, str]:
    return {"identity_json": identity_json, "task_id": task_id}


def _address(text: str) -> dict[str, Any]:
    address = parse_address(text)
    return {"text": text, "host_and_port": address.target, "tls": address.tls}


if __name__ == "__main__":
    if sys.argv[1:] == ["--cases"]:
        with sd.target_factory_provider.override(sd.TargetFactory({"default": "/roots/d/"})):
            print(json.dumps(cases(), indent=2, ensure_ascii=False))
        sys.exit()
    roots = tasks()[3:]
    summary = sd.build(
        roots, description=DESCRIPTION, labels=LABELS, fail_mode=sd.FailMode.CONTINUE
    )
    print(summary.build_id)
