/** Replicas of a hub without their doors: the rooms of each, on one PostgreSQL, with a bus that loses what a test wants lost. */
import { create } from "@bufbuild/protobuf";
import { ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { ReportSchema } from "../../../gen/edge/v1/control_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { Failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { runTasks } from "../../../src/base/tasks.ts";
import type { Bus, InProcessBus } from "../../../src/hub/bus/index.ts";
import { Commands, commandsSchema } from "../../../src/hub/commands/index.ts";
import { Fleet, fleetSchema } from "../../../src/hub/fleet/index.ts";
import { Replicas, replicasSchema } from "../../../src/hub/replicas/index.ts";
import { Reports, reportsSchema } from "../../../src/hub/reports/index.ts";
import { Rollouts, rolloutsSchema } from "../../../src/hub/rollouts/index.ts";
import { PostgresStore } from "../../../src/hub/store/postgres.ts";

const log = openLog({ program: "hub", level: "silent", format: "json" });
const schemas = [fleetSchema, commandsSchema, reportsSchema, rolloutsSchema, replicasSchema];

/** A bus that says nothing while `isDeaf`: what is published is lost, and what is asked still has its answer. */
export function lossy(bus: Bus, isDeaf: () => boolean): Bus {
  return {
    get problem() {
      return bus.problem;
    },
    get dropped() {
      return bus.dropped;
    },
    publish: (subject, data) => {
      if (!isDeaf()) bus.publish(subject, data);
    },
    subscribe: (pattern, onMessage) => bus.subscribe(pattern, onMessage),
    serve: (pattern, answer) => bus.serve(pattern, answer),
    request: (subject, data, options) => bus.request(subject, data, options),
    onReturn: (listener) => bus.onReturn(listener),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}

export interface ReplicaOptions {
  url: string;
  mesh: InProcessBus;
  /** Whether hints are lost. */
  isDeaf?: () => boolean;
  lookEveryMs?: number;
}

/** One replica, at work until it is closed. `die` ends it as kill -9 does: nothing is said, nothing is written. */
export async function openReplica({ url, mesh, isDeaf = () => false, lookEveryMs = 100 }: ReplicaOptions) {
  const resources = new AsyncDisposableStack();
  const clock = systemClock;
  const store = resources.use(
    await PostgresStore.open({ url, schemas, clock, connections: 4, random: Math.random }),
  );
  const bus = lossy(mesh.join(), isDeaf);
  const replicas = await Replicas.open({ store, bus, clock, log, lookEveryMs });
  const fleet = await Fleet.open({ store, replicas, clock, log, watchPaceMs: 1 });
  const commands = await Commands.open({ store, fleet, replicas, clock, log });
  const reports = await Reports.open({ store, fleet, commands, replicas, clock, log });
  const selectorOf = async () => "";
  const rollouts = await Rollouts.open({ store, fleet, commands, clock, log, selectorOf, watchPaceMs: 1 });
  const stop = new AbortController();
  const running = runTasks(
    stop.signal,
    (signal) => replicas.run(signal),
    (signal) => fleet.run(signal),
    (signal) => commands.run(signal),
  );
  const die = async () => {
    stop.abort();
    await running;
    await bus[Symbol.asyncDispose]();
    await resources.disposeAsync();
  };
  const lines = new Map<string, number>();
  return {
    ...{ store, replicas, fleet, commands, reports, rollouts, die },
    /** Nodes whose lines were ended here because another replica has a newer one, and because they were removed. */
    ousted: witnessed(fleet),
    enrol: (nodeId: string) =>
      fleet.enrolled({ nodeId, hostName: nodeId, serial: "01", expiresAt: clock.now(), at: clock.now() }),
    /** A node's line comes up here; the commands that come are answered at once, and counted by their ids. */
    async connect(nodeId: string, epoch: number, done: string[] = []) {
      const outcast = await fleet.presence.claim(nodeId, {
        ...{ epoch, instanceId: "i1", hostName: nodeId, daemonVersion: "1", address: "" },
        ...{ certificateSerial: "01", certificateIssuedAt: 0, certificateExpiresAt: clock.now() + 3_600_000 },
      });
      if (outcast) return outcast;
      const intake = await reports.intake({ nodeId, journalId: `j${epoch}`, lastSequence: 0 });
      try {
        await commands.deliveries.resumed(nodeId, lines.get(nodeId) ?? 0, epoch);
      } catch (thrown) {
        if (thrown instanceof Failure && thrown.kind === "conflict") return "superseded";
        throw thrown;
      }
      fleet.presence.arrived(nodeId);
      let sequence = 0;
      const work = async () => {
        const after = lines.get(nodeId) ?? 0;
        for (const { sequence: at, command } of await commands.deliveries.next(nodeId, after, 16)) {
          lines.set(nodeId, at);
          done.push(command.id);
          await commands.deliveries.acknowledged(nodeId, at);
          const outcome = { case: "startRuntime" as const, value: {} };
          const value = create(ResultSchema, { commandId: command.id, outcome });
          const entry = { case: "result" as const, value };
          await intake.take(create(ReportSchema, { sequence: BigInt(++sequence), entry }));
        }
      };
      let working = Promise.resolve();
      const look = () => {
        working = working.then(work).catch(() => {}); // It ends with the replica.
      };
      commands.deliveries.attend(nodeId, look);
      look();
      return undefined;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      reports[Symbol.dispose]();
      await fleet[Symbol.asyncDispose]();
      await replicas[Symbol.asyncDispose]();
      await resources.disposeAsync();
    },
  };
}

function witnessed(fleet: Fleet) {
  const seen: { ousted: string[]; cut: string[] } = { ousted: [], cut: [] };
  fleet.witnessRemovals({
    oust: (nodeId) => void seen.ousted.push(nodeId),
    cut: (nodeId) => void seen.cut.push(nodeId),
  });
  return seen;
}
