import type { Holder } from "./claims.ts";
import type { Outcast } from "./fence.ts";

/** What operators are told when two machines turn out to be one node: both of them, so that somebody can go there. */
export function warningOf(outcast: Outcast, holder: Holder, other: Holder): string | undefined {
  if (outcast === "replaced") {
    return `${named(other)} has an older certificate of this node than ${named(holder)}: one of the two is a copy`;
  }
  if (outcast === "cloned") {
    return `two machines hold this node's identity: ${named(holder)} is served, ${named(other)} was refused; the workloads of both go on`;
  }
  return undefined;
}

function named({ hostName, address, instanceId, since }: Holder): string {
  const host = hostName || "a machine that did not say its name";
  const from = address === "" ? "" : ` at ${address}`;
  const when = since === 0 ? "" : `, since ${new Date(since).toISOString()}`;
  return `${host}${from} (${instanceId}${when})`;
}
