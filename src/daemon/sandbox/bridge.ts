import { failure } from "../../base/failure.ts";
import { label } from "../../wire/labels.ts";
import { type Engine, isNotFound, makeNetwork } from "../engine/index.ts";

/** The network of cells that have one. */
export interface Bridge {
  name: string;
  gateway: string;
  subnet: string;
  subnet6?: string;
}

/** How many cells may have a network at a time: 253. */
const prefixLength = 24;

export interface BridgeOptions {
  engine: Engine;
  instanceId: string;
  random: () => number;
  /** Of IPv6, that cells get addresses of; without one they have none. */
  subnet6?: string | undefined;
}

/**
 * The network of an instance's cells, made when the first one needs it, and made anew when it should have other addresses and nobody
 * is on it. On it no cell reaches another; where each may go beyond it is for the rules in its own namespace.
 */
export async function cellBridge(
  { engine, instanceId, random, subnet6 }: BridgeOptions,
  signal: AbortSignal,
): Promise<Bridge> {
  const name = bridgeName(instanceId);
  const found = await look(engine, name, signal);
  if (found && (found.subnet6 === subnet6 || !(await isRemoved(engine, instanceId, signal)))) return found;
  const options = {
    ...{ Name: name, Driver: "bridge", CheckDuplicate: true },
    Options: { "com.docker.network.bridge.enable_icc": "false" },
    Labels: { [label.instance]: instanceId, [label.cell]: "all" },
    ...(subnet6 !== undefined && { EnableIPv6: true, IPAM: { Config: [{ Subnet: subnet6 }] } }),
  };
  try {
    await makeNetwork(engine, options, { random, signal, length: prefixLength });
  } catch (refused) {
    const theirs = await look(engine, name, signal); // Of another cell that needed it at the same time.
    if (!theirs) throw refused;
  }
  const made = await look(engine, name, signal);
  if (made) return made;
  throw failure("unavailable", `the network of cells ${name} was removed as soon as it was made`);
}

/** Removes it. One that is gone is the same success. */
export async function removeBridge(engine: Engine, instanceId: string, signal: AbortSignal): Promise<void> {
  const removed = engine.call("remove the network of cells", signal, (docker, abortSignal) =>
    docker.getNetwork(bridgeName(instanceId)).remove({ abortSignal }),
  );
  await removed.catch((thrown: unknown) => {
    if (!isNotFound(thrown)) throw thrown;
  });
}

/** Whether it is gone now: a network that others are on stays. */
async function isRemoved(engine: Engine, instanceId: string, signal: AbortSignal): Promise<boolean> {
  try {
    await removeBridge(engine, instanceId, signal);
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

function bridgeName(instanceId: string): string {
  return `edge-cells-${instanceId.slice(0, 8)}`;
}

async function look(engine: Engine, name: string, signal: AbortSignal): Promise<Bridge | undefined> {
  const networks = await engine.call("list networks", signal, (docker, abortSignal) =>
    docker.listNetworks({ filters: { name: [name] }, abortSignal }),
  );
  const ranges = networks.find(({ Name }) => Name === name)?.IPAM?.Config ?? [];
  const [subnet6] = ranges.flatMap(({ Subnet }) => (Subnet?.includes(":") ? Subnet : []));
  const config = ranges.find(({ Subnet }) => Subnet !== undefined && Subnet !== subnet6);
  if (config?.Subnet === undefined) return undefined;
  const gateway = config.Gateway || firstOf(config.Subnet);
  return { name, subnet: config.Subnet, gateway, ...(subnet6 !== undefined && { subnet6 }) };
}

/** The address that an engine takes for itself where it was not told which. */
function firstOf(subnet: string): string {
  const [address = ""] = subnet.split("/");
  return address.replace(/\d+$/, (last) => String(Number(last) + 1));
}
