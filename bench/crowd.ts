/** Many small runtimes on one node, for benchmarks: made, started and ended, by the daemon or by plain calls of the engine. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import {
  RuntimePhase,
  RuntimeProfile,
  type RuntimeSpecSchema,
  Runtimes,
} from "../gen/edge/v1/runtimes_pb.ts";
import { Wishes } from "../gen/edge/v1/wishes_pb.ts";
import type { HubStream } from "../test/fakes/hub.ts";
import type { Engine } from "../test/fixtures/engine.ts";
import { serviceAt } from "../test/journeys/world.ts";
import type { BenchNode } from "./node.ts";

type SpecInit = MessageInitShape<typeof RuntimeSpecSchema>;

/** Calls under way at once. */
const atOnce = 4;

/** The node's runtimes, over its own socket. */
export function runtimesOf(node: BenchNode): Client<typeof Runtimes> {
  return serviceAt(socketOf(node), Runtimes);
}

function socketOf({ dataDir }: BenchNode): string {
  return join(dataDir, "daemon.sock");
}

export const nameOf = (at: number) => `crowd-${at}`;

/** Applies so many wishes at once; returns when all run. */
export async function makeCrowd(
  node: BenchNode,
  { image, count, more = {} }: { image: string; count: number; more?: SpecInit },
): Promise<void> {
  const plain = { image, profile: RuntimeProfile.PLAIN, stopGraceMs: 1000, ...more };
  const wishes = Array.from({ length: count }, (_, at) => ({ ...plain, name: nameOf(at) }));
  const applied = await serviceAt(socketOf(node), Wishes).applyWishes({ runtimes: wishes });
  const failed = applied.runtimes.find(({ failure }) => failure);
  if (failed) throw new Error(`${failed.name}: ${failed.failure?.message}`);
}

export async function removeCrowd(runtimes: Client<typeof Runtimes>): Promise<void> {
  const all = await runtimes.listRuntimes({});
  await Promise.all(all.runtimes.map(({ spec }) => runtimes.deleteRuntime({ name: spec?.name ?? "" })));
}

/** Waits until the daemon says that so many run; a daemon that does not answer yet is asked again. */
export async function untilRunning(runtimes: Client<typeof Runtimes>, count: number): Promise<void> {
  for (;;) {
    const all = (await runtimes.listRuntimes({}).catch(() => undefined))?.runtimes ?? [];
    if (all.filter(({ phase }) => phase === RuntimePhase.RUNNING).length === count) return;
    await sleep(20);
  }
}

/** The same objects by plain calls, the engine's own restarts included; returns when all were started. */
export async function makePlain(
  { docker }: Engine,
  { image, count }: { image: string; count: number },
): Promise<void> {
  await eachOf(count, async (at) => {
    const name = `plain-${at}`;
    const Options = { "com.docker.network.bridge.enable_ip_masquerade": "false" };
    await docker.createNetwork({
      Name: name,
      Driver: "bridge",
      CheckDuplicate: true,
      Internal: true,
      Options,
    });
    await docker.createVolume({ Name: name });
    const HostConfig = {
      NetworkMode: name,
      Binds: [`${name}:/data`],
      RestartPolicy: { Name: "always" },
      LogConfig: { Type: "json-file", Config: { "max-size": "10000000", "max-file": "3" } },
    };
    await (await docker.createContainer({ Image: image, name, HostConfig })).start();
  });
}

export async function removePlain({ docker }: Engine, count: number): Promise<void> {
  await eachOf(count, async (at) => {
    await docker.getContainer(`plain-${at}`).remove({ force: true });
    await docker.getNetwork(`plain-${at}`).remove();
    await docker.getVolume(`plain-${at}`).remove();
  });
}

async function eachOf(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const caller = async () => {
    for (let at = next++; at < count; at = next++) await work(at);
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
}

/** Answers beats as a hub does, until the stream ends: else the node takes the line for broken and dials again. */
export function answerBeats(stream: HubStream): void {
  let isOpen = true;
  const answer = async () => {
    while (isOpen) {
      // On a busy machine one may be later than the hub of the tests waits.
      const isHeard = await stream.expect("beat").then(
        () => true,
        () => false,
      );
      if (isHeard) stream.say({ case: "beat", value: { serverTime: timestampFromMs(Date.now()) } });
    }
  };
  void stream.ended.then(() => {
    isOpen = false;
  });
  void answer();
}
