import assert from "node:assert/strict";
import { test } from "node:test";
import { daemonSettings } from "../../src/daemon/config.ts";
import { hubSettings } from "../../src/hub/config.ts";
import { netmonSettings } from "../../src/netmon/config.ts";
import { settingSections } from "../../src/wire/settings.ts";

test("one file may hold the settings of all programs: each knows the sections of the others", () => {
  const around = { env: {}, uid: 0, home: "/root", cwd: "/" };
  const keys = [daemonSettings, hubSettings, netmonSettings].flatMap((of) => Object.keys(of(around)));
  const known: readonly string[] = settingSections;
  const strange = keys.filter((key) => !known.includes(key.split(".")[0] ?? ""));
  assert.deepEqual(strange, []);
});
