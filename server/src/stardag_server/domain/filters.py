"""Filters of lists: from their text to conditions on fields whose types are known.

docs/contract.md has the grammar and the meaning, `filter_fields.py` the fields.
What a condition means to a database is `store/conditions.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from stardag_server.domain.filter_fields import (
    Field,
    Operand,
    OperatorError,
    PathError,
    Step,
    Word,
)
from stardag_server.domain.refusals import FilterInvalid

MAX_BYTES = 4 << 10
MAX_COMPARISONS = 32
MAX_PARENTHESES = 16

_GRAMMAR = r"""
?start: any
any: all (_OR all)*
all: term (_AND term)*
term: NOT* ("(" any ")" | comparison)
comparison: field OPERATOR (TEXT | NUMBER | NAME)
field: NAME ("." (NAME | TEXT) | "[" INDEX "]")*
OPERATOR: "!=" | "<=" | ">=" | "=" | "<" | ">" | ":" | "~"
_OR: /OR(?![A-Za-z0-9_-])/
_AND: /AND(?![A-Za-z0-9_-])/
NOT: /NOT(?![A-Za-z0-9_-])/
NAME: /(?!(?:AND|OR|NOT)(?![A-Za-z0-9_-]))[A-Za-z_][A-Za-z0-9_-]*/
TEXT: /"(?:[^"\\]|\\.)*"/
NUMBER: /-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/
INDEX: /[0-9]{1,9}/
%import common.WS
%ignore WS
"""
_PARSER = Lark(_GRAMMAR, parser="lalr", start=["start", "field"])
_EXPECTED = {
    "_OR": "OR",
    "_AND": "AND",
    "NOT": "NOT",
    "NAME": "a name",
    "TEXT": "a quoted text",
    "NUMBER": "a number",
    "INDEX": "an index",
    "OPERATOR": "an operator",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "DOT": ".",
    "$END": "the end",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, or what is at a path within it, compared with a value of a suitable type."""

    field: str
    path: tuple[Step, ...]
    operator: str
    """One of `= < <= > >= : ~`."""
    value: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """True if the condition is not."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """True if all conditions are."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """True if one of the conditions is."""

    conditions: tuple["Condition", ...]


Condition = Comparison | Not | All | Any


def parse(text: str, fields: Mapping[str, Field]) -> Condition | None:
    """Return the condition that a filter over these fields states; None for an empty one.

    Raises FilterInvalid, with the place, for what does not parse, for a field
    there is not, for a value that can't be the field's, and beyond the bounds.
    """
    if len(text.encode()) > MAX_BYTES:
        raise FilterInvalid(f"at most {MAX_BYTES} bytes", MAX_BYTES)
    if not text.strip():
        return None
    try:
        _check_depth(text)
        tree = _PARSER.parse(text, start="start")
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    comparisons = list(tree.find_data("comparison"))
    if len(comparisons) > MAX_COMPARISONS:
        first = next(comparisons[MAX_COMPARISONS].scan_values(lambda _: True))
        raise FilterInvalid(f"at most {MAX_COMPARISONS} comparisons", _position(first))
    return _condition(tree, fields)


def fields_in(condition: Condition) -> set[str]:
    """Return the fields that the condition is about."""
    if isinstance(condition, Comparison):
        return {condition.field}
    inner = (condition.condition,) if isinstance(condition, Not) else condition.conditions
    return {field for each in inner for field in fields_in(each)}


def parse_field(text: str, fields: Mapping[str, Field]) -> tuple[str, tuple[Step, ...]]:
    """Return the field that the text names, and the path within it. Raises FilterInvalid."""
    if len(text.encode()) > MAX_BYTES:
        raise FilterInvalid(f"at most {MAX_BYTES} bytes", MAX_BYTES)
    try:
        place = _PARSER.parse(text, start="field")
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    name, path, begin = _resolve(place, fields)
    if path and not fields[name].parts:
        raise FilterInvalid(f"{name} has no parts", begin)
    return name, path


def _check_depth(text: str) -> None:
    depth = 0
    for token in _PARSER.lex(text):
        depth += {"LPAR": 1, "RPAR": -1}.get(token.type, 0)
        if depth > MAX_PARENTHESES:
            raise FilterInvalid(f"parentheses over {MAX_PARENTHESES} deep", _position(token))


def _unexpected(text: str, error: UnexpectedInput) -> FilterInvalid:
    at = error.pos_in_stream
    names: set[str] = set()
    if isinstance(error, UnexpectedToken):
        names = set(error.accepts or error.expected)
        at = len(text) if error.token.type == "$END" else at
    position = len(text) if at is None else at
    rest = text[position : position + 20]
    found = f"unexpected {rest!r}" if rest else "it ends too early"
    if rest.startswith('"'):
        found = "a quoted text does not end, or does not belong here"
    return FilterInvalid(found, position, ", ".join(sorted(_EXPECTED.get(n, n) for n in names)))


def _condition(tree: "Tree[Token]", fields: Mapping[str, Field]) -> Condition:
    match tree.data:
        case "any":
            each = tuple(_condition(child, fields) for child in _trees(tree))
            return each[0] if len(each) == 1 else Any(each)
        case "all":
            each = tuple(_condition(child, fields) for child in _trees(tree))
            return each[0] if len(each) == 1 else All(each)
        case "term":
            inner = _condition(_trees(tree)[0], fields)
            return Not(inner) if len(tree.children) % 2 == 0 else inner
        case _:
            return _comparison(tree, fields)


def _comparison(tree: "Tree[Token]", fields: Mapping[str, Field]) -> Condition:
    place, operator, word = cast("tuple[Tree[Token], Token, Token]", tuple(tree.children))
    name, path, begin = _resolve(place, fields)
    field = fields[name]
    equal = "=" if operator == "!=" else str(operator)
    try:
        value = field.operand(name, path, equal, _word(word))
    except ValueError as error:
        at = operator if isinstance(error, OperatorError) else word
        position = begin if isinstance(error, PathError) else _position(at)
        raise FilterInvalid(str(error), position, field.expected) from None
    comparison = Comparison(name, path, equal, value)
    return Not(comparison) if operator == "!=" else comparison


def _resolve(
    place: "Tree[Token]", fields: Mapping[str, Field]
) -> tuple[str, tuple[Step, ...], int]:
    """Return the field that is named, and the path within it: `source.ref` is a field."""
    tokens = cast("list[Token]", place.children)
    begin = _position(tokens[0])
    steps = [_step(token) for token in tokens]
    for length in (2, 1):
        if len(steps) >= length and all(isinstance(step, str) for step in steps[:length]):
            name = ".".join(str(step) for step in steps[:length])
            if name in fields:
                return name, tuple(steps[length:]), begin
    named = ".".join(str(step) for step in steps[:2])
    raise FilterInvalid(f"there is no field {named}", begin, ", ".join(sorted(fields)))


def _step(token: Token) -> Step:
    return int(token) if token.type == "INDEX" else _text_of(token)


def _word(token: Token) -> Word:
    return Word(_text_of(token), token.type)


def _text_of(token: Token) -> str:
    if token.type != "TEXT":
        return str(token)
    try:
        text: str = json.loads(token)
        text.encode()
    except ValueError:
        raise FilterInvalid("a text that JSON does not have", _position(token)) from None
    return text


def _trees(tree: "Tree[Token]") -> "list[Tree[Token]]":
    return [child for child in tree.children if isinstance(child, Tree)]


def _position(token: object) -> int:
    return (token.start_pos or 0) if isinstance(token, Token) else 0
