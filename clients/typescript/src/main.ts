/**
 * Publishes a build to Stardag's tracking service, watches it live, and reads it back.
 *
 * It knows nothing of Stardag but the contract in proto/. It takes the service's address and a
 * credential from STARDAG_SERVER and STARDAG_TOKEN, the authorities that it trusts from
 * STARDAG_CA_FILE if that is set, and the build from a file. Its last line is a JSON object that says
 * what it saw.
 */
import { createClient, type Client } from "@connectrpc/connect";
import { v4 } from "uuid";

import { BuildStatus } from "../gen/stardag/v1/build_pb.js";
import { BuildService } from "../gen/stardag/v1/build_service_pb.js";
import { EventService } from "../gen/stardag/v1/event_service_pb.js";
import { TaskStatus } from "../gen/stardag/v1/task_pb.js";
import { readCases, type BuildCase } from "./cases.ts";
import { connect } from "./connection.ts";
import { reason, text } from "./errors.ts";
import { perform } from "./events.ts";
import { taskId } from "./identity.ts";
import { Outbox } from "./outbox.ts";
import { Producer } from "./publish.ts";
import { filterFor, listBuilds, listTaskStates } from "./queries.ts";
import { watchBuild } from "./watch.ts";

const PATIENCE_MS = 60_000;

async function main(path: string | undefined): Promise<void> {
  const { STARDAG_SERVER: server, STARDAG_TOKEN: token, STARDAG_CA_FILE: caFile } = process.env;
  if (!path || !server || !token) {
    throw new Error("usage: STARDAG_SERVER=address STARDAG_TOKEN=token run CASES_JSON");
  }
  const { build, identity_vectors: vectors } = await readCases(path);
  // If one call fails, the others are not worth going on with.
  const ended = new AbortController();
  const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ended.signal]);
  const { transport, close } = connect(server, token, caFile);
  try {
    const seen = {
      language: "typescript",
      identity_ok: vectors.every((vector) => taskId(vector.identity_json) === vector.task_id),
      ...(await publishWatched(createClient(EventService, transport), build, signal)),
      ...(await readBack(createClient(BuildService, transport), build, signal)),
    };
    console.log(JSON.stringify(seen));
  } finally {
    ended.abort();
    close();
  }
}

/** Performs the build and publishes what happens, while another call watches it. */
async function publishWatched(
  client: Client<typeof EventService>,
  build: BuildCase,
  signal: AbortSignal,
) {
  const outbox = new Outbox();
  const stop = new AbortController();
  const producer = new Producer(client, build.stream_id, outbox, ({ reason }) => {
    stop.abort(reason);
  });
  const performing = async () => {
    for await (const event of perform(build, AbortSignal.any([stop.signal, signal]))) {
      outbox.add(event);
    }
    outbox.close();
  };
  const [events_acked, watched_statuses] = await Promise.all([
    producer.publish(signal),
    watchStatuses(client, build.id, signal),
    performing(),
  ]);
  return { events_acked, watched_statuses };
}

/** Prints each change of a build until it has ended, and returns where its tasks stand. */
async function watchStatuses(
  client: Client<typeof EventService>,
  buildId: string,
  signal: AbortSignal,
) {
  const statuses: Record<string, string> = {};
  for await (const { build, taskStates } of watchBuild(client, buildId, signal)) {
    if (build) console.log("build", build.buildId, BuildStatus[build.status]);
    for (const { taskId, name, status } of taskStates) {
      statuses[taskId] = TaskStatus[status];
      console.log("task", taskId, name, statuses[taskId]);
    }
  }
  return statuses;
}

async function readBack(
  client: Client<typeof BuildService>,
  build: BuildCase,
  signal: AbortSignal,
) {
  const builds = await Array.fromAsync(listBuilds(client, filterFor(build), signal));
  const states = await Array.fromAsync(listTaskStates(client, build.id, 2, signal));
  const missing = client.getBuild({ buildId: v4() }, { signal });
  return {
    listed_builds: builds.map((listed) => listed.buildId),
    paged_task_ids: states.map((state) => state.taskId),
    error_reason: await missing.then(() => undefined, reason),
  };
}

try {
  await main(process.argv[2]);
} catch (error) {
  console.error("run:", text(error));
  process.exitCode = 1;
}
