import { networkInterfaces } from "node:os";
import type Docker from "dockerode";
import { subnetOf, withoutPrefix } from "../../wire/subnet.ts";
import { type Engine, isOutOfRanges, isTakenRange } from "../engine/index.ts";

/** More creates at once than may choose the same range, again and again. */
const attempts = 5;

/**
 * Makes a network. An engine that is not told otherwise has address ranges for 30; after those, one is chosen here, so that a
 * hundred runtimes fit on a machine as it comes.
 * @throws {Failure} what the engine refused.
 */
export async function makeNetwork(
  engine: Engine,
  options: Docker.NetworkCreateOptions,
  { random, signal }: { random: () => number; signal: AbortSignal },
): Promise<void> {
  const make = (more: Pick<Docker.NetworkCreateOptions, "IPAM">) =>
    engine.call("create the network", signal, (docker, abortSignal) =>
      docker.createNetwork({ ...options, ...more, abortSignal }),
    );
  try {
    await make({});
  } catch (thrown) {
    if (!isOutOfRanges(thrown)) throw thrown;
    for (let attempt = 1; ; attempt++) {
      const Subnet = freeSubnet(await takenBy(engine, signal), random);
      if (Subnet === undefined) throw thrown;
      try {
        await make({ IPAM: { Driver: "default", Config: [{ Subnet }] } });
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

/** In 198.18.0.0/15, which is kept for tests of network gear (RFC 2544) and so is neither a plant's nor the Internet's. */
const ranges = { count: 8192, addresses: 16, length: 28 };

/** A subnet that is none of these and overlaps none; undefined when there is none left. */
export function freeSubnet(taken: readonly string[], random: () => number): string | undefined {
  const first = Math.floor(random() * ranges.count);
  for (let step = 0; step < ranges.count; step++) {
    const at = ((first + step) % ranges.count) * ranges.addresses;
    const subnet = `198.${18 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}/${ranges.length}`;
    if (!taken.some((one) => overlap(one, subnet))) return subnet;
  }
  return undefined;
}

function overlap(one: string, other: string): boolean {
  const length = Math.min(...[one, other].map((subnet) => Number(subnet.split("/")[1])));
  const wider = (subnet: string) => subnetOf(`${withoutPrefix(subnet)}/${length}`);
  return wider(one) !== undefined && wider(one) === wider(other);
}
