import { readFile } from "node:fs/promises";
import type { AllowEgressRequest, GuardEgressRequest } from "../../../gen/edge/v1/netmon_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, errorChain, failure } from "../../base/failure.ts";
import { Lanes } from "../../base/lanes.ts";
import type { Logger } from "../../base/log.ts";
import { findOwners, Netns, type Owner, run } from "../namespaces/index.ts";
import { checkedGuard, checkOpening } from "./check.ts";
import { clearingOf, type Denied, type DeniedBySet, deniedIn, others } from "./denied.ts";
import { openingOf, rulesetOf, table } from "./ruleset.ts";

/** A guarded namespace, open: what was denied in it can be read when its container has ended. */
interface Guarded {
  netns: Netns;
  /** What the kernel had counted of refusals when it was read last. */
  refusals: string;
  readAtMs: number;
}

/** What was denied in one namespace, and whether this is the last of it. */
export interface Reading {
  denied: Denied[];
  hasEnded: boolean;
}

/** Refusals of which the kernel's counters know nothing, such as of a broadcast, are read this often. */
const readAllEveryMs = 30_000;
/** Calls that wait for one namespace. */
const mostWaiting = 64;

/** The namespaces of agents that are guarded. All of it can be lost: the rules are in the namespaces. */
export class Egress implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lanes = new Lanes(mostWaiting);
  readonly #open = new Map<string, Guarded>();

  constructor({ clock, log }: { clock: Clock; log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Closes a namespace but for what is listed. @throws {Failure} as `NetMon.GuardEgress` says. */
  async guard(request: GuardEgressRequest, signal: AbortSignal): Promise<void> {
    const guard = checkedGuard(request);
    await this.#lanes.run(request.containerId, async () => {
      const { netns } = await this.#running(request.containerId);
      await nft(netns, ["-f", "-"], { input: rulesetOf(guard), doing: "guard a network namespace", signal });
    });
    await this.#closeEnded();
  }

  /** Opens a guarded namespace to addresses. @throws {Failure} as `NetMon.AllowEgress` says. */
  async allow(request: AllowEgressRequest, signal: AbortSignal): Promise<void> {
    checkOpening(request);
    await this.#lanes.run(request.containerId, async () => {
      const { netns } = await this.#running(request.containerId);
      const input = openingOf(request);
      await nft(netns, ["-f", "-"], { input, doing: "open a guarded network namespace", signal });
    });
  }

  /** What was denied since it was read last. What cannot be read is not cleared, and read when more was denied, or a while later. */
  async read(containerId: string, signal: AbortSignal): Promise<Reading> {
    return await this.#lanes.run(containerId, async () => {
      try {
        return await this.#read(await this.#guarded(containerId), signal);
      } catch (thrown) {
        signal.throwIfAborted();
        if (asFailure(thrown).kind === "not_found") {
          await this.#close(containerId);
          return { denied: [], hasEnded: true };
        }
        this.#log.error(
          { containerId, reason: errorChain(thrown) },
          "what an agent was denied cannot be read",
        );
        return { denied: [], hasEnded: false };
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lanes.idle();
    await Promise.all([...this.#open.keys()].map((containerId) => this.#close(containerId)));
  }

  async #read(guarded: Guarded, signal: AbortSignal): Promise<Reading> {
    const { netns } = guarded;
    const refusals = await refusalsSeenBy(netns.owner);
    const hasEnded = !netns.isAlive; // Afterwards, nothing more can be denied.
    const now = this.#clock.elapsed();
    if (!hasEnded && refusals === guarded.refusals && now - guarded.readAtMs < readAllEveryMs) {
      return { denied: [], hasEnded };
    }
    Object.assign(guarded, { refusals, readAtMs: now });
    const doing = "read what a network namespace denied";
    const listed = deniedIn(
      await nft(netns, ["-j", "list", "table", ...table.split(" ")], { doing, signal }),
    );
    const found = hasEnded ? listed : await cleared(netns, listed, signal);
    if (hasEnded) await this.#close(netns.owner.containerId);
    return { denied: [...found.values()].flat(), hasEnded };
  }

  /** As `#guarded`, of a container that runs now: one that was started again has another namespace. */
  async #running(containerId: string): Promise<Guarded> {
    const guarded = await this.#guarded(containerId);
    if (guarded.netns.isAlive) return guarded;
    await this.#close(containerId);
    return await this.#guarded(containerId);
  }

  /** The namespace of a container, opened now or before. @throws {Failure} not_found: the container does not run. */
  async #guarded(containerId: string): Promise<Guarded> {
    const known = this.#open.get(containerId);
    if (known) return known;
    const owner = findOwners(new Set([containerId])).get(containerId);
    if (!owner) throw failure("not_found", `container ${containerId.slice(0, 12)} does not run`);
    // What was denied before is not known to have been read.
    const guarded = { netns: await Netns.open(owner), refusals: "", readAtMs: 0 };
    this.#open.set(containerId, guarded);
    return guarded;
  }

  /** Nobody need ever ask for what was denied in them. */
  async #closeEnded(): Promise<void> {
    const now = this.#clock.elapsed();
    const ended = [...this.#open].filter(
      ([, { netns, readAtMs }]) => !netns.isAlive && now - readAtMs > 2 * readAllEveryMs,
    );
    await Promise.all(ended.map(([id]) => this.#lanes.run(id, () => this.#close(id))));
  }

  async #close(containerId: string): Promise<void> {
    const guarded = this.#open.get(containerId);
    this.#open.delete(containerId);
    await guarded?.netns[Symbol.asyncDispose]();
  }
}

/** What was listed, and is told only once; with the count of all others as it was when it began anew. */
async function cleared(netns: Netns, listed: DeniedBySet, signal: AbortSignal): Promise<DeniedBySet> {
  const doing = "clear what a network namespace denied";
  const input = clearingOf(listed);
  if (input !== "") await nft(netns, ["-f", "-"], { input, doing, signal });
  if (!listed.has(others)) return listed;
  const reset = await nft(netns, ["-j", "reset", "counter", ...table.split(" "), others], { doing, signal });
  return new Map([...listed, ...deniedIn(reset)]);
}

async function nft(
  netns: Netns,
  args: readonly string[],
  options: { input?: string; doing: string; signal: AbortSignal },
): Promise<string> {
  return await run(netns.place, "nft", args, options);
}

/**
 * What the kernel has counted in a namespace that a refusal adds to: attempts of TCP that failed, and ICMP errors that were sent.
 * To read it takes a tenth of a millisecond, to run nft in the namespace five. Other counts may move it, too.
 */
async function refusalsSeenBy({ pid }: Owner): Promise<string> {
  const read = (file: string) => readFile(`/proc/${pid}/net/${file}`, "utf8").catch(() => "");
  const [snmp, snmp6] = await Promise.all([read("snmp"), read("snmp6")]);
  const column = (protocol: string, name: string) => {
    const [names = "", values = ""] = snmp.split("\n").filter((line) => line.startsWith(`${protocol}: `));
    return values.split(" ")[names.split(" ").indexOf(name)] ?? "";
  };
  const icmp6 = /^Icmp6OutDestUnreachs\s+(\d+)$/m.exec(snmp6)?.[1] ?? "";
  return [column("Tcp", "AttemptFails"), column("Icmp", "OutDestUnreachs"), icmp6].join(" ");
}
