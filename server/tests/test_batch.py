"""What of an event is kept beside its columns."""

import pytest
from google.protobuf.descriptor import FieldDescriptor
from producer import Producer

from stardag.v1 import event_pb2 as pb
from stardag_server.domain.batch import _COLUMN_FIELDS, leftover


def test_an_event_that_its_columns_hold_leaves_nothing():
    assert leftover(Producer().event(pb.EVENT_TYPE_TASK_STARTED, "t", 1), task_known=True) is None


@pytest.mark.parametrize(
    "field",
    [
        field
        for field in pb.NewEvent.DESCRIPTOR.fields
        if field.name not in (*_COLUMN_FIELDS, "task_id")
    ],
    ids=lambda field: field.name,
)
def test_a_field_without_a_column_is_kept(field: FieldDescriptor):
    event = pb.NewEvent(build_id=bytes(16), task_id=bytes(16))
    if field.message_type:
        getattr(event, field.name).SetInParent()
    else:
        setattr(event, field.name, 1)
    kept = leftover(event, task_known=True)
    assert kept is not None
    assert pb.NewEvent.FromString(kept).ListFields() == [(field, getattr(event, field.name))]
