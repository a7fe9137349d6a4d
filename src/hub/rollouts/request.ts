import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type StartRolloutRequest, StartRolloutRequestSchema } from "../../../gen/edge/v1/rollouts_pb.ts";
import {
  type ApplyWishesRequest,
  ApplyWishesRequestSchema,
  type WishesBefore,
} from "../../../gen/edge/v1/wishes_pb.ts";
import { maxBudgetMs } from "../../wire/limits.ts";
import type { Course } from "./part.ts";

const defaultTimeoutMs = 3_600_000;

/** What was asked, with what was left out filled in. */
export function courseOf(request: StartRolloutRequest, size: number): Course {
  const { batch, maxFailures, maxFailuresPercent, nodeTimeoutMs, skipOffline, settleMs, rollBack } = request;
  return {
    batch: batchOf(batch, size),
    maxFailures: Math.max(maxFailures, Math.floor((size * maxFailuresPercent) / 100)),
    timeoutMs: Number(nodeTimeoutMs) || defaultTimeoutMs,
    skipOffline,
    settleMs: Number(settleMs),
    rollBack,
    calledOffBy: "",
    pausedBy: "",
    backBy: "",
  };
}

/** How many of `size` nodes a batch is: `5`, `10%` rounded up, or all when it is empty. */
export function batchOf(text: string, size: number): number {
  if (text === "") return size;
  if (!text.endsWith("%")) return Number(text);
  return Math.ceil((size * Number(text.slice(0, -1))) / 100);
}

/** Equal for equal requests. */
export function hashOf(request: StartRolloutRequest): Uint8Array {
  return createHash("sha256").update(toBinary(StartRolloutRequestSchema, request)).digest();
}

/** The id of the command of the node at a place. One node of one rollout has one, whatever happens to the hub. */
export function commandIdOf(rolloutId: string, place: number): string {
  return `${rolloutId}-${place + 1}`;
}

/** How often nodes can be tried to be brought back: each time has a letter. */
export const backTries = 25;

/** The id of the command that brings the node at a place back: `b` behind the other, `c` when it is tried again. */
export function backIdOf(rolloutId: string, place: number, backTry: number): string {
  return `${commandIdOf(rolloutId, place)}${String.fromCharCode("b".charCodeAt(0) + backTry)}`;
}

/** The rollout and the place that a command id says, whether or not there is such a rollout. */
export function partOf(commandId: string): { rolloutId: string; place: number } {
  const [, rolloutId = "", number = "0"] = /^(.*)-(\d+)[b-z]?$/.exec(commandId) ?? [];
  return { rolloutId, place: Number(number) - 1 };
}

interface Around {
  actor: string;
  timeoutMs: number;
}

/** The command that a node gets. */
export function commandOf(id: string, wishes: ApplyWishesRequest, around: Around): Command {
  return applying(id, { ...wishes, keepBefore: true }, around);
}

/** The command that brings a node back to what it had, whether or not somebody has locked it where the rollout did not mind. */
export function backCommandOf(
  id: string,
  before: WishesBefore,
  overrideLock: boolean,
  around: Around,
): Command {
  const { runtimes, agents, absentRuntimes, absentAgents } = before;
  const wishes = create(ApplyWishesRequestSchema, { overrideLock, absentRuntimes, absentAgents });
  return applying(id, { ...wishes, runtimes, agents }, around);
}

function applying(id: string, value: ApplyWishesRequest, { actor, timeoutMs }: Around): Command {
  const budgetMs = Math.min(timeoutMs, maxBudgetMs);
  return create(CommandSchema, { id, actor, budgetMs, request: { case: "applyWishes", value } });
}
