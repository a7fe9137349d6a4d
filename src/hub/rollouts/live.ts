import { toBinary } from "@bufbuild/protobuf";
import { ApplyWishesRequestSchema } from "../../../gen/edge/v1/wishes_pb.ts";
import { Changes } from "../../base/changes.ts";
import { Failure } from "../../base/failure.ts";
import type { Commands } from "../commands/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { ended, judge, judgeMissing, type Verdict } from "./judge.ts";
import { type Part, type Plan, plan, type RolloutState, type Step } from "./plan.ts";
import { commandIdOf, commandOf } from "./request.ts";
import { movePart, moveRollout, type RolloutRecord } from "./rows.ts";

/** What drives rollouts. */
export interface Ground {
  store: Store;
  fleet: Pick<Fleet, "has" | "isConnected">;
  commands: Pick<Commands, "put" | "standing" | "cancel">;
  now: () => number;
  /** See `Sight.settled`. */
  settled: () => boolean;
}

/** Nodes that one commit moves, and bytes of commands in it: a large batch must keep nobody else from the disk. */
const perCommit = { parts: 200, bytes: 8 << 20 };

/** A change of one part: the part as it was, and how it ended or that it begins. */
type Move = { part: Part; verdict: Verdict } | { part: Part; begins: true };

/** A move that was made: `refused` by the queue of the node; `told` is to be called after the commit. */
interface Moved {
  part: Part;
  refused: boolean;
  told: () => void;
}

/** A rollout that is under way, in memory as it is on the disk. `advance` is never called while it runs. */
export class Live {
  record: RolloutRecord;
  state: RolloutState = "running";
  /** Told after each commit that changed it. */
  readonly changes = new Changes();
  readonly #ground: Ground;
  readonly #parts: Part[];
  readonly #partsPerCommit: number;
  #reason: string;
  /** Places whose command may have changed since it was looked at. */
  #unseen: Set<number>;
  /** Whether the queue was asked to call off what nobody has. */
  #isRecalled = false;

  constructor(ground: Ground, record: RolloutRecord, { parts, reason }: { parts: Part[]; reason: string }) {
    this.#ground = ground;
    this.record = record;
    this.#parts = parts;
    const sizeBytes = toBinary(ApplyWishesRequestSchema, record.wishes).length;
    this.#partsPerCommit = Math.max(1, Math.min(perCommit.parts, Math.floor(perCommit.bytes / sizeBytes)));
    this.#reason = reason;
    this.#unseen = new Set(parts.filter(({ state }) => state === "running").map(({ place }) => place));
  }

  /** The command of the node at this place may have changed. */
  touch(place: number): void {
    this.#unseen.add(place);
  }

  /**
   * Does all that can be done now, and returns when nothing is left to do before something happens.
   * @throws {Failure} exhausted, unavailable: the disk does not take it. What is on it holds, and the next call goes on.
   */
  async advance(): Promise<void> {
    while (this.state === "running") {
      if (this.record.calledOffBy !== "" && !this.#isRecalled) await this.#recall();
      const moves = await this.#news();
      const next = this.#plan(moves);
      const all = [...moves, ...next.steps.map(toMove)];
      const some = all.slice(0, this.#partsPerCommit);
      const isWhole = some.length === all.length;
      if (all.length === 0 && next.reason === this.#reason && next.state === "running") break;
      await this.#commit(some, isWhole ? next : undefined);
    }
  }

  /** How nodes in work ended, as far as that was not seen yet. */
  async #news(): Promise<Move[]> {
    const moves: Move[] = [];
    for (const place of [...this.#unseen]) {
      const part = this.#parts[place];
      const standing = part?.state === "running" ? await this.#standing(place) : "over";
      if (standing === "pending" || standing === "over") this.#unseen.delete(place);
      else if (part) moves.push({ part, verdict: standing });
      if (moves.length === perCommit.parts) break;
    }
    return moves;
  }

  async #standing(place: number): Promise<Verdict | "pending"> {
    const { commands, fleet } = this.#ground;
    const standing = await commands.standing(commandIdOf(this.record.id, place));
    if (!standing) return judgeMissing({ isMember: fleet.has(this.#parts[place]?.nodeId ?? "") });
    return standing.result ? judge(standing.result) : "pending";
  }

  #plan(moves: readonly Move[]): Plan {
    const { fleet, now, settled } = this.#ground;
    const parts = [...this.#parts];
    for (const move of moves) if ("verdict" in move) parts[move.part.place] = after(move.part, move.verdict);
    return plan(this.record, parts, {
      now: now(),
      settled: settled(),
      has: (id) => fleet.has(id),
      isConnected: (id) => fleet.isConnected(id),
    });
  }

  async #commit(moves: readonly Move[], next: Plan | undefined): Promise<void> {
    const { store, now } = this.#ground;
    const { id } = this.record;
    const about = [`rollout ${id}`, ...moves.map(({ part }) => `node ${part.nodeId}`)];
    // The plan was made in this very turn: a node that is removed from now on is removed after its command is there.
    const done = await store.write(async (tx) => {
      const done: Moved[] = [];
      for (const move of moves) done.push(await this.#move(tx, move));
      // A node that the queue refused when it was to begin changes what comes next.
      const isAsPlanned = done.every(({ refused }) => !refused);
      if (next && isAsPlanned) await moveRollout(tx, id, { ...next, now: now() });
      return { parts: done, next: isAsPlanned ? next : undefined };
    }, about);
    for (const { part, told } of done.parts) {
      this.#parts[part.place] = part;
      if (part.state !== "running") this.#unseen.delete(part.place);
      told();
    }
    this.state = done.next?.state ?? this.state;
    this.#reason = done.next?.reason ?? this.#reason;
    this.changes.notify();
  }

  async #move(tx: Tx, move: Move): Promise<Moved> {
    if ("verdict" in move) return await this.#end(tx, move.part, move.verdict, false);
    const { record } = this;
    const { commands, now } = this.#ground;
    const { place, nodeId } = move.part;
    const command = commandOf(commandIdOf(record.id, place), record.wishes, record);
    const put = await commands.put(tx, nodeId, command, record.timeoutMs);
    if (put instanceof Failure) return await this.#end(tx, move.part, ended("failed", put), true);
    const part: Part = { ...move.part, state: "running", deadlineAt: now() + record.timeoutMs };
    await movePart(tx, record.id, part);
    const told = () => {
      put.told();
      if (!put.isNew) this.touch(place);
    };
    return { part, refused: false, told };
  }

  async #end(tx: Tx, was: Part, verdict: Verdict, refused: boolean): Promise<Moved> {
    const part = after(was, verdict);
    await movePart(tx, this.record.id, part, verdict.outcome);
    return { part, refused, told: () => {} };
  }

  /** Calls off the commands that no node has said to have; their results come as any other. */
  async #recall(): Promise<void> {
    const { commands } = this.#ground;
    const running = this.#parts.filter(({ state }) => state === "running");
    await Promise.all(
      running.map(async ({ place }) => {
        const id = commandIdOf(this.record.id, place);
        const standing = await commands.standing(id);
        if (standing && !standing.accepted && !standing.result) await commands.cancel(id);
      }),
    );
    this.#isRecalled = true;
  }
}

function after(part: Part, { state }: Verdict): Part {
  return { ...part, state };
}

function toMove(step: Step): Move {
  if (step.does === "begin") return { part: step.part, begins: true };
  return { part: step.part, verdict: ended(step.state, step.why) };
}
