import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Rollout,
  RolloutBackState,
  RolloutNodeState,
  RolloutState,
  StartRolloutResponseSchema,
  WatchRolloutResponseSchema,
} from "../../gen/edge/v1/rollouts_pb.ts";
import type { ApplyWishesRequestSchema } from "../../gen/edge/v1/wishes_pb.ts";
import { type Failure, type FailureKind, failure } from "../base/failure.ts";
import { newId } from "../base/ids.ts";
import { fromFailureMessage } from "../wire/failures.ts";
import { answer, answerLine } from "./answer.ts";
import { confirmed } from "./confirm.ts";
import type { Door } from "./door.ts";
import { nodesOf } from "./many-nodes.ts";
import { isLoss, patience } from "./patience.ts";
import { type RolloutFlags, usualSettleMs } from "./rollout-flags.ts";
import { describeRollout, inNumbers, newsOf, pictureOf } from "./rollout-tell.ts";
import type { Run } from "./run.ts";

/** To the first cell, and nothing is left of what was there. */
const clearScreen = "\x1b[H\x1b[J";

export interface StartFlags extends RolloutFlags {
  yes: boolean;
  wait: boolean;
}

/**
 * Begins to apply wishes to the nodes that flags mean, after asking whoever is there, and follows it to its end; with `wait`
 * false, only begins. @throws {Failure} as `followRollout`; cancelled: nobody wants it.
 */
export async function startRollout(
  run: Run,
  door: Door,
  wishes: MessageInitShape<typeof ApplyWishesRequestSchema>,
  flags: StartFlags,
): Promise<void> {
  const { signal } = run;
  const nodeIds = (await nodesOf(run, door, flags)).map(({ id }) => id);
  const {
    batch = "",
    nodeTimeout = 0,
    settle = usualSettleMs,
    skipOffline,
    rollBack,
    rolloutId,
    yes,
    wait,
  } = flags;
  const pace = batch === "" ? "all at once" : `${batch} at a time`;
  // A selector or a group that means none is refused by the hub.
  if (nodeIds.length > 0) await confirmed(run, yes, `Apply to ${nodeIds.length} nodes, ${pace}?`);
  const request = {
    id: rolloutId ?? newId("ro"),
    ...{ wishes, batch, skipOffline, rollBack, ...flags.maxFailures },
    ...{ nodeTimeoutMs: BigInt(nodeTimeout), settleMs: BigInt(settle) },
    // The hub chooses by selectors and groups itself, at the moment when it begins.
    ...chosenBy(flags, nodeIds),
  };
  const response = await door.rollouts.startRollout(request, { signal, timeoutMs: 30_000 });
  if (wait) return await followRollout(run, door, request.id);
  answer(
    run,
    StartRolloutResponseSchema,
    response,
    () => `rollout ${request.id} has begun: follow it with \`orchestrator rollout watch ${request.id}\`\n`,
  );
}

function chosenBy({ selector, group }: RolloutFlags, nodeIds: string[]) {
  if (group !== undefined) return { group };
  return selector === undefined ? { nodeIds } : { where: selector };
}

/**
 * Watches a rollout to its end, over interruptions of the hub: on a terminal a table that refreshes, in a log a line for each
 * node that got further. Ctrl-C ends the watching, never the rollout.
 * @throws {Failure} what ended it, when it did not end as `wanted`; cancelled: it was called off, or is not watched any longer.
 */
export async function followRollout(
  run: Run,
  door: Door,
  id: string,
  wanted: RolloutState = RolloutState.SUCCEEDED,
): Promise<void> {
  const { clock, signal, flags, terminal } = run;
  const isPerson = terminal.columns !== undefined && terminal.animated && flags.json !== true;
  let last: Rollout | undefined;
  const { renew, wait } = patience(clock, (sentence) => terminal.err(`${sentence}\n`));
  while (!last?.finishedAt) {
    try {
      for await (const update of door.rollouts.watchRollout({ id }, { signal })) {
        const { rollout } = update;
        if (!rollout) continue;
        renew();
        if (isPerson) terminal.out(`${clearScreen}${pictureOf(rollout, terminal)}`);
        else answerLine(run, WatchRolloutResponseSchema, update, () => newsOf(last, rollout));
        last = rollout;
      }
    } catch (thrown) {
      if (signal.aborted) throw notWatching(id);
      if (!isLoss(thrown)) throw thrown;
    }
    if (last?.finishedAt) break;
    await wait(`the hub is gone; the rollout goes on when it is back: ${howToFollow(id)}`, signal);
    if (signal.aborted) throw notWatching(id);
  }
  if (isPerson) terminal.out(`${clearScreen}${describeRollout(last, terminal)}`);
  else if (flags.json !== true) terminal.out(`rollout ${id}: ${last.reason}; ${inNumbers(last.counts)}\n`);
  if (last.state !== wanted) throw whyOtherwise(last);
}

/** Why a rollout ended otherwise than it was to. */
function whyOtherwise({ id, state, reason, nodes }: Rollout): Failure {
  if (state === RolloutState.CANCELLED) {
    return failure("cancelled", `rollout ${id} did not end by itself: ${reason}`);
  }
  const stuck = nodes.find((node) => node.back?.state === RolloutBackState.FAILED)?.back?.failure;
  const first = nodes.find((node) => node.state === RolloutNodeState.FAILED)?.failure;
  const why = stuck ?? first;
  const kind: FailureKind = why ? fromFailureMessage(why).kind : "internal";
  const became = state === RolloutState.ROLLED_BACK ? "was rolled back" : "failed";
  return failure(kind, `rollout ${id} ${became}: ${reason}; see \`orchestrator rollout get ${id}\``);
}

function notWatching(id: string) {
  const end = `end it with \`orchestrator rollout abort ${id}\``;
  return failure("cancelled", `not watching any longer; the rollout goes on: ${howToFollow(id)}, ${end}`);
}

function howToFollow(id: string): string {
  return `follow it with \`orchestrator rollout watch ${id}\``;
}
