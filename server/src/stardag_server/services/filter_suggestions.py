"""What RegistryService.SuggestFilterValues answers with."""

from collections.abc import Mapping
from dataclasses import dataclass

from stardag.v1.registry_service_pb2 import (
    FILTER_FIELD_TYPE_TEXT,
    FILTER_SUBJECT_BUILDS,
    FILTER_SUBJECT_TASKS,
    FILTER_SUBJECT_UNSPECIFIED,
    FilterSuggestion,
    SuggestFilterValuesRequest,
    SuggestFilterValuesResponse,
)
from stardag_server.domain.filter_fields import BUILD_FIELDS, TASK_FIELDS, TEXT, Field
from stardag_server.domain.filters import parse_field
from stardag_server.domain.pages import parts
from stardag_server.domain.refusals import RequestInvalid
from stardag_server.domain.suggestions import (
    MAX_TEXT,
    spelled,
    suggested_fields,
    suggested_names,
    suggested_parts,
)
from stardag_server.domain.texts import checked_text
from stardag_server.store.samples import Samples

_DEFAULT = 20
_MOST = 100


@dataclass(frozen=True, slots=True)
class _Subject:
    table: str
    fields: Mapping[str, Field]
    compound: str
    """The field with parts."""


_TASKS = _Subject("tasks", TASK_FIELDS, "params")
_SUBJECTS: Mapping[int, _Subject] = {
    FILTER_SUBJECT_UNSPECIFIED: _TASKS,
    FILTER_SUBJECT_TASKS: _TASKS,
    FILTER_SUBJECT_BUILDS: _Subject("builds", BUILD_FIELDS, "labels"),
}


async def suggest(
    samples: Samples, workspace: int, request: SuggestFilterValuesRequest
) -> SuggestFilterValuesResponse:
    """Return fields, or values of the field. Raises RequestInvalid, FilterInvalid."""
    subject = _SUBJECTS.get(request.subject)
    if subject is None:
        raise RequestInvalid.of("subject", "must be TASKS or BUILDS")
    checked_text("prefix", request.prefix, MAX_TEXT)
    if request.max_suggestions < 0:
        raise RequestInvalid.of("max_suggestions", "must not be negative")
    most = min(request.max_suggestions or _DEFAULT, _MOST)
    found = await _suggestions(samples, workspace, subject, request, most + 1)
    shown = next(parts(found[:most]), list[FilterSuggestion]())
    return SuggestFilterValuesResponse(suggestions=shown, truncated=len(shown) < len(found))


async def _suggestions(
    samples: Samples,
    workspace: int,
    subject: _Subject,
    request: SuggestFilterValuesRequest,
    limit: int,
) -> list[FilterSuggestion]:
    table, prefix = subject.table, request.prefix
    if not request.field:
        documents = await samples.documents(workspace, table, subject.compound)
        return suggested_fields(subject.fields, prefix, {subject.compound: documents})
    name, path = parse_field(request.field, subject.fields)
    field = subject.fields[name]
    if field.parts or (name.startswith("source.") and not field.names):
        column, _, key = name.partition(".")
        documents = await samples.documents(workspace, table, column)
        return suggested_parts(documents, (key, *path) if key else path, prefix)
    if field.names:
        return suggested_names(field, prefix)
    if field is not TEXT:
        # Of numbers, times and ids no one asks for the most frequent.
        return []
    texts = await samples.texts(
        workspace, table, name, prefix=prefix, longest=MAX_TEXT, limit=limit
    )
    return [
        FilterSuggestion(text=spelled(text), type=FILTER_FIELD_TYPE_TEXT, count=count)
        for text, count in texts
    ]
