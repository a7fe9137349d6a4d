import { networkInterfaces } from "node:os";
import type Docker from "dockerode";
import { subnetOf, withoutPrefix } from "../../wire/subnet.ts";
import type { Engine } from "./engine.ts";
import { isOutOfRanges, isTakenRange } from "./engine-failures.ts";

/** More creates at once than may choose the same range, again and again. */
const attempts = 5;

/**
 * Makes a network. An engine that is not told otherwise has address ranges for 30; after those, one is chosen here, so that a
 * hundred runtimes fit on a machine as it comes; `length` is its prefix's.
 * @throws {Failure} what the engine refused.
 */
export async function makeNetwork(
  engine: Engine,
  options: Docker.NetworkCreateOptions,
  { random, signal, length = 28 }: { random: () => number; signal: AbortSignal; length?: number },
): Promise<void> {
  const make = (ranges: { Subnet: string }[]) =>
    engine.call("create the network", signal, (docker, abortSignal) => {
      const Config = [...(options.IPAM?.Config ?? []), ...ranges];
      return docker.createNetwork({ ...options, IPAM: { Driver: "default", Config }, abortSignal });
    });
  try {
    await make([]);
  } catch (thrown) {
    if (!isOutOfRanges(thrown)) throw thrown;
    for (let attempt = 1; ; attempt++) {
      const Subnet = freeSubnet(await takenBy(engine, signal), random, length);
      if (Subnet === undefined) throw thrown;
      try {
        await make([{ Subnet }]);
        return;
      } catch (refused) {
        if (!isTakenRange(refused) || attempt === attempts) throw refused;
      }
    }
  }
}

async function takenBy(engine: Engine, signal: AbortSignal): Promise<string[]> {
  const networks = await engine.call("list networks", signal, (docker, abortSignal) =>
    docker.listNetworks({ abortSignal }),
  );
  const theirs = networks.flatMap(({ IPAM }) => (IPAM?.Config ?? []).map(({ Subnet = "" }) => Subnet));
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ cidr }) => cidr ?? ""));
  return [...theirs, ...own];
}

/** Of 198.18.0.0/15, kept for tests of network gear (RFC 2544), and so neither a plant's nor the Internet's. */
const keptLength = 15;

/** A subnet that is none of these and overlaps none; undefined when there is none left. */
export function freeSubnet(taken: readonly string[], random: () => number, length = 28): string | undefined {
  const [count, addresses] = [2 ** (length - keptLength), 2 ** (32 - length)];
  const first = Math.floor(random() * count);
  for (let step = 0; step < count; step++) {
    const at = ((first + step) % count) * addresses;
    const subnet = `198.${18 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}/${length}`;
    if (!taken.some((one) => overlap(one, subnet))) return subnet;
  }
  return undefined;
}

function overlap(one: string, other: string): boolean {
  const length = Math.min(...[one, other].map((subnet) => Number(subnet.split("/")[1])));
  const wider = (subnet: string) => subnetOf(`${withoutPrefix(subnet)}/${length}`);
  return wider(one) !== undefined && wider(one) === wider(other);
}
