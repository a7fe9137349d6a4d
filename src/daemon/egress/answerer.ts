import { create } from "@bufbuild/protobuf";
import { type AllowEgressRequest, AllowEgressRequestSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, errorChain } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import {
  graceSeconds,
  type Judged,
  judge,
  mostAddresses,
  type Question,
  type Reply,
  ttlTold,
} from "./answer.ts";
import type { Denial } from "./denials.ts";
import type { LookUp } from "./look-up.ts";
import { portsOf } from "./plan.ts";
import { mayMean } from "./reach.ts";
import type { Guarded } from "./store.ts";

export interface AnswererOptions {
  lookUp: LookUp;
  /** Opens a cell's namespace to addresses. @throws {Failure} it is not open. */
  open: (request: AllowEgressRequest, signal: AbortSignal) => Promise<void>;
  denied: (denial: Denial) => void;
  clock: Clock;
  log: Logger;
}

/** Questions of one cell that are being answered, and answers that are kept for it. */
const [mostAtOnce, mostKept] = [8, 256];
/** New names that one cell may have looked up in a while: each costs the node two programs' work. */
const mostLookUps = { count: 50, inMs: 5_000 };

/** What is known of one cell that asks. */
interface Asker {
  atOnce: number;
  lookUps: number[];
  kept: Map<string, { reply: Reply; untilMs: number }>;
}

/** Answers the questions of cells: an address is open before it is told. */
export class Answerer {
  readonly #options: AnswererOptions;
  readonly #askers = new Map<string, Asker>();

  constructor(options: AnswererOptions) {
    this.#options = options;
  }

  async answer(from: Guarded, question: Question, signal: AbortSignal): Promise<Reply> {
    const judged = judge(question, from.allow.allow, from.hasIpv6);
    if (judged.is === "empty") return { is: "empty" };
    if (judged.is === "denied") return this.#deny(from, question.name.toLowerCase(), judged.reason);
    const { clock, log } = this.#options;
    const asker = this.#askerOf(from.cell);
    const key = `${judged.family} ${judged.name}`;
    const kept = asker.kept.get(key);
    if (kept && clock.elapsed() < kept.untilMs) return kept.reply;
    if (!this.#mayLookUp(asker)) return { is: "failed" };
    asker.atOnce++;
    try {
      return await this.#lookUp(from, asker, judged, signal);
    } catch (thrown) {
      if (!signal.aborted) {
        const reason = errorChain(asFailure(thrown));
        log.warn({ agent: from.agent, name: judged.name, reason }, "an agent's question for a name failed");
      }
      return { is: "failed" };
    } finally {
      asker.atOnce--;
    }
  }

  /** The cell is gone. */
  forget(cell: string): void {
    this.#askers.delete(cell);
  }

  async #lookUp(
    from: Guarded,
    asker: Asker,
    { name, family, rules }: Judged & { is: "asked" },
    signal: AbortSignal,
  ): Promise<Reply> {
    const { lookUp, open, clock } = this.#options;
    const found = await lookUp(name, family, signal);
    if (found.is !== "known") return { is: found.is };
    const { guard } = from;
    const ranges = { open: guard.ranges.map(({ cidr }) => cidr), closed: guard.closed };
    const addresses = found.addresses.filter((one) => mayMean(one, ranges)).slice(0, mostAddresses);
    if (addresses.length === 0) {
      const meant = found.addresses.slice(0, 3).join(", ");
      return this.#deny(from, name, `it means ${meant}, and no cidr of the agent's network.allow holds that`);
    }
    const ttlSeconds = ttlTold(found.ttlSeconds);
    const seconds = ttlSeconds + graceSeconds;
    const { containerId } = guard;
    await open(
      create(AllowEgressRequestSchema, { containerId, addresses, seconds, ...portsOf(rules) }),
      signal,
    );
    const reply: Reply = { is: "addresses", addresses, ttlSeconds };
    if (asker.kept.size >= mostKept) asker.kept.clear();
    asker.kept.set(`${family} ${name}`, { reply, untilMs: clock.elapsed() + ttlSeconds * 1_000 });
    return reply;
  }

  #deny({ cell, agent }: Guarded, name: string, reason: string): Reply {
    this.#options.denied({ cell, agent, destination: name, port: 0, protocol: "dns", reason, count: 1 });
    return { is: "unknown" };
  }

  #mayLookUp(asker: Asker): boolean {
    const now = this.#options.clock.elapsed();
    asker.lookUps = asker.lookUps.filter((at) => now - at < mostLookUps.inMs);
    if (asker.atOnce >= mostAtOnce || asker.lookUps.length >= mostLookUps.count) return false;
    asker.lookUps.push(now);
    return true;
  }

  #askerOf(cell: string): Asker {
    const known = this.#askers.get(cell) ?? { atOnce: 0, lookUps: [], kept: new Map() };
    this.#askers.set(cell, known);
    return known;
  }
}
