import { setTimeout } from "node:timers/promises";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { parse } from "uuid";

import { EventType, NewEventSchema, type NewEvent } from "../gen/stardag/v1/event_pb.js";
import type { BuildCase, TaskCase } from "./cases.ts";

type Detail = MessageInitShape<typeof NewEventSchema>["detail"];

export const CLIENT_NAME = "stardag-example-typescript/1";

/**
 * Stands in for a program that runs the tasks of a build: takes the time that they would, and yields
 * each event when it happens. Asked to stop, with the reason for it as that of the signal, it ends the
 * build early.
 */
export async function* perform(build: BuildCase, stop: AbortSignal): AsyncGenerator<NewEvent> {
  yield buildEvent(build, EventType.BUILD_STARTED, buildStart(build));
  for (const task of build.tasks) {
    yield taskEvent(build, task, EventType.TASK_PENDING, 0, definition(task));
  }
  for (const task of build.tasks) {
    yield taskEvent(build, task, EventType.TASK_STARTED, 1);
    if (await isStopped(task.duration_s, stop)) {
      yield taskEvent(build, task, EventType.TASK_CANCELLED, 1);
      yield ended(build, EventType.BUILD_CANCELLED, String(stop.reason));
      return;
    }
    yield finished(build, task);
  }
  yield build.tasks.every((task) => task.outcome === "completed")
    ? buildEvent(build, EventType.BUILD_COMPLETED)
    : ended(build, EventType.BUILD_FAILED, "a task failed");
}

/** Waits, and returns whether the signal came before. */
async function isStopped(seconds: number, stop: AbortSignal): Promise<boolean> {
  return await setTimeout(seconds * 1000, false, { signal: stop }).catch(() => true);
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

function ended(build: BuildCase, how: EventType, reason: string): NewEvent {
  return buildEvent(build, how, { case: "buildEnd", value: { reason } });
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
