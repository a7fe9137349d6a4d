import type { Command } from "commander";
import { ListEventsResponseSchema } from "../../gen/edge/v1/events_pb.ts";
import { WatchEventsResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { failure } from "../base/failure.ts";
import { answer, answerLine } from "./answer.ts";
import { type Door, withDoor } from "./door.ts";
import { eventLine } from "./events-tell.ts";
import { whole } from "./flags.ts";
import { isLoss } from "./patience.ts";
import type { Run } from "./run.ts";
import { findTarget, type Target, withNode } from "./target.ts";

/** Between two tries to reach a hub that went away, in milliseconds. */
const pauseMs = 1000;

interface WatchFlags {
  last: number;
  after?: number;
  follow: boolean;
}

interface ListFlags {
  last: number;
  after?: number;
  runtime?: string;
  agent?: string;
}

/** As many digits as anybody types. */
const maxSequence = 999_999_999;

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

  noun
    .command("list")
    .description("what the journal of one node holds, asked at the node itself")
    .option("--last <count>", "the newest this many", whole(1, 1_000), 20)
    .option(
      "--after <sequence>",
      "the first this many after this place in the journal",
      whole(1, maxSequence),
    )
    .option("--runtime <runtime>", "only what happened to this runtime, its vNICs and devices")
    .option("--agent <agent>", "only what happened to this agent, its tasks, sandboxes and sessions")
    .action((flags: ListFlags) => withNode(run, (door, target) => list(run, door, target, flags)));
}

async function list(
  run: Run,
  door: Door,
  target: Target,
  { last, after, runtime = "", agent = "" }: ListFlags,
): Promise<void> {
  const request = { afterSequence: BigInt(after ?? 0), limit: last, runtime, agent };
  const response = await door.ask("listEvents", request, { nodeId: target?.id });
  answer(run, ListEventsResponseSchema, response, () =>
    response.events.length === 0
      ? "nothing that its journal still holds\n"
      : response.events.map(({ event }) => (event ? eventLine(event) : "")).join(""),
  );
}

async function watch(run: Run, door: Door, { last, after, follow }: WatchFlags): Promise<void> {
  const { flags, signal, terminal, clock } = run;
  if (door.kind === "local") {
    throw failure(
      "unsupported",
      "only the hub tells events as they come: use `orchestrator events list --local`",
    );
  }
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
          update.event ? eventLine(update.event, { where: update.nodeId }) : "",
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
