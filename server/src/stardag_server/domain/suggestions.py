"""What a filter may be completed with: fields, or the values that one has."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from stardag.v1.registry_service_pb2 import (
    FILTER_FIELD_TYPE_BOOLEAN,
    FILTER_FIELD_TYPE_COMPOUND,
    FILTER_FIELD_TYPE_ENUM,
    FILTER_FIELD_TYPE_NUMBER,
    FILTER_FIELD_TYPE_TEXT,
    FILTER_FIELD_TYPE_TIME,
    FilterFieldType,
    FilterSuggestion,
)
from stardag_server.domain.filter_fields import BOOLEAN, NUMBER, SECONDS, TIME, Field, Step

MAX_TEXT = 255
"""Characters beyond which a value is not suggested."""

_BARE = re.compile(r"(?!(?:AND|OR|NOT)\Z)[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_JSON_NAMES = ("true", "false", "null")
_TYPES: Mapping[Field, FilterFieldType.ValueType] = {
    NUMBER: FILTER_FIELD_TYPE_NUMBER,
    SECONDS: FILTER_FIELD_TYPE_NUMBER,
    TIME: FILTER_FIELD_TYPE_TIME,
    BOOLEAN: FILTER_FIELD_TYPE_BOOLEAN,
}


def field_type(field: Field) -> FilterFieldType.ValueType:
    """Return the type of a field without parts."""
    known = _TYPES.get(field)
    return known or (FILTER_FIELD_TYPE_ENUM if field.names else FILTER_FIELD_TYPE_TEXT)


def suggested_fields(
    fields: Mapping[str, Field], prefix: str, documents: Mapping[str, Sequence[Any]]
) -> list[FilterSuggestion]:
    """Return the fields that begin with the prefix, the most frequent first.

    Of fields with parts, those are the keys in the `documents` of each.
    """
    found = [
        FilterSuggestion(text=name, type=field_type(field))
        for name, field in fields.items()
        if not field.parts
    ]
    for name, each in documents.items():
        counts: dict[str, Counter[int]] = {}
        for document in each:
            for key, value in cast("dict[str, Any]", document).items():
                counts.setdefault(key, Counter())[_type_of(value)] += 1
        found += [
            FilterSuggestion(
                text=f"{name}.{_spelled_step(key)}",
                type=FilterFieldType.ValueType(types.most_common(1)[0][0]),
                count=types.total(),
            )
            for key, types in counts.items()
            if len(key) <= MAX_TEXT
        ]
    plain = (each for each in found if each.text.replace('"', "").startswith(prefix))
    return sorted(plain, key=lambda each: (-each.count, each.text))


def suggested_names(field: Field, prefix: str) -> list[FilterSuggestion]:
    """Return the names that begin with the prefix, of a field whose values are names."""
    type = field_type(field)
    return [
        FilterSuggestion(text=name, type=type) for name in field.names if name.startswith(prefix)
    ]


def suggested_parts(
    documents: Iterable[Any], path: tuple[Step, ...], prefix: str
) -> list[FilterSuggestion]:
    """Return the values at a path of the documents that begin with the prefix."""
    counts: Counter[tuple[str, int]] = Counter()
    for document in documents:
        value = _at(document, path)
        if value is _MISSING or _type_of(value) == FILTER_FIELD_TYPE_COMPOUND:
            continue
        shown = value if isinstance(value, str) else json.dumps(value)
        if shown.startswith(prefix) and len(shown) <= MAX_TEXT:
            counts[spelled(value) if isinstance(value, str) else shown, _type_of(value)] += 1
    return [
        FilterSuggestion(text=text, type=FilterFieldType.ValueType(type), count=count)
        for (text, type), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def spelled(text: str) -> str:
    """Return a text as a filter spells it, quoted where it has to be."""
    bare = _BARE.fullmatch(text) and text not in _JSON_NAMES
    return text if bare else json.dumps(text, ensure_ascii=False)


_MISSING = object()


def _spelled_step(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _at(value: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value


def _type_of(value: object) -> FilterFieldType.ValueType:
    if isinstance(value, bool):
        return FILTER_FIELD_TYPE_BOOLEAN
    if isinstance(value, int | float):
        return FILTER_FIELD_TYPE_NUMBER
    if isinstance(value, dict | list):
        return FILTER_FIELD_TYPE_COMPOUND
    return FILTER_FIELD_TYPE_TEXT
