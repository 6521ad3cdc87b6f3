import { readFile } from "node:fs/promises";

/** What the program is given: a build to publish, and ids to check. Its tests also read addresses. */
export interface Cases {
  build: BuildCase;
  identity_vectors: { identity_json: string; task_id: string }[];
  addresses: { text: string; host_and_port: string; tls: boolean }[];
}

export interface BuildCase {
  id: string;
  stream_id: string;
  name: string;
  description: string;
  labels: Record<string, string>;
  tasks: TaskCase[];
}

export interface TaskCase {
  task_id: string;
  namespace: string;
  name: string;
  version: string;
  identity_json: string;
  params_json: string;
  dependency_ids: string[];
  output_uri: string;
  duration_s: number;
  outcome: "completed" | "failed";
  /** There if the task failed. */
  failure?: { kind: string; message: string; stack_trace: string };
}

export async function readCases(path: string | URL): Promise<Cases> {
  return JSON.parse(await readFile(path, "utf8")) as Cases;
}
