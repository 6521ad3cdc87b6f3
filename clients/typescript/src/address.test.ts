import assert from "node:assert/strict";
import { test } from "node:test";

import { parseAddress } from "./address.ts";
import { readCases } from "./cases.ts";

test("addresses are read as the SDK does", async () => {
  const { addresses } = await readCases(new URL("../../cases.json", import.meta.url));
  assert.notEqual(addresses.length, 0);
  for (const { text, host_and_port: hostAndPort, tls } of addresses) {
    assert.deepEqual(parseAddress(text), { hostAndPort, tls });
  }
});

test("no address may send the token in plain text over a network", () => {
  assert.throws(() => parseAddress("http://192.0.2.1:7465"), /unencrypted/);
  assert.throws(() => parseAddress("http://stardag.example.com"), /unencrypted/);
});

test("what is no address is refused", () => {
  for (const text of [
    "",
    "localhost/there",
    "user@localhost",
    "localhost:port",
    "ftp://localhost",
  ]) {
    assert.throws(() => parseAddress(text), /STARDAG_SERVER/);
  }
});
