import type { Command } from "commander";
import {
  type NetworkPicture,
  WatchAttachmentsResponseSchema,
  WatchNetworkResponseSchema,
} from "../../gen/edge/v1/netmon_pb.ts";
import { pictureAfter } from "../wire/network-picture.ts";
import { answerLine, moment } from "./answer.ts";
import { attachmentEventLine, tableOfAttachments } from "./attachments-tell.ts";
import { findNetmon, watchNetmon } from "./netmon.ts";
import { changesOf, tableOfInterfaces } from "./network-tell.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";

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

  noun
    .command("attachments")
    .description("what netmon keeps attached: the vNICs of this machine's runtimes")
    .option("--netmon-socket <path>", "netmon's socket")
    .option("--follow", "then what happens to them, until Ctrl-C", false)
    .action((flags: WatchFlags) => attachments(run, flags));
}

async function watch(run: Run, { netmonSocket, follow }: WatchFlags): Promise<void> {
  const { signal } = run;
  let picture: NetworkPicture | undefined;
  await watchNetmon(
    run,
    await findNetmon(run, netmonSocket),
    (client) => {
      const known = picture && { knownRunId: picture.runId, knownGeneration: picture.generation };
      return client.watchNetwork(known ?? {}, { signal });
    },
    (told) => {
      const before = picture;
      picture = pictureAfter(before, told);
      answerLine(run, WatchNetworkResponseSchema, told, () => inWords(run, before, picture));
      return !follow;
    },
  );
}

async function attachments(run: Run, { netmonSocket, follow }: WatchFlags): Promise<void> {
  const { signal, terminal, clock } = run;
  let after: { afterSequence?: bigint } = {};
  let isFirst = true;
  await watchNetmon(
    run,
    await findNetmon(run, netmonSocket),
    (client) => client.watchAttachments(after, { signal }),
    (told) => {
      answerLine(run, WatchAttachmentsResponseSchema, told, () => {
        const events = told.events.map(attachmentEventLine).join("");
        return isFirst ? tableOfAttachments(told.attachments, terminal, clock.now()) + events : events;
      });
      isFirst = false;
      after = { afterSequence: told.lastSequence };
      return !follow;
    },
  );
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
