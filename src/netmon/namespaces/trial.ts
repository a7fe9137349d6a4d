import { spawn } from "node:child_process";
import { once } from "node:events";
import { asFailure, failure } from "../../base/failure.ts";
import { probeAddress } from "./arp.ts";
import { setIpv6 } from "./ipv6.ts";
import { createMacvlan, type MacvlanMode, removeLink, setLinkUp } from "./links.ts";
import type { Place } from "./run.ts";

export interface TrialOptions {
  readonly parent: string;
  readonly mac: string;
  readonly mode: MacvlanMode;
  readonly signal: AbortSignal;
}

/**
 * Asks the LAN of a parent who has an IPv4 address, by the MAC of a vNIC that is not there yet: the answer is that of
 * `probeAddress`. One at a time for a MAC. @throws {Failure} unavailable: the parent is down or has no carrier. not_found: the
 * parent. conflict: a link upon it has the MAC, or it cannot carry any.
 */
export function probeOnParent(
  options: TrialOptions & { readonly address: string },
): Promise<string | undefined> {
  const { address, signal } = options;
  return onTrial(options, async (place, device) => {
    await setIpv6(place, device, "none", signal);
    await setLinkUp(place, device, signal);
    return await probeAddress({ place, device, address, signal });
  });
}

/**
 * Does something as a station that is not there yet, or no longer: with a MACVLAN link, down at first, in a network namespace with
 * nothing else. Both are gone afterwards, and the MAC is free again. @throws {Failure} as `createMacvlan`, and what `use` throws.
 */
export async function onTrial<T>(
  { parent, mac, mode, signal }: TrialOptions,
  use: (place: Place, device: string) => Promise<T>,
): Promise<T> {
  const device = "trial0";
  await using namespace = await emptyNamespace(signal);
  const { place } = namespace;
  await createMacvlan({ place, parent, name: device, mac, mode, signal });
  try {
    return await use(place, device);
  } finally {
    // The kernel takes down a namespace some time after its end, and until then nobody else may have the MAC.
    await removeLink(place, device, new AbortController().signal).catch(unlessGoneToo);
  }
}

/** A parent that goes takes the link along; its failure, if it is one, is told by what was being done. */
function unlessGoneToo(thrown: unknown): void {
  if (asFailure(thrown).kind === "internal") throw thrown;
}

/** Without a name, so that nothing has to be tidied up: its only process ends with its input, also when netmon is killed. */
async function emptyNamespace(signal: AbortSignal): Promise<{ place: Place } & AsyncDisposable> {
  signal.throwIfAborted();
  const child = spawn("unshare", ["--net", "cat"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(child, "close");
  const namespace = {
    place: { netns: `/proc/${child.pid}/ns/net` },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
  try {
    child.stdin.on("error", () => {}).write("\n"); // Its echo says that cat runs, and so within the new namespace.
    const echo = await Promise.race([once(child.stdout, "data", { signal }), ended.then(() => undefined)]);
    if (echo !== undefined) return namespace;
  } catch (cause) {
    if (child.pid !== undefined) await namespace[Symbol.asyncDispose]();
    signal.throwIfAborted();
    throw failure("unavailable", "cannot start the program unshare: install util-linux", { cause });
  }
  throw failure("denied", "cannot make a network namespace: netmon needs SYS_ADMIN");
}
