import { create } from "@bufbuild/protobuf";
import { StatusSchema } from "../../gen/edge/v1/control_pb.ts";
import { RuntimeChangeKind, RuntimeChangeSchema } from "../../gen/edge/v1/events_pb.ts";
import { SampleSchema } from "../../gen/edge/v1/node_pb.ts";
import { StartRuntimeResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { Transport } from "../../gen/edge/v1/transport_pb.ts";
import { failure } from "../../src/base/failure.ts";
import type { Logger } from "../../src/base/log.ts";
import { Sql } from "../../src/base/sql.ts";
import { aborted } from "../../src/base/tasks.ts";
import { schema as controlSchema, type Dial, Line } from "../../src/daemon/control/index.ts";
import type { Credentials } from "../../src/daemon/identity/index.ts";
import { Journal, type JournalLimit, schema as journalSchema } from "../../src/daemon/journal/index.ts";
import { type Ask, type Dispatch, Work, schema as workSchema } from "../../src/daemon/work/index.ts";
import { unguarded } from "../fakes/unguarded.ts";
import type { Chance } from "../fixtures/chance.ts";
import { Disk } from "./disk.ts";
import { Engine } from "./engine.ts";
import { nodeLedger } from "./ledger.ts";
import type { Life, WallClock } from "./life.ts";
import type { Held, Link } from "./link.ts";
import type { Network } from "./network.ts";

export interface MachineOptions {
  name: string;
  nodeId: string;
  chance: Chance;
  network: Network;
  log: Logger;
  wall: WallClock;
  journalLimit: JournalLimit | undefined;
  /** The power went in the middle of a commit of this life. */
  onCut: (life: Life) => void;
  trace: (who: string, what: string) => void;
}

/** A daemon that runs. */
export interface RunningDaemon {
  /** Whether the hub has all that it has to report. */
  hasToldAll(): boolean;
  stop(): Promise<void>;
}

export const workloads = ["pump", "press", "oven"] as const;

/** A machine with the daemon's rooms on it: what outlives a daemon, and how one is started. */
export class Machine {
  readonly name: string;
  readonly nodeId: string;
  readonly wall: WallClock;
  readonly uplink: Held = { up: false, down: false };
  disk = new Disk();
  engine: Engine;
  /** Commands that began although their result was on the disk, or although they were not. */
  readonly handledAfterResult: string[] = [];
  readonly begunUnaccepted: string[] = [];
  /** Commands that began before the one before, about the same workload, had its result on the disk. */
  readonly begunEarly: string[] = [];
  /** The command that began last, by workload. */
  readonly #latest = new Map<string, string>();
  readonly #options: MachineOptions;
  #lives = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.nodeId = options.nodeId;
    this.wall = options.wall;
    this.engine = new Engine(options.chance);
  }

  /** What the hub must come to know of the workloads. */
  status() {
    return create(StatusSchema, {
      engineReachable: true,
      runtimes: workloads.map((name) => ({ name, restarts: this.engine.count(name) })),
    });
  }

  /** Starts the daemon as a life. Throws when its disk does not take what it writes at the start. */
  start(life: Life): RunningDaemon {
    const { log, journalLimit, chance, onCut } = this.#options;
    const clock = life.clock(this.wall);
    const sql = Sql.open(this.name, [controlSchema, journalSchema, workSchema], clock.now, {
      database: this.disk.mount(life, () => onCut(life)),
    });
    this.disk.witness(...nodeLedger);
    const journal = Journal.open(sql, { now: clock.now, ...(journalLimit && { limit: journalLimit }) });
    const dispatch = this.#dispatch(life, journal);
    const work = new Work({ sql, journal, clock, log, dispatch, guard: unguarded });
    const instanceId = `${this.name}-${++this.#lives}`;
    const line = new Line({
      ...{ sql, journal, work, log, clock, statusChanges: this.engine.changes },
      random: chance.next,
      credentials: this.#credentials(),
      leaving: { parting: new AbortController().signal, leave: async () => {}, ordered: async () => {} },
      status: () => this.status(),
      sample: () => create(SampleSchema, { cpuPercent: 1 }),
      wishesHash: () => "wishes",
      about: { version: "0.0.0", hostName: this.name, bootId: "boot", instanceId },
      dial: () => this.#dial(life),
    });
    const resumedCommands = work.resume();
    journal.record(
      {
        case: "daemonStarted",
        value: { $typeName: "edge.v1.DaemonStarted", version: "", bootId: "", resumedCommands },
      },
      { reason: instanceId },
    );
    const end = new AbortController();
    const running = line.run(end.signal);
    return {
      hasToldAll: () => journal.range().last === 0,
      async stop() {
        end.abort();
        await running;
        work[Symbol.dispose]();
        sql[Symbol.dispose]();
      },
    };
  }

  #dial(life: Life) {
    const { nodeId, name, uplink } = this;
    const certificate = { certificateSerial: nodeId, certificateIssuedAt: 1, certificateExpiresAt: 2e14 };
    const link: Link = this.#options.network.dial(
      { name, uplink, visitor: { nodeId, rootId: "", transport: Transport.GRPC, ...certificate } },
      life,
    );
    return {
      stream: link.atNode as unknown as Awaited<ReturnType<Dial>>["stream"], // As `Network.dial` says of the other end.
      async [Symbol.asyncDispose]() {
        const { atNode } = link;
        if (atNode.writableEnded && !atNode.readableEnded) {
          const ended = new Promise<void>((resolve) => atNode.once("end", resolve));
          await Promise.race([ended, new Promise<void>((resolve) => life.after(500, resolve))]);
        }
        link.leave();
      },
    };
  }

  /** Changes a workload, in the time that the command's id says, and tells of it. */
  #dispatch(life: Life, journal: Journal): Dispatch {
    const { chance, trace } = this.#options;
    return async (request, ask) => {
      if (request.case !== "startRuntime") throw failure("unsupported", "the simulation does not know it");
      const workload = request.value.name;
      const effect = { workload, command: ask.id };
      if (this.#hasResult(ask.id)) this.handledAfterResult.push(ask.id);
      if (this.disk.look("SELECT 1 FROM commands WHERE id = ?", ask.id).length === 0) {
        this.begunUnaccepted.push(ask.id);
      }
      const before = this.#latest.get(workload);
      if (before !== undefined && before !== ask.id && !this.#hasResult(before)) this.begunEarly.push(ask.id);
      this.#latest.set(workload, ask.id);
      trace(this.name, `begins ${ask.id} on ${workload}`);
      await this.#takeTime(life, ask);
      await this.engine.change(effect, life, ask.signal);
      trace(this.name, `has done ${ask.id} on ${workload}`);
      const value = create(RuntimeChangeSchema, { name: workload, kind: RuntimeChangeKind.STARTED });
      // Where the journal is small, much is told: events must make room, and results stay.
      for (let events = this.#options.journalLimit ? 20 : 1; events > 0; events--) {
        journal.record({ case: "runtime", value }, { reason: "it was started", commandId: ask.id });
      }
      if (chance.below(4) === 0) await this.#pause(life, ask, chance.below(1_000));
      return { case: "startRuntime", value: create(StartRuntimeResponseSchema) };
    };
  }

  #hasResult(id: string): boolean {
    return this.disk.look("SELECT 1 FROM sim_results WHERE command = ?", id).length > 0;
  }

  async #takeTime(life: Life, ask: Ask): Promise<void> {
    const { chance } = this.#options;
    if (ask.id.endsWith("stuck")) await new Promise(() => {}); // It does not listen to its signal either.
    const steps = ask.id.endsWith("slow") ? 5 + chance.below(20) : chance.below(3);
    for (let step = 0; step < steps; step++) {
      ask.progress(`step ${step}`);
      await this.#pause(life, ask, chance.below(2_000));
    }
  }

  #pause(life: Life, ask: Ask, ms: number): Promise<unknown> {
    const pause = new Promise<void>((resolve) => life.after(ms, resolve));
    return Promise.race([pause, aborted(ask.signal).then(() => Promise.reject(ask.signal.reason))]);
  }

  #credentials(): Credentials {
    const { nodeId } = this;
    const identity = { nodeId, keyPem: "", certificatePem: "", caPem: "", lineAddresses: ["hub:1"] };
    const never = () => Promise.reject(new Error("no certificate is renewed here"));
    return {
      held: async () => ({ identity }),
      ...{ request: never, propose: never, commit: never, drop: never, forget: never },
    };
  }
}
