import { equals } from "@bufbuild/protobuf";
import { StatusSchema } from "../../gen/edge/v1/control_pb.ts";
import { openLog } from "../../src/base/log.ts";
import { type Chance, chanceOf } from "../fixtures/chance.ts";
import { HubMachine, type RunningHub } from "./hub.ts";
import { Keeper } from "./keeper.ts";
import type { Life } from "./life.ts";
import { Machine, type RunningDaemon } from "./machine.ts";
import { Network } from "./network.ts";
import { Operator } from "./operator.ts";
import { Time } from "./time.ts";
import { Trace } from "./trace.ts";

/** A machine with the daemon that is kept running on it. */
export interface Node {
  machine: Machine;
  daemon: Keeper<RunningDaemon>;
}

const log = openLog({ program: "simulation", level: "silent", format: "json" });
/** 21 November 2026. */
const begunAt = 1_795_219_200_000;

/** One hub, its nodes, the network between them, and people: everything that one seed decides about. */
export class World {
  readonly time = new Time();
  readonly chance: Chance;
  readonly trace: Trace;
  readonly network: Network;
  readonly hubMachine: HubMachine;
  readonly hub: Keeper<RunningHub>;
  readonly nodes: Node[];
  readonly operator: Operator;
  /** What was seen to be wrong while it happened. */
  readonly wrongs: string[] = [];
  readonly beatMs: number;
  /** Machines that are copies of others. */
  readonly clones: Node[] = [];
  /** Nodes whose disk was lost or put back. */
  readonly forgetful = new Set<string>();
  isHubPutBack = false;
  #journalLimit: { entries: number; bytes: number } | undefined;

  constructor(seed: number, onLine?: (line: string) => void) {
    const { time } = this;
    const chance = chanceOf(seed);
    this.chance = chance;
    this.trace = new Trace(() => time.now, onLine);
    const trace = this.trace.say;
    this.network = new Network({ time, chance }, this.forgetful, trace);
    this.beatMs = chance.oneOf([1_000, 5_000]);
    this.#journalLimit = chance.below(8) === 0 ? { entries: 30, bytes: 1 << 20 } : undefined;
    const nodeIds = chance.below(4) === 0 ? ["n1", "n2"] : ["n1"];
    this.hubMachine = new HubMachine({
      ...{ chance, log, nodeIds, network: this.network, beatMs: this.beatMs },
      wall: { atBeginning: begunAt },
      onCut: () => this.hub.kill({ isTold: false, awayMs: chance.below(10_000) }),
    });
    this.hub = new Keeper({
      ...{ name: "hub", time, trace },
      start: (life) => this.hubMachine.start(life),
      onEnd: (life, isTold) => {
        if (this.network.listening?.life === life) this.network.listening = undefined;
        this.network.orphan("hub", life, isTold);
      },
    });
    this.nodes = nodeIds.map((nodeId) => this.#node(nodeId, nodeId));
    this.operator = new Operator({ time, chance, trace, nodeIds, hub: () => this.hub.running });
  }

  /** Whether a journal of this world may have to drop something. */
  get isJournalSmall(): boolean {
    return this.#journalLimit !== undefined;
  }

  /** How long a side that hears nothing believes in a link, in milliseconds. */
  get leaseMs(): number {
    return 3 * this.beatMs;
  }

  /** Starts everything. */
  begin(): void {
    this.hub.start();
    for (const { daemon } of this.nodes) daemon.start();
  }

  /** Adds a machine whose disk and engine are those of another, with all that stands on them. */
  clone({ machine }: Node): Node {
    const copy = this.#node(`${machine.name}-copy`, machine.nodeId);
    copy.machine.disk = machine.disk.copy();
    copy.machine.engine = machine.engine.copy();
    return copy;
  }

  /** Ends everything. */
  end(): void {
    this.hub.retire();
    for (const { daemon, machine } of [...this.nodes, ...this.clones]) {
      daemon.retire();
      machine.disk.close();
    }
    this.hubMachine.disk.close();
  }

  /** Whether nothing is left to be done: every command answered, every report taken, every level told. */
  get isSettled(): boolean {
    const hub = this.hub.running;
    return (
      hub !== undefined &&
      this.nodes.every(({ machine, daemon }) => {
        const { connected, pendingCommands, status } = hub.fleet.get(machine.nodeId);
        // A hub that was put back may wait for a command that it had ended itself.
        const isAnswered = pendingCommands === 0 || this.isHubPutBack;
        const isTold = status !== undefined && equals(StatusSchema, status, machine.status());
        return connected && isAnswered && isTold && daemon.running?.hasToldAll();
      })
    );
  }

  #node(name: string, nodeId: string): Node {
    const { time, chance, network } = this;
    const trace = this.trace.say;
    const machine: Machine = new Machine({
      ...{ name, nodeId, chance, network, log, trace, journalLimit: this.#journalLimit },
      wall: { atBeginning: begunAt },
      onCut: () => daemon.kill({ isTold: false, awayMs: chance.below(10_000) }),
    });
    const daemon: Keeper<RunningDaemon> = new Keeper({
      ...{ name, time, trace },
      start: (life: Life) => machine.start(life),
      onEnd: (life: Life, isTold: boolean) => network.orphan("node", life, isTold),
    });
    return { machine, daemon };
  }
}
