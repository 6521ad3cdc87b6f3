import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { parse } from "uuid";

import { EventType, NewEventSchema, type NewEvent } from "../gen/stardag/v1/event_pb.js";
import type { BuildCase, TaskCase } from "./cases.ts";

type Detail = MessageInitShape<typeof NewEventSchema>["detail"];

export const CLIENT_NAME = "stardag-example-typescript/1";

/**
 * Returns what the producer of a build reports, in order: that it started, what each task is, what
 * became of each, and how the build ended. A program that runs tasks makes each event at the moment
 * it happens, for its times are those of its making.
 */
export function eventsOf(build: BuildCase): NewEvent[] {
  return [
    buildEvent(build, EventType.BUILD_STARTED, buildStart(build)),
    ...build.tasks.map((task) =>
      taskEvent(build, task, EventType.TASK_PENDING, 0, definition(task)),
    ),
    ...build.tasks.flatMap((task) => [
      taskEvent(build, task, EventType.TASK_STARTED, 1),
      finished(build, task),
    ]),
    ended(build),
  ];
}

function buildStart(build: BuildCase): Detail {
  const upstream = new Set(build.tasks.flatMap((task) => task.dependency_ids));
  const ids = build.tasks.map((task) => task.task_id);
  const { name, description, labels } = build;
  // The tasks that the build was asked for are those no other depends on.
  const rootTaskIds = ids.filter((id) => !upstream.has(id));
  return {
    case: "buildStart",
    value: { rootTaskIds, name, description, labels, client: CLIENT_NAME },
  };
}

/** What a task is, which the first event that names it must say. */
function definition(task: TaskCase): Detail {
  return {
    case: "definition",
    value: {
      namespace: task.namespace,
      name: task.name,
      version: task.version,
      identityJson: task.identity_json,
      paramsJson: task.params_json,
      dependencyIds: task.dependency_ids,
      outputUri: task.output_uri,
    },
  };
}

function finished(build: BuildCase, task: TaskCase): NewEvent {
  if (!task.failure) {
    return taskEvent(build, task, EventType.TASK_COMPLETED, 1);
  }
  const { kind, message, stack_trace: stackTrace } = task.failure;
  const detail: Detail = { case: "failure", value: { kind, message, stackTrace } };
  return taskEvent(build, task, EventType.TASK_FAILED, 1, detail);
}

function ended(build: BuildCase): NewEvent {
  if (build.tasks.every((task) => task.outcome === "completed")) {
    return buildEvent(build, EventType.BUILD_COMPLETED);
  }
  const detail: Detail = { case: "buildEnd", value: { reason: "a task failed" } };
  return buildEvent(build, EventType.BUILD_FAILED, detail);
}

function taskEvent(
  build: BuildCase,
  task: TaskCase,
  type: EventType,
  attempt: number,
  detail?: Detail,
): NewEvent {
  const event = buildEvent(build, type, detail);
  event.taskId = parse(task.task_id);
  event.attempt = attempt;
  return event;
}

function buildEvent(build: BuildCase, type: EventType, detail?: Detail): NewEvent {
  return create(NewEventSchema, {
    buildId: parse(build.id),
    type,
    eventTimeUs: BigInt(Date.now()) * 1000n,
    monotonicUs: process.hrtime.bigint() / 1000n,
    ...(detail && { detail }),
  });
}
