import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { FolderWatch } from "../../../src/netmon/devices/index.ts";
import { ownDev } from "../../fixtures/dev.ts";
import { until } from "../../journeys/until.ts";

const log = openLog({ program: "test", level: "silent", format: "pretty" });

test("what comes and goes is noticed, also in a folder that was removed and made again", async () => {
  using dev = ownDev();
  let notices = 0;
  const folders = new Set([dev.path, dev.at("serial")]);
  const notice = () => {
    notices++;
    watch.follow(folders);
  };
  using watch = new FolderWatch({ notice, clock: systemClock, log });
  assert.equal(watch.follow(folders), true);
  assert.equal(watch.follow(folders), false);
  const after = async (deed: () => void) => {
    notices = 0;
    deed();
    await until("it is noticed", () => notices > 0);
  };
  for (let turn = 1; turn <= 5; turn++) {
    await after(() => mkdirSync(dev.at("serial")));
    await after(() => writeFileSync(dev.at("serial/by-id"), ""));
    await after(() => dev.remove("serial/by-id"));
  }
});

test("a folder in which somebody writes all the time costs little, and what comes into it is noticed all the same", async () => {
  using dev = ownDev();
  let notices = 0;
  const folders = new Set([dev.path]);
  using watch = new FolderWatch({
    ...{ clock: systemClock, log },
    notice: () => {
      notices++;
      watch.follow(folders);
    },
  });
  watch.follow(folders);
  const loud = dev.at("null");
  writeFileSync(loud, "");
  for (let at = 0; at < 3_000; at++) {
    appendFileSync(loud, "x");
    if (at % 100 === 0) await sleep(1);
  }
  notices = 0;
  writeFileSync(join(dev.path, "ttyUSB0"), "");
  await until("the new one is noticed", () => notices > 0);
});
