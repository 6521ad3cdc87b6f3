"""Which stream answers for a build."""

from typing import Any

import sqlalchemy as sa

from stardag_server.store.schema import Build, Event


def answering_stream() -> sa.ColumnElement[Any]:
    """Return the key of the stream that answers for a build: its owner's.

    While nobody has started the build, that of the first event which named it.
    """
    first = (
        sa.select(Event.stream_id)
        .where(Event.build_id == Build.id, Event.position == 1)
        .correlate(Build)
        .scalar_subquery()
    )
    return sa.case((Build.start_stream_id > 0, Build.start_stream_id), else_=first)
