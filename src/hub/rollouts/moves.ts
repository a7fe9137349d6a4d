import { Failure, failure } from "../../base/failure.ts";
import type { Commands } from "../commands/index.ts";
import type { Tx } from "../store/index.ts";
import { ended, type Verdict } from "./judge.ts";
import type { Part, Step } from "./part.ts";
import { backCommandOf, backIdOf, commandIdOf, commandOf } from "./request.ts";
import { movePart, movePartBack, type RolloutRecord, readBefore } from "./rows.ts";

/** A change of one part: the part as it was, and what happens to it. */
export type Move =
  | { does: "begin" | "settled" | "note" | "goBack"; part: Part }
  | { does: "end" | "endBack"; part: Part; verdict: Verdict };

/** How long a node has to become healthy beside the time for which it must be, in milliseconds, when wishes do not say. */
const healthMs = 90_000;

/** What a step of a plan means for a part. */
export function toMove(step: Step): Move {
  if (step.does === "end") {
    return { does: "end", part: step.part, verdict: ended(step.state, step.why, step.part.undo) };
  }
  if (step.does === "endBack") {
    return { does: "endBack", part: step.part, verdict: ended("failed", step.why, step.part.undo) };
  }
  return step;
}

/** The part as it is after a move that the queue does not refuse. */
export function partAfter(move: Move, record: RolloutRecord, now: number): Part {
  const { part } = move;
  switch (move.does) {
    case "begin":
      return { ...part, state: "running", deadlineAt: now + record.timeoutMs, undo: "unknown" };
    case "settled":
      return { ...part, state: "succeeded" };
    case "note":
      return part;
    case "goBack":
      return {
        ...part,
        back: {
          ...{ state: "running", deadlineAt: now + record.timeoutMs },
          commandId: backIdOf(record.id, part.place, record.backTry),
        },
      };
    case "endBack":
      return {
        ...part,
        back: { ...part.back, state: move.verdict.state === "succeeded" ? "done" : "failed" },
      };
    case "end": {
      const { state, undo } = move.verdict;
      const ended = { ...part, undo };
      if (state !== "succeeded" || record.settleMs === 0) return { ...ended, state };
      const waitMs = record.wishes?.probationMs || healthMs;
      return { ...ended, state: "settling", deadlineAt: now + record.settleMs + waitMs };
    }
  }
}

/** Makes moves within one transaction, and gathers what is to be told when it is on the disk. */
export class Mover {
  readonly moved: Part[] = [];
  readonly told: (() => void)[] = [];
  /** Places whose command the queue knew already: it may have its result. */
  readonly known: number[] = [];
  /** Whether something was not done as it was planned. */
  isOtherwise = false;
  readonly #tx: Tx;
  readonly #around: { commands: Pick<Commands, "put">; record: RolloutRecord; now: number };

  constructor(tx: Tx, around: { commands: Pick<Commands, "put">; record: RolloutRecord; now: number }) {
    this.#tx = tx;
    this.#around = around;
  }

  /** Makes one. What the queue of the node refuses ends there. */
  async make(move: Move): Promise<void> {
    const { record, now } = this.#around;
    const refusal = await this.#send(move);
    if (refusal) this.isOtherwise = true;
    const made: Move = refusal
      ? { does: move.does === "begin" ? "end" : "endBack", part: move.part, verdict: refusal }
      : move;
    const part = partAfter(made, record, now);
    this.moved.push(part);
    if (made.does === "goBack") await movePartBack(this.#tx, record.id, part);
    else if (made.does === "endBack") await movePartBack(this.#tx, record.id, part, made.verdict.outcome);
    else await movePart(this.#tx, record.id, part, made.does === "end" ? made.verdict : undefined);
  }

  async #send({ does, part }: Move): Promise<Verdict | undefined> {
    if (does !== "begin" && does !== "goBack") return undefined;
    const { commands, record } = this.#around;
    const command = does === "begin" ? this.#forward(part) : await this.#back(part);
    if (command instanceof Failure) return ended("failed", command, part.undo);
    const put = await commands.put(this.#tx, part.nodeId, command, record.timeoutMs);
    if (put instanceof Failure) return ended("failed", put, part.undo);
    this.told.push(put.told);
    if (!put.isNew) this.known.push(part.place);
    return undefined;
  }

  #forward({ place }: Part) {
    const { record } = this.#around;
    const { id, wishes } = record;
    if (!wishes) return failure("internal", "the wishes of this rollout are gone");
    return commandOf(commandIdOf(id, place), wishes, record);
  }

  async #back({ place }: Part) {
    const { record } = this.#around;
    const { id, backTry, wishes, backBy, actor } = record;
    const before = await readBefore(this.#tx, id, place);
    if (!before)
      return failure("unavailable", "what it had before is no longer kept: apply the files of before");
    const around = { actor: backBy || actor, timeoutMs: record.timeoutMs };
    return backCommandOf(backIdOf(id, place, backTry), before, wishes?.overrideLock ?? false, around);
  }
}
