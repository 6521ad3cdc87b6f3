"""Publishes a build, watches it live, and reads it back, with the stubs and grpcio alone.

`client.py CASES_JSON`, with the server's address in STARDAG_SERVER, a credential in
STARDAG_TOKEN, and the authorities that it trusts in STARDAG_CA_FILE if that is set. The last line
is a JSON object that says what it saw.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import UUID, uuid5

import grpc
from connection import Metadata, bearer, connect
from errors import text
from events import perform
from publish import Outbox, Producer
from queries import filter_for, list_builds, list_task_states, reason_for_an_unknown_build, watch

from stardag.v1.build_service_pb2_grpc import BuildServiceStub
from stardag.v1.event_service_pb2_grpc import EventServiceStub
from stardag.v1.task_pb2 import TaskStatus

NAMESPACE = UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")


def main(path: str, server: str, token: str, ca_file: str | None) -> None:
    cases = json.loads(Path(path).read_text())
    build, metadata = cases["build"], bearer(token)
    with connect(server, ca_file) as channel:
        events, builds = EventServiceStub(channel), BuildServiceStub(channel)
        report = {
            "language": "python",
            "identity_ok": all(map(identity_is_right, cases["identity_vectors"])),
            **publish_watched(events, metadata, build),
            "listed_builds": [
                one.build_id for one in list_builds(builds, metadata, filter_for(build))
            ],
            "paged_task_ids": [
                state.task_id for state in list_task_states(builds, metadata, build["id"], 2)
            ],
            "error_reason": reason_for_an_unknown_build(builds, metadata),
        }
    print(json.dumps(report))


def identity_is_right(vector: dict[str, str]) -> bool:
    """Tell whether an id is that of the text, which is hashed as it is, to the byte."""
    return str(uuid5(NAMESPACE, vector["identity_json"])) == vector["task_id"]


def publish_watched(
    events: EventServiceStub, metadata: Metadata, build: dict[str, Any]
) -> dict[str, Any]:
    """Perform the build and publish what happens, while another call watches it."""
    outbox = Outbox()
    stop: SimpleQueue[str] = SimpleQueue()
    producer = Producer(
        events, metadata, build["stream_id"], outbox, lambda notice: stop.put(notice.reason)
    )
    with ThreadPoolExecutor() as threads:
        acked = threads.submit(producer.publish)
        statuses = threads.submit(watched_statuses, events, metadata, build["id"])
        # Who can't publish or watch does not go on either.
        acked.add_done_callback(lambda done: stop.put("it can't be reported"))
        perform(build, outbox.add, stop)
        outbox.close()
        return {"events_acked": acked.result(), "watched_statuses": statuses.result()}


def watched_statuses(events: EventServiceStub, metadata: Metadata, build_id: str) -> dict[str, str]:
    """Print what becomes of each task until the build has ended, and return it."""
    statuses: dict[str, str] = {}
    for response in watch(events, metadata, build_id):
        for state in response.task_states:
            statuses[state.task_id] = TaskStatus.Name(state.status).removeprefix("TASK_STATUS_")
            print(state.name, statuses[state.task_id], flush=True)
    return statuses


if __name__ == "__main__":
    server, token = (os.environ.get(name) for name in ("STARDAG_SERVER", "STARDAG_TOKEN"))
    if len(sys.argv) != 2 or not server or not token:
        sys.exit("usage: STARDAG_SERVER=address STARDAG_TOKEN=token run CASES_JSON")
    try:
        main(sys.argv[1], server, token, os.environ.get("STARDAG_CA_FILE"))
    except (OSError, ValueError) as error:
        sys.exit(f"run: {error}")
    except grpc.RpcError as error:
        sys.exit(f"run: {text(error)}")
