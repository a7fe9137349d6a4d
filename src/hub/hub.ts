import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { runTasks } from "../base/tasks.ts";
import { serveFigures } from "../wire/figures-page.ts";
import { type Api, openApi } from "./api/index.ts";
import { openCertificate, openRoots } from "./authority.ts";
import { Commands, commandsSchema } from "./commands/index.ts";
import type { HubConfig } from "./config.ts";
import {
  type EnrolOptions,
  schema as enrolmentSchema,
  openTokens,
  renew,
  serverNames,
} from "./enrolment/index.ts";
import { figuresOf } from "./figures/index.ts";
import { Fleet, fleetSchema } from "./fleet/index.ts";
import { Groups, groupsSchema } from "./groups/index.ts";
import { Line } from "./line/index.ts";
import { advertisedHosts, hostPort, machineNames } from "./names.ts";
import { Operators, schema as operatorsSchema } from "./operators/index.ts";
import { openReplicas, replicasSchema } from "./replicas/index.ts";
import { Reports, reportsSchema } from "./reports/index.ts";
import { Rollouts, rolloutsSchema } from "./rollouts/index.ts";
import { isPostgres, openStore } from "./store/index.ts";

const schemas = [
  enrolmentSchema,
  operatorsSchema,
  fleetSchema,
  commandsSchema,
  reportsSchema,
  rolloutsSchema,
  groupsSchema,
  replicasSchema,
];
const dayMs = 24 * 3_600_000;

/** A hub that listens. Closing it says so to nodes and callers, and frees its state. */
export interface Hub extends AsyncDisposable {
  /** Where the API and the line listen, as `host:port`. */
  readonly api: string;
  readonly line: string;
  /** The file in which the first operator token is. */
  readonly tokenFile: string;
  /** Does what has to be done from time to time, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Opens the rooms in order and listens.
 * @throws {Failure} conflict: another hub has the data directory or a port, or the authority is lost. invalid: a setting
 * cannot work here. unavailable: the data directory cannot be written.
 */
export async function openHub(
  config: HubConfig,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<Hub> {
  await using opened = new AsyncDisposableStack();
  const now = () => clock.now();
  const folder = config["hub.data_dir"];
  const host = config["hub.listen"];
  const store = opened.use(await openStore({ settings: config, dataDir: folder, schemas, clock }));

  const roots = await openRoots(config, { store, clock, log });
  const tokens = openTokens(store, now);
  const operators = opened.use(new Operators(store, clock));
  const tokenFile = join(folder, "admin.token");
  const anyway = config["hub.new_admin_token"];
  if (await operators.ensureAdmin(tokenFile, { anyway })) log.info({ file: tokenFile }, "admin token made");

  const hosts = advertisedHosts(config, machineNames);
  const names = serverNames(hosts, hostname());
  const certificate = await openCertificate(config, roots, { names, clock, log });

  const issuing = { roots, certificateMs: config["hub.node_certificate_days"] * dayMs, now };
  const isShared = isPostgres(config["hub.store_url"]);
  const replicas = opened.use(await openReplicas({ settings: config, store, isShared, clock, log }));
  operators.join(replicas);
  const fleet = opened.use(await Fleet.open({ store, replicas, clock, log }));
  const keptBytes = config["hub.results_size_per_node"];
  const keptMs = config["hub.results_kept_days"] * dayMs;
  const commands = await Commands.open({ store, fleet, replicas, clock, log, keptBytes, keptMs });
  const keeping = {
    events: config["hub.events_kept"],
    eventsMs: config["hub.events_kept_days"] * dayMs,
    auditMs: config["hub.audit_heads_kept_days"] * dayMs,
  };
  const reports = opened.use(await Reports.open({ store, fleet, commands, replicas, clock, log, keeping }));
  const groups = new Groups(store, clock);
  const selectorOf = async (name: string, tenant: string) => (await groups.get(tenant, name)).selector;
  const rollouts = await Rollouts.open({ store, fleet, commands, clock, log, selectorOf });
  const line = opened.use(
    await Line.open({
      ...{ host, port: config["hub.line.port"], beatMs: config["hub.beat_interval_ms"] },
      ...{ roots, certificate, fleet, commands, reports, replicas, clock, log },
      renew: (shown, asked) => renew(issuing, shown, asked),
      renewalGraceMs: config["hub.renewal_grace_days"] * dayMs,
    }),
  );
  opened.defer(() => line.drain("the hub stops"));

  const enrolment: EnrolOptions = {
    ...issuing,
    tokens,
    admit: ({ isBack, ...node }) =>
      fleet.enrolled({ ...node, backSince: isBack ? node.issuedAt : undefined }),
    isKnown: async (id) => fleet.has(id),
  };
  const addresses = {
    api: () => hosts.map((one) => hostPort(one, api.port)),
    line: () => hosts.map((one) => hostPort(one, line.port)),
  };
  const startedAt = now();
  const engines = { store, bus: replicas.bus };
  const rooms = {
    engines,
    fleet,
    commands,
    reports,
    rollouts,
    groups,
    line,
    tokens,
    operators,
    roots,
    enrolment,
  };
  const api: Api = opened.use(
    await openApi({
      ...{ host, port: config["hub.api.port"], certificate },
      rooms: { ...rooms, addresses, startedAt, clock, log },
    }),
  );

  const metrics = config["hub.metrics.listen"];
  if (metrics !== undefined) {
    const figures = figuresOf({ ...engines, fleet, line, certificate });
    opened.use(await serveFigures({ listen: metrics, setting: "hub.metrics.listen", figures, log }));
  }

  const owned = opened.move();
  return {
    api: hostPort(host, api.port),
    line: hostPort(host, line.port),
    tokenFile,
    run: (signal) =>
      runTasks(
        signal,
        (stop) => replicas.run(stop),
        (stop) => fleet.run(stop),
        (stop) => line.run(stop),
        (stop) => commands.run(stop),
        (stop) => reports.run(stop),
        (stop) => rollouts.run(stop),
        (stop) => operators.run(stop),
        (stop) => certificate.run(stop),
        (stop) => roots.run(stop),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
