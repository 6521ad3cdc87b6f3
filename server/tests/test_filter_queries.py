"""Filters and orders mean the same in each database as to a reader of docs/contract.md."""

import itertools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from producer import Producer
from running_server import Client

from stardag.v1 import event_pb2 as pb
from stardag.v1.build_service_pb2 import ListTaskStatesRequest
from stardag.v1.task_pb2 import TaskDefinition, TaskFailure
from stardag_server.domain.event_check import task_id_of
from stardag_server.domain.filter_fields import TASK_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.ordering import parse_order
from stardag_server.domain.registration import definitions_by_task
from stardag_server.store.listing import TASK_ORDERS
from stardag_server.store.store import Store

KEYS = ["lr", "a b", 'quo"te', "back\\slash", "é", "0", "AND", "nul\x00"]
TEXTS = [
    "",
    "x",
    "xyz",
    "'; DROP TABLE tasks; --",
    '"',
    "\\",
    "%_",
    "É",
    "\U0001f600",
    "a\x00b",
    "1",
]
NUMBERS = [0, 1, -1, 1.0, -0.0, 0.1, 2.5, 1e-7, 1e300, 10**15, 1e15, 10**16, 1e16, 2**53]
VALUES: list[Any] = [*TEXTS, *NUMBERS, True, False, None]

values = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=5,
)
rows = st.fixed_dictionaries(
    {
        "name": st.sampled_from(TEXTS),
        "namespace": st.sampled_from(TEXTS),
        "params": st.dictionaries(st.sampled_from(KEYS), values, max_size=4),
    }
)
PATTERNS = {
    r"x": "x",
    r"^x": r"\Ax",
    r"z$": r"z\Z",
    r"^.$": r"(?s)\A.\Z",
    r"[a-x]+|\\\\": r"[a-x]+|\\",
    r"\\d": "[0-9]",
    r"(xy?z){1,2}": "(xy?z){1,2}",
    r"[^x]": "[^x]",
    r"%_": "%_",
}


def shown(text: str) -> str:
    return text.replace("\x00", "\u2400")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(value: Any, operand: Any) -> bool:
    if is_number(value) and is_number(operand):
        return value == operand
    if isinstance(value, str) and isinstance(operand, str):
        return shown(value) == shown(operand)
    return type(value) is type(operand) and value == operand


def holds(value: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "=":
            return equal(value, operand)
        case "!=":
            return not equal(value, operand)
        case ":":
            if isinstance(value, str):
                return isinstance(operand, str) and shown(operand) in shown(value)
            if isinstance(value, list):
                return any(equal(each, operand) for each in cast("list[Any]", value))
            if isinstance(value, dict):
                keys = map(shown, cast("dict[str, Any]", value))
                return isinstance(operand, str) and shown(operand) in keys
            return False
        case "~":
            return isinstance(value, str) and bool(re.search(PATTERNS[operand], shown(value)))
        case _:
            pair = (value, operand)
            if all(isinstance(each, str) for each in pair):
                value, operand = (shown(each).encode() for each in pair)
            elif not all(is_number(each) for each in pair):
                return False
            return {
                "<": value < operand,
                "<=": value <= operand,
                ">": value > operand,
                ">=": value >= operand,
            }[operator]


Path = list[str | int]


class Nothing:
    """What is at a path that leads nowhere: no value of any type."""


def at(value: Any, path: Path) -> Any:
    for step in path:
        is_member = isinstance(step, str) and isinstance(value, dict) and step in value
        is_element = isinstance(step, int) and isinstance(value, list) and step < len(value)  # pyright: ignore[reportUnknownArgumentType]
        if not is_member and not is_element:
            return Nothing()
        value = cast(Any, value)[step]
    return value


def spelled(value: Any) -> str:
    return json.dumps(value)


def spelled_path(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{spelled(step)}" for step in path)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    steps: Path = [draw(st.sampled_from(KEYS))]
    return steps + draw(st.lists(st.sampled_from([*KEYS, 0, 1]), max_size=2))


Rule = tuple[str, Callable[[dict[str, Any]], bool]]


@st.composite
def comparisons(draw: st.DrawFn, fields: Sequence[str]) -> Rule:
    """A comparison as a text, and as what it says of a row."""
    field = draw(st.sampled_from(fields))
    if field == "keys":
        key = draw(st.sampled_from(KEYS))
        return f"params : {spelled(key)}", lambda row: key in row["params"]
    operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", ":", "~"]))
    ordered = operator in ("<", "<=", ">", ">=")
    operands: list[Any] = [*TEXTS, *NUMBERS] if ordered else VALUES
    path: Path = []
    if field == "params":
        path = draw(paths())
    else:
        operands = TEXTS
    if operator == "~":
        operand = draw(st.sampled_from(list(PATTERNS)))
        value = f'"{operand}"'
    else:
        operand = draw(st.sampled_from(operands))
        value = spelled(operand)
    return (
        f"{field}{spelled_path(path)} {operator} {value}",
        lambda row: holds(at(row.get(field, Nothing()), path), operator, operand),
    )


def negated(rule: Rule) -> Rule:
    text, holds = rule
    return f"NOT ({text})", lambda row: not holds(row)


def both(first: Rule, second: Rule) -> Rule:
    return f"({first[0]} AND {second[0]})", lambda row: first[1](row) and second[1](row)


def either(first: Rule, second: Rule) -> Rule:
    return f"({first[0]} OR {second[0]})", lambda row: first[1](row) or second[1](row)


def combined(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
    return (
        st.builds(negated, inner) | st.builds(both, inner, inner) | st.builds(either, inner, inner)
    )


def filters(*fields: str) -> st.SearchStrategy[Rule]:
    return st.recursive(comparisons(fields), combined, max_leaves=5)


def definition(number: int, row: dict[str, Any]) -> TaskDefinition:
    identity = json.dumps({"__name": row["name"], "n": number})
    return TaskDefinition(
        task_id=str(UUID(bytes=task_id_of(identity))),
        name=row["name"],
        namespace=row["namespace"],
        identity_json=identity,
        params_json=json.dumps(row["params"]),
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tables=st.lists(rows, min_size=1, max_size=8),
    rules=st.lists(
        filters("name", "namespace", "params", "keys"),
        min_size=5,
        max_size=15,
    ),
)
async def test_a_filter_finds_the_rows_of_which_it_is_true(
    store: Store, tables: list[dict[str, Any]], rules: list[Rule]
):
    workspace = await store.workspace(f"w{hash(str(tables))}")
    definitions = [definition(number, row) for number, row in enumerate(tables)]
    await store.register(workspace, definitions_by_task(definitions))
    by_id = {d.task_id: row for d, row in zip(definitions, tables, strict=True)}
    for text, rule in rules:
        condition = parse(text, TASK_FIELDS)
        found = await store.listing.tasks(workspace, None, 100, condition=condition)
        expected = {id for id, row in by_id.items() if rule(row)}
        assert {str(row.task_uuid) for row in found} == expected, text


def ordered(values: dict[int, Any], descending: bool) -> list[int]:
    """Return the keys of these values: those of numbers, of texts, and then the rest."""
    numbers = [key for key, value in values.items() if is_number(value)]
    texts = [key for key, value in values.items() if isinstance(value, str)]
    rest = [key for key in values if key not in numbers and key not in texts]
    numbers.sort(key=lambda key: values[key], reverse=descending)
    texts.sort(key=lambda key: shown(values[key]).encode(), reverse=descending)
    return [*numbers, *texts, *rest]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tables=st.lists(rows, min_size=1, max_size=8),
    orders=st.lists(st.tuples(paths(), st.booleans(), st.integers(1, 4)), min_size=3, max_size=10),
)
async def test_pages_in_the_order_of_a_parameter_have_each_task_once(
    store: Store, tables: list[dict[str, Any]], orders: list[tuple[Path, bool, int]]
):
    workspace = await store.workspace(f"w{hash(str(tables))}")
    definitions = [definition(number, row) for number, row in enumerate(tables)]
    await store.register(workspace, definitions_by_task(definitions))
    by_id = {d.task_id: row for d, row in zip(definitions, tables, strict=True)}
    newest_first = await store.listing.tasks(workspace, None, 100)
    for path, descending, size in orders:
        values = {row.id: at(by_id[str(row.task_uuid)]["params"], path) for row in newest_first}
        text = f"params{spelled_path(path)}{' desc' if descending else ''}"
        order = parse_order(text, TASK_ORDERS)
        found: list[int] = []
        while page := await store.listing.tasks(
            workspace, found[-1] if found else None, size, order=order
        ):
            found += [row.id for row in page]
        assert found == ordered(values, descending), text


@pytest.fixture
async def failed(client: Client) -> tuple[Client, Producer, dict[str, dict[str, Any]]]:
    """A build in which tasks failed in many ways, and one that did not; the tasks by name."""
    make = Producer()
    tasks: dict[str, dict[str, Any]] = {"fine": {"name": "fine"}}
    events = [make.started(), *make.run("fine")]
    for number, (kind, message) in enumerate(itertools.product(TEXTS, TEXTS)):
        name = str(number)
        failure = TaskFailure(kind=kind, message=message, stack_trace="x")
        tasks[name] = {"name": name, "failure.kind": kind, "failure.message": message}
        events += make.run(name)[:2]
        events += [make.event(pb.EVENT_TYPE_TASK_FAILED, name, 1, failure=failure)]
    assert not (await client.publish(make.open, events)).rejected_count
    return client, make, tasks


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rule=filters("name", "failure.kind", "failure.message"))
async def test_failed_tasks_are_found_by_kind_and_message(
    failed: tuple[Client, Producer, dict[str, dict[str, Any]]], rule: Rule
):
    client, make, tasks = failed
    text, holds = rule
    request = ListTaskStatesRequest(build_id=make.build_id, filter=text, page_size=1_000)
    response = await client.builds.ListTaskStates(request, metadata=client.metadata)
    found = {state.name for state in response.task_states}
    assert found == {name for name, row in tasks.items() if holds(row)}, text
