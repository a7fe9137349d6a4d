import type { GetNodeResponse } from "../../gen/edge/v1/node_pb.ts";
import type { Runtime } from "../../gen/edge/v1/runtimes_pb.ts";
import type { Doors, Tried } from "./doctor/index.ts";
import { withDoor } from "./door.ts";
import { explain } from "./explain.ts";
import { connectToNetmon } from "./netmon.ts";
import type { Run } from "./run.ts";

/** The run that asks the daemon of this machine, whatever else is named. */
export function atLocalDoor(run: Run, signal: AbortSignal): Run {
  const flags = { ...run.flags, local: true };
  return { ...run, flags, signal };
}

/** What the daemon of this machine says of itself. @throws {Failure} it does not answer. */
export async function askDaemon(run: Run, signal: AbortSignal): Promise<GetNodeResponse> {
  return await withDoor(atLocalDoor(run, signal), (door) => door.ask("getNode", {}));
}

/** The runtimes of this machine's daemon. @throws {Failure} it does not answer. */
async function askRuntimes(run: Run, signal: AbortSignal): Promise<Runtime[]> {
  return await withDoor(
    atLocalDoor(run, signal),
    async (door) => (await door.ask("listRuntimes", {})).runtimes,
  );
}

/** All doors that the doctor knocks at. */
export function doorsOf(run: Run, netmonSocket: string): Doors {
  return {
    node: (signal) => askDaemon(run, signal),
    runtimes: (signal) => askRuntimes(run, signal),
    vault: (signal) => withDoor(atLocalDoor(run, signal), (door) => door.ask("getSealingKey", {})),
    providers: async (signal) => {
      const { models } = await withDoor(atLocalDoor(run, signal), (door) => door.ask("listModels", {}));
      return [...new Set(models.map(({ url }) => url))];
    },
    netmon: (signal) => askNetmon(netmonSocket, signal),
    parent: (name, signal) => tryParent(netmonSocket, name, signal),
  };
}

type Seen = Awaited<ReturnType<Doors["netmon"]>>;

/** What netmon sees. @throws {Failure} it does not answer. */
async function askNetmon(where: string, signal: AbortSignal): Promise<Seen> {
  using netmon = connectToNetmon(where);
  try {
    const { picture, version } = await netmon.client.getNetwork({}, { signal });
    return { where, version, parents: picture?.interfaces ?? [] };
  } catch (thrown) {
    throw explain(thrown, { kind: "netmon", where });
  }
}

/** Has netmon try an interface: this sends ARP questions into the LAN behind it. @throws {Failure} it cannot. */
async function tryParent(where: string, parent: string, signal: AbortSignal): Promise<Tried> {
  using netmon = connectToNetmon(where);
  try {
    return await netmon.client.probeParent({ parent }, { signal });
  } catch (thrown) {
    throw explain(thrown, { kind: "netmon", where });
  }
}
