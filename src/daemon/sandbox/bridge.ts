import { failure } from "../../base/failure.ts";
import { label } from "../../wire/labels.ts";
import { type Engine, isNotFound, makeNetwork } from "../engine/index.ts";

/** The network of cells that have one. */
export interface Bridge {
  name: string;
  gateway: string;
  subnet: string;
}

/** How many cells may have a network at a time: 253. */
const prefixLength = 24;

/**
 * The network of an instance's cells, made when the first one needs it. On it no cell reaches another; where each may go beyond it
 * is for the rules in its own namespace.
 */
export async function cellBridge(
  { engine, instanceId, random }: { engine: Engine; instanceId: string; random: () => number },
  signal: AbortSignal,
): Promise<Bridge> {
  const name = bridgeName(instanceId);
  const found = await look(engine, name, signal);
  if (found) return found;
  const options = {
    ...{ Name: name, Driver: "bridge", CheckDuplicate: true },
    Options: { "com.docker.network.bridge.enable_icc": "false" },
    Labels: { [label.instance]: instanceId, [label.cell]: "all" },
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

function bridgeName(instanceId: string): string {
  return `edge-cells-${instanceId.slice(0, 8)}`;
}

async function look(engine: Engine, name: string, signal: AbortSignal): Promise<Bridge | undefined> {
  const networks = await engine.call("list networks", signal, (docker, abortSignal) =>
    docker.listNetworks({ filters: { name: [name] }, abortSignal }),
  );
  const [config] = networks.find(({ Name }) => Name === name)?.IPAM?.Config ?? [];
  if (config?.Subnet === undefined) return undefined;
  return { name, subnet: config.Subnet, gateway: config.Gateway || firstOf(config.Subnet) };
}

/** The address that an engine takes for itself where it was not told which. */
function firstOf(subnet: string): string {
  const [address = ""] = subnet.split("/");
  return address.replace(/\d+$/, (last) => String(Number(last) + 1));
}
