import type { Command } from "commander";
import { WatchEventsResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { answerLine } from "./answer.ts";
import { isLoss } from "./carry-out.ts";
import { type Door, withDoor } from "./door.ts";
import { eventLine } from "./events-tell.ts";
import { whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { findTarget } from "./target.ts";

/** Between two tries to reach a hub that went away, in milliseconds. */
const pauseMs = 1000;

interface WatchFlags {
  last: number;
  after?: number;
  follow: boolean;
}

/** `orchestrator events ...` */
export function defineEvents(noun: Command, run: Run): void {
  noun
    .command("watch")
    .description("what happens on all nodes, or on the one of --node, until Ctrl-C")
    .option("--last <count>", "begin with the newest this many", whole(0, 10_000), 20)
    .option("--after <position>", "begin after this position instead", whole(1, 999_999_999))
    .option("--follow", "wait for more (the default)", true)
    .option("--no-follow", "end when all that there is has been shown")
    .action((flags: WatchFlags) => withDoor(run, (door) => watch(run, door, flags)));
}

async function watch(run: Run, door: Door, { last, after, follow }: WatchFlags): Promise<void> {
  const { flags, signal, terminal, clock } = run;
  const nodeId = flags.node === undefined ? "" : ((await findTarget(run, door))?.id ?? "");
  let position = BigInt(after ?? 0);
  let begun = false;
  const onHeader = () => {
    begun = true;
  };
  for (;;) {
    try {
      const request = { nodeId, afterPosition: position, last, stopWhenCaughtUp: !follow };
      for await (const update of door.fleet.watchEvents(request, { signal, onHeader })) {
        position = update.position;
        answerLine(run, WatchEventsResponseSchema, update, () =>
          update.event ? eventLine(update.event, update.nodeId) : "",
        );
      }
      if (!follow) return;
    } catch (thrown) {
      if (signal.aborted) return;
      // A hub that never answered is told at once; one that went away is waited for, and nothing is missed.
      if (!begun || !isLoss(thrown)) throw thrown;
      terminal.err("the hub is gone, waiting for it ...\n");
    }
    await clock.sleep(pauseMs, signal).catch(() => {});
    if (signal.aborted) return;
  }
}
