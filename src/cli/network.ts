import { resolve } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Command } from "commander";
import { NetMon, type NetworkPicture, WatchNetworkResponseSchema } from "../../gen/edge/v1/netmon_pb.ts";
import { pictureAfter } from "../wire/network-picture.ts";
import { answerLine, moment } from "./answer.ts";
import { isLoss } from "./carry-out.ts";
import { loadCliSettings } from "./config.ts";
import { localSessions } from "./door.ts";
import { explain } from "./explain.ts";
import { changesOf, tableOfInterfaces } from "./network-tell.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";

/** Between two tries to reach a netmon that went away, in milliseconds. */
const pauseMs = 1000;

interface WatchFlags {
  netmonSocket?: string;
  follow: boolean;
}

/** `orchestrator network ...` */
export function defineNetwork(noun: Command, run: Run): void {
  noun
    .command("watch")
    .description("the network of this machine as netmon sees it, then each change, until Ctrl-C")
    .option("--netmon-socket <path>", "netmon's socket")
    .option("--follow", "wait for changes (the default)", true)
    .option("--no-follow", "end after the whole picture")
    .action((flags: WatchFlags) => watch(run, flags));
}

async function watch(run: Run, { netmonSocket, follow }: WatchFlags): Promise<void> {
  const { signal, terminal, clock } = run;
  const where = await findSocket(run, netmonSocket);
  let picture: NetworkPicture | undefined;
  let isGone = false;
  while (!signal.aborted) {
    using netmon = connectTo(where);
    try {
      const known = picture && { knownRunId: picture.runId, knownGeneration: picture.generation };
      for await (const told of netmon.client.watchNetwork(known ?? {}, { signal })) {
        const before = picture;
        picture = pictureAfter(before, told);
        isGone = false;
        answerLine(run, WatchNetworkResponseSchema, told, () => inWords(run, before, picture));
        if (!follow) return;
      }
    } catch (thrown) {
      if (signal.aborted) return;
      // One that never answered is told at once; one that went away is waited for, and says what was missed.
      if (!picture || !isLoss(thrown)) throw explain(thrown, { kind: "netmon", where });
    }
    if (!isGone) terminal.err("netmon is gone, waiting for it ...\n");
    isGone = true;
    await clock.sleep(pauseMs, signal).catch(() => {});
  }
}

function inWords(run: Run, before: NetworkPicture | undefined, after: NetworkPicture | undefined): string {
  if (!after) return "";
  if (before) {
    const at = moment(after.takenAt);
    return changesOf(before, after)
      .map((change) => `${at}  ${printable(change)}\n`)
      .join("");
  }
  const servers = after.dnsServers.length === 0 ? "none" : after.dnsServers.join(", ");
  return `${tableOfInterfaces(after.interfaces, run.terminal)}name servers: ${printable(servers)}\n`;
}

async function findSocket(run: Run, given: string | undefined): Promise<string> {
  const flags = { "netmon-socket": given === undefined ? undefined : resolve(run.cwd, given) };
  return (await loadCliSettings(flags, run.flags.config, run))["netmon.socket"];
}

/** Closing it lets the process end. */
function connectTo(socket: string) {
  const sessions = localSessions(socket);
  const transport = createGrpcTransport({ baseUrl: "http://localhost", sessionManager: sessions });
  return { client: createClient(NetMon, transport), [Symbol.dispose]: () => sessions.abort() };
}
