import { resolve } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import { loadCliSettings } from "./config.ts";
import { localSessions } from "./door.ts";
import { explain } from "./explain.ts";
import { isLoss } from "./patience.ts";
import type { Run } from "./run.ts";

/** Between two tries to reach a netmon that went away, in milliseconds. */
const pauseMs = 1000;

/** A connection to the netmon of this machine. Closing it lets the process end. */
export interface NetmonDoor extends Disposable {
  client: Client<typeof NetMon>;
}

/** Where the socket of this machine's netmon is: what the flag says, else the settings. */
export async function findNetmon(run: Run, given?: string): Promise<string> {
  const flags = { "netmon-socket": given === undefined ? undefined : resolve(run.cwd, given) };
  return (await loadCliSettings(flags, run.flags.config, run))["netmon.socket"];
}

/** Opens a connection; whether somebody is there shows at the first call. */
export function connectToNetmon(socket: string): NetmonDoor {
  const sessions = localSessions(socket);
  const transport = createGrpcTransport({ baseUrl: "http://localhost", sessionManager: sessions });
  return { client: createClient(NetMon, transport), [Symbol.dispose]: () => sessions.abort() };
}

/**
 * Reads a stream of netmon until `seen` returns true, or Ctrl-C. A netmon that never answered is told at once; one that went
 * away is waited for, and asked anew.
 */
export async function watchNetmon<T>(
  run: Run,
  where: string,
  open: (client: Client<typeof NetMon>) => AsyncIterable<T>,
  seen: (told: T) => boolean,
): Promise<void> {
  const { signal, terminal, clock } = run;
  let hasAnswered = false;
  let isGone = false;
  while (!signal.aborted) {
    using netmon = connectToNetmon(where);
    try {
      for await (const told of open(netmon.client)) {
        hasAnswered = true;
        isGone = false;
        if (seen(told)) return;
      }
    } catch (thrown) {
      if (signal.aborted) return;
      if (!hasAnswered || !isLoss(thrown)) throw explain(thrown, { kind: "netmon", where });
    }
    if (!isGone) terminal.err("netmon is gone, waiting for it ...\n");
    isGone = true;
    await clock.sleep(pauseMs, signal).catch(() => {});
  }
}
