import { label } from "../../wire/labels.ts";
import type { Engine } from "../engine/index.ts";

/** The network of cells that have one. */
export interface Bridge {
  name: string;
  gateway: string;
  subnet: string;
}

/**
 * The network of an instance's cells, made when the first one needs it. On it no cell reaches another; where each may go beyond it
 * is for the rules in its own namespace.
 */
export async function cellBridge(engine: Engine, instanceId: string, signal: AbortSignal): Promise<Bridge> {
  const name = `edge-cells-${instanceId.slice(0, 8)}`;
  const found = await look(engine, name, signal);
  if (found) return found;
  await engine.call("make the network of cells", signal, (docker, abortSignal) =>
    docker.createNetwork({
      ...{ Name: name, Driver: "bridge", CheckDuplicate: true, abortSignal },
      Options: { "com.docker.network.bridge.enable_icc": "false" },
      Labels: { [label.instance]: instanceId, [label.cell]: "all" },
    }),
  );
  const made = await look(engine, name, signal);
  if (made) return made;
  throw new Error("a network that was just made is not there");
}

async function look(engine: Engine, name: string, signal: AbortSignal): Promise<Bridge | undefined> {
  const networks = await engine.call("list networks", signal, (docker, abortSignal) =>
    docker.listNetworks({ filters: { name: [name] }, abortSignal }),
  );
  const [config] = networks.find(({ Name }) => Name === name)?.IPAM?.Config ?? [];
  if (config?.Subnet === undefined || config.Gateway === undefined) return undefined;
  return { name, subnet: config.Subnet, gateway: config.Gateway };
}
