/** Several hubs as processes on a real PostgreSQL and a real nats-server. */
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Runtimes } from "../../../gen/edge/v1/runtimes_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { openAuthority } from "../../../src/hub/enrolment/index.ts";
import { Fleet, fleetSchema } from "../../../src/hub/fleet/index.ts";
import { openStore } from "../../../src/hub/store/index.ts";
import { Sessions } from "../../../src/wire/sessions.ts";
import { identitiesFor, nodeIdOf } from "../../../tools/fleet/identities.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { type NatsServer, startNats } from "../../fixtures/nats.ts";
import { freePort } from "../../fixtures/port.ts";
import { type Postgres, startPostgres } from "../../fixtures/postgres.ts";
import { type Program, program } from "../program.ts";
import { until } from "../until.ts";

export interface Replica {
  program: Program;
  linePort: number;
  metricsPort: number;
  /** Starts it, again and again where it ends as a supervisor would, and waits until it says that it is up. */
  start(): Promise<void>;
  /** A client of any service, as the admin. */
  client<S extends DescService>(service: S): Client<S>;
  /** Has a node restart a runtime: kept by this hub, carried out by the node wherever its line is. */
  restart(nodeId: string, id: string): Promise<unknown>;
  /** Asks a node what it runs. */
  read(nodeId: string): Promise<unknown>;
}

/** Hubs that stand for one, what they stand on, and identities of nodes that are in their books. */
export interface Cell extends AsyncDisposable {
  folder: string;
  rootPem: string;
  postgres: Postgres;
  nats: NatsServer;
  hubs: readonly Replica[];
  identities: Awaited<ReturnType<typeof identitiesFor>>;
}

export interface CellOptions {
  hubs: number;
  nodes: number;
  entry?: string;
  /** One hub with its own SQLite, as a baseline; PostgreSQL and NATS stand idle beside it. */
  isEmbedded?: boolean;
  /** More settings of the hubs. */
  env?: Record<string, string>;
}

/** Opens it all; no node has dialled. */
export async function openCell(options: CellOptions): Promise<Cell> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder()).path;
  const [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  opened.use(postgres);
  opened.use(nats);
  const storeUrl = options.isEmbedded ? `sqlite:${join(folder, "hub.db")}` : await postgres.newDatabase();
  const authorityFolder = join(folder, "ca");
  const { rootPem } = await openAuthority({ folder: authorityFolder, trustDomain: "", now: Date.now });
  await enterNodes(storeUrl, options.nodes);
  const hubs: Replica[] = [];
  for (let at = 0; at < options.hubs; at++) {
    const hub = await openHub({ ...options, folder, at, storeUrl, busUrl: nats.url, rootPem });
    opened.use(hub.program);
    // The first makes the tables and the first operator token.
    await hub.start();
    hubs.push(hub);
  }
  const identities = await identitiesFor({ authorityFolder }, 0, options.nodes, () => {});
  const owned = opened.move();
  return {
    ...{ folder, rootPem, postgres, nats, hubs, identities },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface HubOptions extends CellOptions {
  folder: string;
  at: number;
  storeUrl: string;
  busUrl: string;
  rootPem: string;
}

async function openHub({ folder, at, storeUrl, busUrl, rootPem, entry, env }: HubOptions): Promise<Replica> {
  const home = join(folder, `hub-${at}`);
  await mkdir(home, { recursive: true });
  // Every replica has the authority of the fleet: see docs/decisions/0029-replicas-are-equal-and-the-store-decides.md.
  await cp(join(folder, "ca"), join(home, "ca"), { recursive: true });
  const [linePort, apiPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const hub = program(["hub", "start"], {
    ...(entry !== undefined && { entry }),
    env: {
      ORCHESTRATOR_HUB_DATA_DIR: home,
      ORCHESTRATOR_HUB_LINE_PORT: String(linePort),
      ORCHESTRATOR_HUB_API_PORT: String(apiPort),
      ORCHESTRATOR_HUB_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
      ORCHESTRATOR_HUB_STORE_URL: storeUrl,
      ORCHESTRATOR_HUB_BUS_URL: busUrl,
      ...env,
    },
  });
  const client: Replica["client"] = (service) => {
    const interceptors: Interceptor[] = [
      (next) => async (request) => {
        const token = (await readFile(join(folder, "hub-0", "admin.token"), "utf8")).trim();
        request.header.set("authorization", `Bearer ${token}`);
        return await next(request);
      },
    ];
    const baseUrl = `https://127.0.0.1:${apiPort}`;
    const sessionManager = new Sessions(baseUrl, {}, { ca: rootPem });
    return createClient(service, createGrpcTransport({ baseUrl, sessionManager, interceptors }));
  };
  const runtimes = client(Runtimes);
  return {
    ...{ program: hub, linePort, metricsPort, client },
    async start() {
      const before = hub.output().length;
      const isUp = () => hub.output().slice(before).includes("The hub is up");
      const up = until("the hub is up", isUp, 60_000);
      for (let ended = true; ended; ) {
        hub.start();
        ended = await Promise.race([up.then(() => false), hub.ended().then(() => sleep(200, true))]);
      }
    },
    restart: (nodeId, id) =>
      runtimes.restartRuntime(
        { name: "line-1" },
        { headers: { "edge-node": nodeId, "edge-command-id": id }, timeoutMs: 60_000 },
      ),
    read: (nodeId) => runtimes.listRuntimes({}, { headers: { "edge-node": nodeId }, timeoutMs: 20_000 }),
  };
}

/** As if each had been enrolled. */
async function enterNodes(url: string, nodes: number): Promise<void> {
  const clock = systemClock;
  const settings = { "hub.store_url": url, "hub.store_connections": 2 };
  await using store = await openStore({ settings, dataDir: "", schemas: [fleetSchema], clock });
  const log = openLog({ program: "plant", level: "silent", format: "json" });
  await using fleet = await Fleet.open({ store, clock, log });
  const at = Date.now();
  const expiresAt = at + 30 * 24 * 3_600_000;
  for (let index = 0; index < nodes; index++) {
    await fleet.enrolled({ nodeId: nodeIdOf(index), hostName: nodeIdOf(index), serial: "00", expiresAt, at });
  }
}
