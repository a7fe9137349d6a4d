/**
 * A fleet of fake nodes in a process of its own, so that the hub's cost is measured apart. Arguments: port of the line, folder of
 * the authority, number of nodes. Tells its parent when all are welcomed, then how many beats were sent, every second.
 */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { openAuthority } from "../src/hub/enrolment/index.ts";
import { FakeNode, newIdentity } from "../test/fakes/node.ts";

const [port = "", folder = "", count = "0"] = process.argv.slice(2);
/** Streams being opened at once: a TLS handshake costs both sides two milliseconds. */
const atOnce = 50;

const authority = await openAuthority({ folder, trustDomain: "", now: Date.now });
const rootPem = readFileSync(join(folder, "ca.pem"), "utf8");
const keys = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const sample = {
  cpuPercent: 12.5,
  memoryUsedBytes: 1_000_000_000n,
  memoryTotalBytes: 4_000_000_000n,
  uptimeSeconds: 1000n,
};
let beats = 0;
let left = Number(count);

async function keepConnected(index: number): Promise<void> {
  const identity = await newIdentity(authority, `n-bench-${index}`, keys);
  for (let epoch = 1n; ; epoch++) {
    const welcome = Promise.withResolvers<{ beatMs: number } | { retryMs: number }>();
    let beatMs = 5_000;
    const node = FakeNode.dial({
      ...{ port: Number(port), rootPem, identity },
      onFrame: ({ body }) => {
        if (body.case === "welcome") welcome.resolve({ beatMs: body.value.beatIntervalMs });
        if (body.case === "reject") welcome.resolve({ retryMs: body.value.retryAfterMs });
        if (body.case === "pace") beatMs = body.value.beatIntervalMs;
      },
    });
    node.hello({ sessionEpoch: epoch });
    const answer = await Promise.race([welcome.promise, node.ended.then(() => ({ retryMs: 1_000 }))]);
    if ("retryMs" in answer) {
      node[Symbol.dispose]();
      await sleep(answer.retryMs);
      continue;
    }
    beatMs = answer.beatMs;
    const beat = () => {
      node.send({ case: "beat", value: { sentAt: timestampFromMs(Date.now()), sample } });
      beats++;
      setTimeout(beat, beatMs);
    };
    setTimeout(beat, Math.random() * beatMs);
    if (--left === 0) process.send?.({ allConnected: true });
    return;
  }
}

let next = 0;
const opener = async () => {
  for (let index = next++; index < Number(count); index = next++) await keepConnected(index);
};
setInterval(() => process.send?.({ beats }), 1000);
await Promise.all(Array.from({ length: atOnce }, opener));
