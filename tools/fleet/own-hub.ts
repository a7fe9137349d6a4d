/** A hub of the fleet's own: the one that ships, in a folder of its own, on loopback, with all nodes in its books. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { openLog } from "../../src/base/log.ts";
import { openAuthority } from "../../src/hub/enrolment/index.ts";
import { Fleet, fleetSchema } from "../../src/hub/fleet/index.ts";
import { SqliteStore } from "../../src/hub/store/index.ts";
import { freePort } from "../../test/fixtures/port.ts";
import { type Program, program } from "../../test/journeys/program.ts";
import { until } from "../../test/journeys/until.ts";
import type { HubDoor } from "./door.ts";
import { nodeIdOf } from "./identities.ts";
import { filesOf } from "./room.ts";

export interface OwnHub extends AsyncDisposable {
  program: Program;
  folder: string;
  linePort: number;
  apiPort: number;
  authorityFolder: string;
  /** The root of its certificates. */
  caPem: string;
  /** Starts it, and waits until it answers. */
  start(): Promise<void>;
  /** The way in for an operator; there once it was started. */
  door(): Promise<HubDoor>;
}

export interface OwnHubOptions {
  /** An empty folder. */
  folder: string;
  nodes: number;
  /** What is run, as in `dist/orchestrator.js`. */
  entry: string;
  /** Settings as environment variables. */
  env?: Record<string, string>;
  /** Words for Node. */
  node?: readonly string[];
}

/** A start with a large store, on a machine that starts a fleet as well, in milliseconds. */
const startMs = 60_000;

export async function ownHub({ folder, nodes, entry, env, node }: OwnHubOptions): Promise<OwnHub> {
  const authorityFolder = join(folder, "ca");
  await mkdir(folder, { recursive: true });
  const { rootPem: caPem } = await openAuthority({ folder: authorityFolder, trustDomain: "", now: Date.now });
  await enterNodes(join(folder, "hub.db"), nodes);
  const [linePort, apiPort] = [await freePort(), await freePort()];
  const hub = program(["hub", "start"], {
    entry,
    under: ["sh", "-c", `ulimit -n ${filesOf(nodes)} 2>/dev/null; exec "$0" "$@"`],
    node: node ?? [],
    env: {
      ORCHESTRATOR_HUB_DATA_DIR: folder,
      ORCHESTRATOR_HUB_LINE_PORT: String(linePort),
      ORCHESTRATOR_HUB_API_PORT: String(apiPort),
      ORCHESTRATOR_LOG_LEVEL: "warn",
      ...env,
    },
  });
  const url = `https://127.0.0.1:${apiPort}`;
  return {
    ...{ program: hub, folder, linePort, apiPort, authorityFolder, caPem },
    async start() {
      const before = hub.output().length;
      hub.start();
      await until("the hub is up", () => hub.output().slice(before).includes("The hub is up"), startMs);
    },
    async door() {
      const operatorToken = (await readFile(join(folder, "admin.token"), "utf8")).trim();
      return { url, caPem, operatorToken };
    },
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  };
}

/** As if each had been enrolled: one by one, that takes the hub some milliseconds for each. */
async function enterNodes(file: string, nodes: number): Promise<void> {
  await using store = SqliteStore.open(file, [fleetSchema], Date.now);
  const log = openLog({ program: "fleet", level: "silent", format: "json" });
  const fleet = await Fleet.open({ store, clock: systemClock, log });
  const at = Date.now();
  const expiresAt = at + 30 * 24 * 3_600_000;
  for (let from = 0; from < nodes; from += 1000) {
    const some = Array.from({ length: Math.min(1000, nodes - from) }, (_, index) => nodeIdOf(from + index));
    await Promise.all(
      some.map((nodeId) => fleet.enrolled({ nodeId, hostName: nodeId, serial: "00", expiresAt, at })),
    );
  }
}
