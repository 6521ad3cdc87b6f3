import type { Client } from "@connectrpc/connect";

import type { Build } from "../gen/stardag/v1/build_pb.js";
import type { BuildService } from "../gen/stardag/v1/build_service_pb.js";
import type { TaskState } from "../gen/stardag/v1/task_pb.js";
import type { BuildCase } from "./cases.ts";

type BuildClient = Client<typeof BuildService>;

/** Returns the filter that finds builds with this one's name and labels. */
export function filterFor(build: BuildCase): string {
  const labels = Object.entries(build.labels);
  // A text in a filter has the escapes of JSON.
  return [
    `name = ${JSON.stringify(build.name)}`,
    ...labels.map(([key, value]) => `labels.${JSON.stringify(key)} = ${JSON.stringify(value)}`),
  ].join(" AND ");
}

/** Yields the builds that match a filter, those heard of last first. */
export function listBuilds(
  client: BuildClient,
  filter: string,
  signal: AbortSignal,
): AsyncGenerator<Build> {
  return paged(
    (pageToken) => client.listBuilds({ filter, pageToken }, { signal }),
    (page) => page.builds,
  );
}

/** Yields the state of each task of a build, in the order in which they entered it. */
export function listTaskStates(
  client: BuildClient,
  buildId: string,
  pageSize: number,
  signal: AbortSignal,
): AsyncGenerator<TaskState> {
  return paged(
    (pageToken) => client.listTaskStates({ buildId, pageSize, pageToken }, { signal }),
    (page) => page.taskStates,
  );
}

/**
 * Yields the items of all pages; asks for a page when its items are wanted. A page may be empty: only
 * an empty token means the end.
 */
export async function* paged<Page extends { nextPageToken: string }, Item>(
  fetch: (pageToken: string) => Promise<Page>,
  itemsOf: (page: Page) => Item[],
): AsyncGenerator<Item> {
  let pageToken = "";
  do {
    const page = await fetch(pageToken);
    yield* itemsOf(page);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}
