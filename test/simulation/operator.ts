import { create } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../gen/edge/v1/command_pb.ts";
import type { Chance } from "../fixtures/chance.ts";
import type { RunningHub } from "./hub.ts";
import { workloads } from "./machine.ts";
import type { Time } from "./time.ts";

/** What was asked of a hub. */
export interface Asked {
  command: Command;
  nodeId: string;
  workload: string;
  /** The hub said that it has it. */
  isPromised: boolean;
  /** When somebody first called it off, and when the hub had heard of it. */
  calledOffAt: number | undefined;
  heardAt: number | undefined;
}

export interface OperatorOptions {
  time: Time;
  chance: Chance;
  hub: () => RunningHub | undefined;
  nodeIds: readonly string[];
  trace: (who: string, what: string) => void;
}

/** Between two tries of somebody whose hub did not answer, in milliseconds. */
const againMs = 3_000;
const dayMs = 24 * 3_600_000;

/** People who ask for things, ask again when they hear nothing, and change their mind. */
export class Operator {
  readonly asked: Asked[] = [];
  readonly #options: OperatorOptions;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** Asks for something, until the hub has it, and perhaps calls it off. */
  ask(): void {
    const { time, chance, nodeIds } = this.#options;
    const workload = chance.oneOf(workloads);
    const manner = chance.oneOf(["quick", "quick", "quick", "slow", "slow", "stuck"]);
    const one: Asked = {
      command: create(CommandSchema, {
        id: `c${this.asked.length + 1}-${manner}`,
        budgetMs: chance.oneOf([5_000, 20_000, 60_000]),
        request: { case: "startRuntime", value: { name: workload } },
      }),
      nodeId: chance.oneOf(nodeIds),
      workload,
      isPromised: false,
      calledOffAt: undefined,
      heardAt: undefined,
    };
    this.asked.push(one);
    const expiresInMs = chance.oneOf([15_000, 60_000, dayMs, dayMs]);
    this.#submit(one, expiresInMs);
    if (chance.below(5) === 0) this.#submit(one, expiresInMs); // Pressed twice.
    if (chance.below(4) === 0) time.after(chance.below(20_000), () => this.#callOff(one));
  }

  #submit(one: Asked, expiresInMs: number): void {
    const { hub, time, trace } = this.#options;
    const { command, nodeId } = one;
    trace("operator", `asks ${nodeId} for ${command.id} on ${one.workload}`);
    const asked = hub()?.commands.submit(nodeId, command, { actor: "operator", expiresInMs });
    asked?.then(
      () => {
        one.isPromised = true;
      },
      () => {}, // It is asked for again below.
    );
    time.after(againMs, () => one.isPromised || this.#submit(one, expiresInMs));
  }

  #callOff(one: Asked): void {
    const { hub, time, trace } = this.#options;
    trace("operator", `calls ${one.command.id} off`);
    one.calledOffAt ??= time.now;
    hub()
      ?.commands.cancel(one.command.id)
      .then(
        () => {
          one.heardAt = time.now;
        },
        () => {}, // As above.
      );
    time.after(againMs, () => one.heardAt === undefined && this.#callOff(one));
  }
}
