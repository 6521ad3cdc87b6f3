import assert from "node:assert/strict";
import { test } from "node:test";

import { readCases } from "./cases.ts";
import { taskId } from "./identity.ts";

test("ids are those of the published vectors", async () => {
  const { identity_vectors } = await readCases(new URL("../../cases.json", import.meta.url));
  assert.notEqual(identity_vectors.length, 0);
  for (const vector of identity_vectors) {
    assert.equal(taskId(vector.identity_json), vector.task_id);
  }
});

test("a blank more is another task", () => {
  assert.notEqual(taskId('{"a":1}'), taskId('{"a": 1}'));
});
