import assert from "node:assert/strict";
import { test } from "node:test";

import { paged } from "./queries.ts";

test("an empty page is not the end", async () => {
  const pages: Record<string, { items: number[]; nextPageToken: string }> = {
    "": { items: [1], nextPageToken: "a" },
    a: { items: [], nextPageToken: "b" },
    b: { items: [2, 3], nextPageToken: "" },
  };
  const items = paged(
    async (token) => pages[token] ?? assert.fail(`there is no page ${token}`),
    (page) => page.items,
  );
  assert.deepEqual(await Array.fromAsync(items), [1, 2, 3]);
});

test("a failure ends the pages", async () => {
  const items = paged(
    () => Promise.reject(new Error("refused")),
    () => [],
  );
  await assert.rejects(Array.fromAsync(items), /refused/);
});
