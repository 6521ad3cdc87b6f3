"""What the log keeps of an event, beside its columns."""

import pytest
from google.protobuf.descriptor import FieldDescriptor
from producer import Producer, definition

from stardag.v1 import event_pb2 as pb
from stardag.v1 import task_pb2
from stardag_server.domain.batch import _COLUMN_FIELDS, leftover

make = Producer()


def kept(event: pb.NewEvent, *, taken: bool = True) -> pb.NewEvent | None:
    rest = leftover(event, task_known=True, taken=taken)
    return None if rest is None else pb.NewEvent.FromString(rest)


def test_of_an_event_without_detail_nothing_is_left():
    assert kept(make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1)) is None


def test_a_detail_is_kept_without_what_has_columns():
    output = task_pb2.TaskOutput(uri="file:///x")
    event = make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1, output=output)
    assert kept(event) == pb.NewEvent(output=output)


def test_a_definition_that_was_taken_is_not_repeated():
    assert kept(make.pending("t", ["u"])) is None


def test_a_definition_that_was_not_taken_is_kept():
    rejected = make.pending("t")
    assert kept(rejected, taken=False) == pb.NewEvent(definition=rejected.definition)
    misplaced = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1, definition=definition("t"))
    assert kept(misplaced) == pb.NewEvent(definition=misplaced.definition)


@pytest.mark.parametrize("inside", [False, True])
def test_fields_that_are_not_known_are_kept(inside: bool):
    event = make.pending("t")
    (event.definition if inside else event).MergeFromString(b"\xfa\x01\x03abc")
    rest = kept(event)
    assert rest is not None and b"\xfa\x01\x03abc" in rest.SerializeToString()


def test_the_id_of_a_task_that_has_no_key_is_kept():
    event = make.event(500, "t")
    rest = leftover(event, task_known=False, taken=True)
    assert rest is not None and pb.NewEvent.FromString(rest) == pb.NewEvent(task_id=event.task_id)


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
    rest = kept(event, taken=False)
    assert rest is not None
    assert rest.ListFields() == [(field, getattr(event, field.name))]
