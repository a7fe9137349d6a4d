import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { writeWhole } from "../base/files.ts";
import type { Logger } from "../base/log.ts";
import { runTasks } from "../base/tasks.ts";
import { type Api, openApi } from "./api/index.ts";
import { Commands, commandsSchema } from "./commands/index.ts";
import type { HubConfig } from "./config.ts";
import {
  type EnrolOptions,
  schema as enrolmentSchema,
  keepAuthority,
  mustHaveAuthority,
  openAuthority,
  openTokens,
  renew,
  ServerCertificate,
  serverNames,
} from "./enrolment/index.ts";
import { Fleet, fleetSchema } from "./fleet/index.ts";
import { Line } from "./line/index.ts";
import { advertisedHosts, hostPort, machineNames } from "./names.ts";
import { Operators, schema as operatorsSchema } from "./operators/index.ts";
import { Reports, reportsSchema } from "./reports/index.ts";
import { Rollouts, rolloutsSchema } from "./rollouts/index.ts";
import { openStore, type Store, storeName } from "./store/index.ts";

const schemas = [
  enrolmentSchema,
  operatorsSchema,
  fleetSchema,
  commandsSchema,
  reportsSchema,
  rolloutsSchema,
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

  const authority = await ownAuthority(config, store, now);
  const tokens = openTokens(store, now);
  const operators = opened.use(new Operators(store, clock));
  const tokenFile = join(folder, "admin.token");
  const anyway = config["hub.new_admin_token"];
  if (await operators.ensureAdmin(tokenFile, { anyway })) log.info({ file: tokenFile }, "admin token made");

  const hosts = advertisedHosts(config, machineNames);
  const names = serverNames(hosts, hostname());
  const certificate = await ServerCertificate.open({ authority, folder: join(folder, "tls"), names, clock });

  const issuing = { authority, certificateMs: config["hub.node_certificate_days"] * dayMs, now };
  const fleet = await Fleet.open({ store, clock, log });
  const keptBytes = config["hub.results_size_per_node"];
  const commands = await Commands.open({ store, fleet, clock, log, keptBytes });
  const reports = await Reports.open({ store, fleet, commands, clock, log });
  const rollouts = await Rollouts.open({ store, fleet, commands, clock, log });
  const line = opened.use(
    await Line.open({
      ...{ host, port: config["hub.line.port"], beatMs: config["hub.beat_interval_ms"] },
      ...{ authority, certificate, fleet, commands, reports, clock, log },
      renew: (shown, csrDer) => renew(issuing, shown, csrDer),
      renewalGraceMs: config["hub.renewal_grace_days"] * dayMs,
    }),
  );
  opened.defer(() => line.drain("the hub stops"));

  const enrolment: EnrolOptions = {
    ...issuing,
    tokens,
    admit: (node) => fleet.enrolled(node),
    isKnown: async (id) => fleet.has(id),
  };
  const addresses = {
    api: () => hosts.map((one) => hostPort(one, api.port)),
    line: () => hosts.map((one) => hostPort(one, line.port)),
  };
  const startedAt = now();
  const rooms = { fleet, commands, reports, rollouts, line, tokens, operators, authority, enrolment };
  const api: Api = opened.use(
    await openApi({
      ...{ host, port: config["hub.api.port"], certificate },
      rooms: { ...rooms, addresses, startedAt, clock, log },
    }),
  );

  const owned = opened.move();
  return {
    api: hostPort(host, api.port),
    line: hostPort(host, line.port),
    tokenFile,
    run: (signal) =>
      runTasks(
        signal,
        (stop) => line.run(stop),
        (stop) => commands.run(stop),
        (stop) => rollouts.run(stop),
        (stop) => operators.run(stop),
        (stop) => certificate.run(stop),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The authority of this hub: its own or the operator's, and the one that it had at every start before. */
async function ownAuthority(config: HubConfig, store: Store, now: () => number) {
  const folder = join(config["hub.data_dir"], "ca");
  const certificateFile = config["hub.ca.certificate_file"];
  const keyFile = config["hub.ca.key_file"];
  const isGiven = certificateFile !== undefined && keyFile !== undefined;
  const mustExist = await mustHaveAuthority(
    store,
    storeName(config["hub.store_url"], config["hub.data_dir"]),
  );
  const authority = await openAuthority({
    folder,
    trustDomain: config["hub.trust_domain"] ?? "",
    ...(isGiven && { given: { certificateFile, keyFile } }),
    ...(mustExist !== undefined && { mustExist }),
    now,
  });
  await keepAuthority(store, authority);
  // Clients on this machine find the root in one place, whoever made it.
  if (isGiven) await writeWhole(join(folder, "ca.pem"), authority.rootPem, 0o644);
  return authority;
}
