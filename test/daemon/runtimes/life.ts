import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Event, type RuntimeChange, RuntimeChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { RuntimeProfile, type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { newId } from "../../../src/base/ids.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { runTasks } from "../../../src/base/tasks.ts";
import { Engine, type EngineTimeouts } from "../../../src/daemon/engine/index.ts";
import {
  type ImageSettings,
  Images,
  ImagesStore,
  imageSettings,
  imageSettingsOf,
  imagesSchema,
} from "../../../src/daemon/images/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { schema as locksSchema } from "../../../src/daemon/locks/index.ts";
import { Network, schema as networkSchema } from "../../../src/daemon/network/index.ts";
import { Runtimes, type RuntimesOptions } from "../../../src/daemon/runtimes/index.ts";
import { instanceIdOf, schema } from "../../../src/daemon/wishes/index.ts";
import { type Ask, schema as workSchema } from "../../../src/daemon/work/index.ts";
import type { EngineAddress } from "../../fixtures/engine.ts";

/** Options of a life beside those of its runtimes. */
interface LifeOptions extends Partial<Omit<RuntimesOptions, "engine" | "images">> {
  /** Those of a daemon when absent, on a disk that may be as full as it likes. */
  images?: Partial<ImageSettings>;
  /** How long the engine may take to answer, in milliseconds. */
  timeouts?: Partial<EngineTimeouts>;
  /** Netmon's socket; nobody is there when none is given. */
  netmon?: string;
}

/** A life of the daemon's runtimes on the state in a folder: the next one takes up what this one left. */
export function live(
  folder: string,
  socketPath: string,
  { netmon, timeouts, images: settings, ...options }: LifeOptions = {},
) {
  const schemas = [journalSchema, workSchema, schema, imagesSchema, networkSchema, locksSchema];
  const sql = Sql.open(join(folder, "daemon.db"), schemas, () => Date.now());
  const journal = Journal.open(sql, { now: () => Date.now() });
  const log = openLog({ program: "test", level: logLevel, format: "pretty" });
  const random = () => 0.1; // Short pauses.
  const socket = netmon ?? join(folder, "no-netmon.sock");
  const network = Network.open({
    ...{ sql, journal, clock: systemClock, log, random, socket, instanceId: instanceIdOf(sql) },
  });
  const engine = new Engine(`unix://${socketPath}`, timeouts);
  const images = new Images({
    ...{ engine, store: new ImagesStore(sql), clock: systemClock, log: options.log ?? log },
    settings: { ...usualImages(folder), ...settings },
    wished: () => runtimes.names(),
  });
  const runtimes = Runtimes.open({
    ...{ sql, journal, clock: systemClock, log, random, network, engine, images, settleMs: 150 },
    trustAfterMs: 60_000,
    locksFolder: join(folder, "locks"),
    pace: { firstMs: 100 },
    ...options,
  });
  const end = new AbortController();
  const running = runTasks(
    end.signal,
    (stop) => network.run(stop),
    (stop) => runtimes.run(stop),
    (stop) => images.run(stop),
  );
  const events = (): Event[] =>
    journal.read(0, 1000).flatMap(({ entry }) => (entry.case === "event" ? entry.value : []));
  return {
    ...{ sql, journal, clock: systemClock, log, runtimes, network, events },
    /** What was recorded of a runtime, as words. */
    changes: (name: string) => changesOf(events(), name).map(({ kind }) => kindNames[kind]),
    /** Ends it at once, as a crash would: nothing is said to whoever waits. */
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
      await runtimes[Symbol.asyncDispose]();
      engine[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

function usualImages(folder: string): ImageSettings {
  const entries = Object.entries(imageSettings).map(([key, setting]) => [key, setting.default]);
  const config = Object.fromEntries(entries) as Parameters<typeof imageSettingsOf>[0]; // Each key with its own default.
  return { ...imageSettingsOf(config, folder), cleanAbovePercent: 100, refuseAbovePercent: 100 };
}

const kindNames = Object.fromEntries(Object.entries(RuntimeChangeKind).map(([name, kind]) => [kind, name]));

/** `ORCHESTRATOR_TEST_LOG=info` shows what the loop does. */
const logLevel = process.env.ORCHESTRATOR_TEST_LOG === "info" ? "info" : "silent";

function changesOf(events: readonly Event[], name: string): RuntimeChange[] {
  return events.flatMap(({ fact }) =>
    fact.case === "runtime" && fact.value.name === name ? fact.value : [],
  );
}

/** What a program that ends at once may take for that on a busy machine, in milliseconds: so long a create of it has to wait. */
export const atOnceMs = 600;

/** One who asks, and patiently. */
export function ask(init: Partial<Ask> = {}): Ask {
  return {
    id: newId("cmd"),
    actor: "test",
    signal: AbortSignal.timeout(60_000),
    progress: () => {},
    ...init,
  };
}

/** Fields of a spec, as they are given. */
export type SpecInit = Exclude<MessageInitShape<typeof RuntimeSpecSchema>, RuntimeSpec>;

/** A plain program with a short grace, unless said otherwise. */
export function spec(image: string, init: SpecInit & { name: string }): RuntimeSpec {
  return create(RuntimeSpecSchema, { image, profile: RuntimeProfile.PLAIN, stopGraceMs: 1000, ...init });
}

let names = 0;

/** A name that no other test on the same engine has. */
export function newName(): string {
  return `t${process.pid}-${++names}`;
}

/** Everything on the engine that belongs to a runtime of this name, whichever daemon made it. */
export async function leftOf({ docker }: Pick<EngineAddress, "docker">, name: string): Promise<string[]> {
  const filters = { label: [`edge.runtime=${name}`] };
  const [containers, networks, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.map(({ Names }) => `container${Names[0]}`),
    ...networks.map(({ Name }) => `network/${Name}`),
    ...Volumes.map(({ Name }) => `volume/${Name}`),
  ];
}
