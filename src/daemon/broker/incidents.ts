import { create } from "@bufbuild/protobuf";
import { SandboxIncidentKind, SandboxIncidentSchema } from "../../../gen/edge/v1/events_pb.ts";
import type { PolicyDenial } from "../../../gen/edge/v1/policy_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { Tally } from "../../base/tally.ts";
import type { Journal } from "../journal/index.ts";
import type { Asked, Policy } from "../policy/index.ts";
import { type Asker, callerOf } from "./asker.ts";

/** What of one cell happens again and again is told once in so long, in milliseconds. */
const periodMs = 10_000;

interface Denied {
  asker: Asker;
  asked: Asked;
  denials: readonly PolicyDenial[];
}

/** Tells what cells met: limits of the broker, and denials. The first at once; a flood becomes one event in a while. */
export class Incidents implements Disposable {
  readonly #limits: Tally<{ asker: Asker; why: string }>;
  readonly #denials: Tally<Denied>;

  constructor(options: { journal: Pick<Journal, "record">; policy: Pick<Policy, "note">; clock: Clock }) {
    const { journal, policy, clock } = options;
    this.#limits = new Tally({
      ...{ clock, periodMs },
      tell: ({ asker: { cell, task }, why }, count) => {
        const kind = SandboxIncidentKind.BROKER_LIMIT;
        const told = { agent: cell.agent, taskId: task?.id ?? "", kind, count: BigInt(count) };
        const value = create(SandboxIncidentSchema, told);
        journal.record({ case: "sandboxIncident", value }, { reason: why });
      },
    });
    this.#denials = new Tally({
      ...{ clock, periodMs },
      tell: ({ asker, asked, denials }, count) => {
        const times = count > 1 ? ` (${count} times)` : "";
        const said = denials.map((one) => ({ ...one, message: `${one.message}${times}` }));
        policy.note(callerOf(asker), asked, said, "");
      },
    });
  }

  /** A cell met a limit of the broker. */
  limit(asker: Asker, why: string): void {
    this.#limits.note(asker.cell.id, { asker, why });
  }

  /** The node's policy denied something. */
  denied(asker: Asker, asked: Asked, denials: readonly PolicyDenial[]): void {
    const what = "command" in asked ? asked.command : "";
    const rules = denials.map(({ rule }) => rule).join(" ");
    this.#denials.note(`${asker.cell.id} ${what} ${rules}`, { asker, asked, denials });
  }

  [Symbol.dispose](): void {
    this.#limits[Symbol.dispose]();
    this.#denials[Symbol.dispose]();
  }
}
