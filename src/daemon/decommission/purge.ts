import { failure } from "../../base/failure.ts";
import type { Credentials } from "../credentials/index.ts";
import type { Network } from "../network/index.ts";
import type { Runtimes } from "../runtimes/index.ts";
import type { Ask } from "../work/index.ts";

/** What a purge works on. */
export interface Workloads {
  runtimes: Pick<Runtimes, "purge" | "objects">;
  /** With their tasks, their containers and what is in those. */
  agents: { purge(ask: Ask): Promise<void> };
  secrets: Pick<Credentials, "destroy">;
  network: Pick<Network, "netmon" | "changes" | "isKnown" | "detach">;
}

/**
 * Removes all that this daemon made: on the engine, its secrets, and what netmon keeps for it. Both are looked at when it is done.
 * @throws {Failure} unavailable: the engine is away, or a netmon that was there once.
 */
export async function purge(
  { runtimes, agents, secrets, network }: Workloads,
  ask: Ask,
  onFound: (objects: readonly string[]) => void,
): Promise<void> {
  await plugged(network, ask.signal); // Nothing is begun without it: its leases are given back while their links are there.
  onFound(await runtimes.objects(ask.signal));
  await agents.purge(ask);
  await runtimes.purge(ask, onFound);
  await secrets.destroy();
  for (const runtime of await plugged(network, ask.signal)) await network.detach(runtime, ask.id, ask.signal);
  const left = await plugged(network, ask.signal);
  if (left.length > 0) throw failure("unavailable", `netmon still keeps vNICs of ${left.join(", ")}`);
}

/** The runtimes of which netmon keeps something; none where it never was. */
async function plugged(network: Workloads["network"], signal: AbortSignal): Promise<string[]> {
  for await (const _ of network.changes.wakes(signal)) {
    const { netmon } = network;
    if (netmon.at === "there") return [...netmon.attached.keys()];
    if (netmon.at === "unknown") continue;
    if (!network.isKnown) return [];
    const sentence = `${netmon.problem.message}. It keeps the vNICs of this node, and without it none can be given back`;
    throw failure("unavailable", sentence, { cause: netmon.problem });
  }
  throw signal.reason;
}
