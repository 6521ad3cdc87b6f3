"""What is compared with a value in a JSON column, and ordered by it, in each database's own terms.

Of conditions, both promise the same: the condition is true if there is a value at the path, of
the type of the operand, that compares so. It never fails, whatever types the
rows have there, and may be NULL instead of false. Keys to order by are two: the
number at the path, and the text by code point; each NULL where there is none.
"""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH

from stardag_server.domain.filter_fields import Operand, Step
from stardag_server.store.schema import plain

JsonCondition = Callable[
    [sa.ColumnElement[Any], Sequence[Step], str, Operand], sa.ColumnElement[bool]
]

_MAX_INT64 = (1 << 63) - 1
_NUMBERS = ("integer", "real")
_SPELLED_OUT = 10**15
"""Below this, a whole number begins alike as an integer and as a float: 77 and 77.0."""


def postgres_json(
    column: sa.ColumnElement[Any], path: Sequence[Step], operator: str, operand: Operand
) -> sa.ColumnElement[bool]:
    """Compare by a JSON path; a GIN index answers `=`.

    A path's comparisons are unknown between types, and `@?` keeps errors quiet.
    """
    place = _postgres_place(path)
    value = _quoted(operand) if isinstance(operand, str) else _number_or_constant(operand)

    def exists(tail: str) -> sa.ColumnElement[bool]:
        return column.op("@?", return_type=sa.Boolean())(sa.cast(place + tail, JSONPATH))

    if operator == "~":
        return exists(f" ? (@ like_regex {value})")
    if operator != ":":
        sign = "==" if operator == "=" else operator
        return exists(f" ? (@ {sign} {value})")
    # Steps into what is of another type are errors, and so find nothing.
    found = [exists(f"[*] ? (@ == {value})")]
    if isinstance(operand, str):
        found.append(exists(f".{value}"))
        found.append(exists(f' ? (@ like_regex {value} flag "q")' if operand else ' ? (@ >= "")'))
    return sa.or_(*found)


def postgres_json_keys(
    column: sa.ColumnElement[Any], path: Sequence[Step]
) -> tuple[sa.ColumnElement[Any], ...]:
    """Return the keys to order by."""

    def first(type: str) -> sa.ColumnElement[Any]:
        place = f'{_postgres_place(path)} ? (@.type() == "{type}")'
        empty = sa.cast(sa.literal("{}"), JSONB)
        return sa.func.jsonb_path_query_first(
            column, sa.cast(place, JSONPATH), empty, sa.true(), type_=JSONB
        )

    text = first("string").op("#>>", return_type=sa.Text())(sa.cast([], ARRAY(sa.Text)))
    return sa.cast(first("number"), sa.Numeric), sa.collate(text, "C")


def _postgres_place(path: Sequence[Step]) -> str:
    return "strict $" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{_quoted(step)}" for step in path
    )


def sqlite_json(
    column: sa.ColumnElement[Any], path: Sequence[Step], operator: str, operand: Operand
) -> sa.ColumnElement[bool]:
    """Compare by json_each, one for each step: its keys need no quoting."""
    if not path:
        return _has_part(column, operand)
    member, conditions = _sqlite_place(column, path)
    conditions.append(_compare(member, operator, operand))
    found = sa.exists(sa.select(sa.literal(1)).where(*conditions))
    spelled = _spelled(operand) if operator == "=" else None
    if spelled is None:
        return found
    # To look for the text costs a tenth of looking into the value, and most rows don't have it.
    has_text = sa.func.instr(sa.type_coerce(column, sa.Text), spelled) > 0
    return sa.and_(has_text, found)


def sqlite_json_keys(
    column: sa.ColumnElement[Any], path: Sequence[Step]
) -> tuple[sa.ColumnElement[Any], ...]:
    """Return the keys to order by."""

    def first(types: Sequence[str]) -> sa.ColumnElement[Any]:
        member, conditions = _sqlite_place(column, path)
        query = sa.select(member.c.atom).where(*conditions, member.c.type.in_(types))
        return query.limit(1).scalar_subquery()

    return first(_NUMBERS), first(("text",))


def _sqlite_place(
    column: sa.ColumnElement[Any], path: Sequence[Step]
) -> tuple[sa.TableValuedAlias, list[sa.ColumnElement[bool]]]:
    """Return the member at the end of the path, and the conditions that lead to it."""
    member = _members(column)
    conditions = [member.c.key == _bindable(path[0])]
    for step in path[1:]:
        member = _members(_compound(member))
        conditions.append(member.c.key == _bindable(step))
    return member, conditions


def _compare(
    member: sa.TableValuedAlias, operator: str, operand: Operand
) -> sa.ColumnElement[bool]:
    if operator == ":":
        has_part = _has_part(_compound(member), operand)
        if not isinstance(operand, str):
            return has_part
        contains = sa.func.instr(member.c.atom, plain(operand)) > 0
        return sa.or_(has_part, sa.and_(member.c.type == "text", contains))
    if operator == "~":
        assert isinstance(operand, str)
        return sa.and_(member.c.type == "text", member.c.atom.regexp_match(plain(operand)))
    if operand is None or isinstance(operand, bool):
        return member.c.type == json.dumps(operand)
    types = ("text",) if isinstance(operand, str) else _NUMBERS
    compared = member.c.atom.bool_op("=" if operator == "=" else operator)(_bindable(operand))
    return sa.and_(member.c.type.in_(types), compared)


def _has_part(compound: sa.ColumnElement[Any], operand: Operand) -> sa.ColumnElement[bool]:
    """Tell whether the list has this element, or the object this key."""
    part = _members(compound)
    is_element = sa.and_(sa.func.typeof(part.c.key) == "integer", _compare(part, "=", operand))
    found = is_element
    if isinstance(operand, str):
        found = sa.or_(is_element, part.c.key == plain(operand))
    return sa.exists(sa.select(sa.literal(1)).where(found))


def _members(compound: sa.ColumnElement[Any]) -> sa.TableValuedAlias:
    # Named apart, as one may be inside another.
    return sa.func.json_each(sa.type_coerce(compound, sa.Text)).table_valued(
        sa.column("key", sa.types.NULLTYPE),
        sa.column("value", sa.types.NULLTYPE),
        sa.column("type", sa.Text),
        sa.column("atom", sa.types.NULLTYPE),
        joins_implicitly=True,
    )


def _compound(member: sa.TableValuedAlias) -> sa.ColumnElement[Any]:
    """Return the value if it has members, else NULL: json_each fails at bare texts."""
    return sa.case((member.c.type.in_(("object", "array")), member.c.value), else_=sa.null())


def _bindable(value: Operand) -> sa.ColumnElement[Any]:
    if isinstance(value, Decimal):
        return sa.literal(_number(value))
    if isinstance(value, str):
        return sa.literal(plain(value))
    return sa.literal(value)


def _spelled(operand: Operand) -> str | None:
    """Return what is in the text of each value that has the operand in it; None if that varies."""
    if isinstance(operand, str):
        return _quoted(operand)
    if isinstance(operand, Decimal) and abs(operand) < _SPELLED_OUT:
        return str(_number(operand))
    return None


def _number(operand: Decimal) -> int | float:
    whole = operand == operand.to_integral_value() and abs(operand) <= _MAX_INT64
    return int(operand) if whole else float(operand)


def _quoted(text: str) -> str:
    return json.dumps(plain(text))


def _number_or_constant(operand: Operand) -> str:
    if isinstance(operand, Decimal):
        return format(operand, "f") if abs(operand.adjusted()) < 20 else str(operand)
    return json.dumps(operand)
