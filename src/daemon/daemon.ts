import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../gen/edge/v1/agents_pb.ts";
import { StatusSchema } from "../../gen/edge/v1/control_pb.ts";
import { DaemonStartedSchema } from "../../gen/edge/v1/events_pb.ts";
import type { Clock } from "../base/clock.ts";
import { newId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { runTasks } from "../base/tasks.ts";
import { serveFigures } from "../wire/figures-page.ts";
import { version } from "../wire/version.ts";
import { Past } from "./apply/index.ts";
import { entryOfFact } from "./audit/index.ts";
import { dispatcher } from "./commands.ts";
import type { DaemonConfig, DaemonSettings } from "./config.ts";
import { dialBy, Line, profiles, proxyNamesOf, travelOf } from "./control/index.ts";
import { openConversations } from "./conversations.ts";
import { Decommission } from "./decommission/index.ts";
import { Egress, egressSettingsOf } from "./egress/index.ts";
import { Engine } from "./engine/index.ts";
import { openExecutions } from "./executions.ts";
import { countEvents, figuresOf } from "./figures/index.ts";
import { credentialsIn, expiryOf } from "./identity/index.ts";
import { Images, ImagesStore, imageSettingsOf } from "./images/index.ts";
import { Invoke } from "./invoke/index.ts";
import { openLocalDoor } from "./local/index.ts";
import { Metrics } from "./metrics/index.ts";
import { Network } from "./network/index.ts";
import { doctorAt, machineRoots, type NodeRoom, readInventory, trafficInterfaces } from "./node/index.ts";
import { openOversight } from "./oversight.ts";
import { Runtimes } from "./runtimes/index.ts";
import { openSecrets } from "./secrets.ts";
import type { SettingsSource } from "./settings/index.ts";
import { openState } from "./state.ts";
import { Updates } from "./updates/index.ts";
import { instanceIdOf } from "./wishes/index.ts";
import { Work } from "./work/index.ts";

export interface DaemonOptions {
  config: DaemonConfig;
  /** Where the settings are read again; absent where they were given once and for all. */
  source?: SettingsSource<DaemonSettings>;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  /** The command line that starts `orchestrator`, for what is a program of its own; absent where it is not known. */
  program?: readonly string[];
  /** SHA-256 of the bundle that this program came from; absent for what is installed. */
  own?: string | undefined;
  /** Tells the version that stands back for this one that it proved itself. */
  prove?: () => void;
}

/** A daemon that is open: its local door answers, accepted commands go on. */
export interface Daemon extends AsyncDisposable {
  readonly socket: string;
  /** Keeps runtimes as wished, measures, and holds the line, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Reads settings and policy again; what is wrong in them changes nothing. */
  reload(): Promise<void>;
  /** Aborted when another version is to be tried in place of this one, which then ends. */
  readonly standBack: AbortSignal;
  /** That version. */
  trial(): Updates["trial"];
}

/**
 * Makes every room of the daemon, in order, and takes them down in reverse. Wiring only.
 * @throws {Failure} conflict: another daemon runs on this data directory. unavailable, exhausted: it cannot be written.
 */
export async function openDaemon({
  config: started,
  source,
  clock,
  log,
  random,
  program = [],
  own,
  prove,
}: DaemonOptions): Promise<Daemon> {
  await using opened = new AsyncDisposableStack();
  const dataDir = started["daemon.data_dir"];
  const socket = started["daemon.socket"] ?? join(dataDir, "daemon.sock");
  const bootId = (await readFile(join(machineRoots.proc, "sys/kernel/random/boot_id"), "utf8")).trim();

  const { sql, journal } = openState({
    ...{ dataDir, clock, log },
    witness: (event) => {
      countEvents(event);
      const entry = entryOfFact(event);
      if (entry) oversight.audit.record(entry);
    },
  });
  opened.use(sql);
  const oversight = await openOversight({
    ...{ config: started, source, sql, journal, clock, log },
    keyPem: (): string | undefined => line.identity?.keyPem,
    cells: () => executions.cells(),
    runtimes: () => runtimes.names().length,
  });
  const { audit, policy, settings } = oversight;
  const { config } = settings;
  const network = Network.open({
    ...{ sql, journal, clock, log, random, socket: config["netmon.socket"], instanceId: instanceIdOf(sql) },
  });
  const engine = opened.use(new Engine(config["docker.host"]));
  const images = new Images({
    ...{ engine, store: new ImagesStore(sql), clock, log, settings: imageSettingsOf(config, dataDir) },
    wished: (): string[] => [...runtimes.names(), ...executions.agents.imageOwners()],
  });
  const runtimes = opened.use(
    Runtimes.open({
      ...{ sql, journal, clock, log, random, network, engine, images },
      trustAfterMs: config["runtimes.trust_after_ms"],
      locksFolder: join(dataDir, "locks"),
      decide: (...asked) => policy.decideRuntime(...asked),
      allowedCapabilities: () => config["policy.capabilities"],
      allowedDevices: () => config["policy.devices"],
    }),
  );
  const { proc } = machineRoots;
  const metrics = Metrics.open({
    ...{ sql, clock, log },
    sources: { proc, stateFolder: dataDir, trafficInterfaces: () => trafficInterfaces(machineRoots) },
    runtimeSamples: (signal) => runtimes.stats(signal),
    intervalMs: config["metrics.interval_ms"],
  });

  const credentials = credentialsIn(dataDir, hostname());
  const held = await credentials.held().catch(() => undefined); // The line tells what is wrong with it.
  const node: NodeRoom = {
    roots: machineRoots,
    inventory: readInventory({ roots: machineRoots, stateFolder: dataDir, now: clock.now }),
    version,
    startedAt: clock.now(),
    now: clock.now,
    identity: () => {
      const { identity } = line;
      if (!identity) return undefined;
      const { nodeId, lineAddresses } = identity;
      return { nodeId, hubAddress: lineAddresses[0] ?? "", expiresAt: expiryOf(identity) };
    },
    link: () => ({
      ...travelOf(line.state),
      hubOffsetMs: line.hubOffsetMs,
      renewsAt: line.renewsAt,
    }),
    engine: (signal) => runtimes.engineInfo(signal),
    picture: () => network.picture,
    check: doctorAt({ program, dataDir, socket, env: process.env }),
    hasRuntime: (name) => runtimes.has(name),
  };
  const secrets = opened.use(
    await openSecrets({
      ...{ config, sql, journal, audit, clock, log },
      agents: {
        naming: (credential): string[] => executions.agents.naming(credential),
        specOf: ({ agent, version: at }): AgentSpec | undefined => executions.agents.version(agent, at)?.spec,
        currentOf: (agent): AgentSpec | undefined => executions.agents.current(agent)?.spec,
      },
    }),
  );
  const egress = opened.use(
    Egress.open({
      ...{ sql, journal, audit, clock, log, socket: config["netmon.socket"] },
      settings: egressSettingsOf(config),
      taskOf: (cellId): string | undefined => executions.tasks.idOfCell(cellId),
    }),
  );
  const invoke = opened.use(Invoke.open({ sql, journal, allow: config["invoke.allow"], runtimes }));
  const leaving = Decommission.open({
    ...{ sql, journal, log, credentials, runtimes, network, secrets: secrets.credentials },
    agents: { purge: (ask) => executions.purge(ask) },
  });
  const conversations = opened.use(
    openConversations({
      ...{ settings, sql, journal, clock, log, embed: secrets.embed },
      hasAgent: (name): boolean => executions.agents.current(name) !== undefined,
      isRunning: (taskId): boolean => executions.tasks.isUnfinished(taskId),
    }),
  );
  const { topics, sessions, memory } = conversations;
  const executions = opened.use(
    openExecutions({
      ...{ config, sql, journal, clock, log, random, engine, images, policy, bootId },
      ...{ topics, sessions, memory, credentials: secrets.credentials, gateway: secrets.gateway },
      providers: [secrets.lending, egress],
    }),
  );
  const updates = Updates.open({
    ...{ dataDir, version, own, prove, journal, clock, log },
    proxy: proxyNamesOf(config, process.env),
    caPem: () => line.identity?.caPem,
    seen: () => ({ hubLetIn: line.state.is === "up", running: runtimes.running() }),
  });
  const dispatch = dispatcher({
    ...{ runtimes, node, metrics, invoke, journal, leaving, policy, audit, updates },
    ...{ past: new Past(sql), agents: executions.agents, tasks: executions.tasks, topics, sessions, memory },
    ...{ credentials: secrets.credentials, gateway: secrets.gateway },
  });
  const work = opened.use(new Work({ sql, journal, clock, log, dispatch, guard: oversight.guard }));
  const line = new Line({
    ...{ sql, journal, work, clock, log, random },
    ...{ credentials, identity: held?.identity, leaving },
    dial: dialBy(proxyNamesOf(config, process.env)),
    profile: profiles[config["line.profile"]],
    status: () => create(StatusSchema, runtimes.status()),
    statusChanges: runtimes.changes,
    sample: () => metrics.latest(),
    wishesHash: () => runtimes.wishesHash(),
    about: { version, hostName: hostname(), bootId, instanceId: newId("daemon") },
  });

  opened.use(audit); // It signs with the identity of the line.
  const resumedCommands = work.resume();
  const value = create(DaemonStartedSchema, { version, bootId, resumedCommands });
  journal.record({ case: "daemonStarted", value }, { reason: "the daemon started" });
  opened.use(await openLocalDoor({ path: socket, work }));
  const listen = started["daemon.metrics.listen"];
  if (listen !== undefined) {
    const certificateExpiresAt = () => node.identity()?.expiresAt;
    const rooms = { runtimes, journal, metrics, work, certificateExpiresAt };
    const figures = figuresOf({ ...rooms, agents: executions.agents, tasks: executions.tasks });
    opened.use(await serveFigures({ listen, setting: "daemon.metrics.listen", figures, log }));
  }

  const owned = opened.move();
  return {
    socket,
    run: (signal) =>
      runTasks(
        signal,
        (stop) => network.run(stop),
        (stop) => runtimes.run(stop),
        (stop) => oversight.run(stop),
        (stop) => secrets.run(stop),
        (stop) => egress.run(stop),
        (stop) => executions.run(stop),
        (stop) => images.run(stop),
        (stop) => metrics.run(stop),
        (stop) => leaving.run(work, stop),
        (stop) => conversations.run(stop),
        (stop) => updates.run(stop),
        (stop) => line.run(stop),
      ),
    reload: () => oversight.reload(),
    standBack: updates.standBack,
    trial: () => updates.trial,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
