import { toBinary } from "@bufbuild/protobuf";
import { ApplyWishesRequestSchema } from "../../../gen/edge/v1/wishes_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Commands } from "../commands/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Store } from "../store/index.ts";
import { wellbeingOf } from "./gate.ts";
import { judge, judgeMissing, type Verdict } from "./judge.ts";
import { type Move, Mover, partAfter, toMove } from "./moves.ts";
import { isOver, type Part, type Plan } from "./part.ts";
import { plan } from "./plan.ts";
import { commandIdOf } from "./request.ts";
import { claimVersion, moveRollout, type RolloutRecord, selectParts, toPart, toRecord } from "./rows.ts";

/** What drives rollouts. */
export interface Ground {
  store: Store;
  fleet: Pick<Fleet, "has" | "isConnected" | "statusOf">;
  commands: Pick<Commands, "put" | "standing" | "pendingAmong" | "cancel">;
  now: () => number;
  /** See `Sight.settled`. */
  settled: () => boolean;
}

/**
 * Nodes that one commit moves, and bytes of commands in it: a large batch must keep nobody else from the disk. What nodes had is up to
 * half a megabyte each.
 */
const perCommit = { parts: 200, bytes: 8 << 20, backs: 16 };

/** A rollout as the store had it when it was looked at. */
interface Picture {
  record: RolloutRecord;
  parts: Part[];
}

/**
 * A rollout that is under way. What is decided is decided upon a picture of the store, and done only if the store is still at the
 * version of that picture: whoever else moved the rollout meanwhile, nothing is done twice. `advance` is never called while it runs.
 */
export class Live {
  readonly id: string;
  /** Told after each change that was made or seen here. */
  readonly changes = new Changes();
  readonly #ground: Ground;
  /** Places whose command was called off, or is with its node. */
  readonly #recalled = new Set<number>();
  #picture: Picture | undefined;
  /** Places whose command may have changed since it was looked at. */
  #unseen = new Set<number>();

  constructor(ground: Ground, id: string) {
    this.#ground = ground;
    this.id = id;
  }

  /** The command of the node at this place may have changed. */
  touch(place: number): void {
    this.#unseen.add(place);
  }

  /** Any command may have: they are all looked at again. */
  touchAll(): void {
    this.#unseen = new Set(this.#picture?.parts.filter(isAwaited).map(({ place }) => place));
  }

  /**
   * Does all that can be done now, and returns when nothing is left to do before something happens. True when the rollout is over, or
   * gone. @throws {Failure} exhausted, unavailable: the disk does not take it. What is on it holds, and the next call goes on.
   */
  async advance(): Promise<boolean> {
    for (;;) {
      const picture = await this.#look();
      if (!picture || isOver(picture.record.state)) return true;
      const isEnding = picture.record.calledOffBy !== "" || picture.record.backBy !== "";
      if (isEnding) await this.#recall(picture);
      const moves = await this.#news(picture);
      const next = this.#plan(picture, moves);
      const all = [...moves, ...next.steps.map(toMove)];
      const isSame = next.state === picture.record.state && next.reason === picture.record.reason;
      if (all.length === 0 && isSame) return false;
      await this.#commit(picture, all, next);
    }
  }

  /** The rollout as it is now; read anew when somebody has moved it. */
  async #look(): Promise<Picture | undefined> {
    const { store } = this.#ground;
    const [now] = await store.read("SELECT version FROM rollouts WHERE id = $1", this.id);
    if (now && Number(now.version) === this.#picture?.record.version) return this.#picture;
    // The version first: what is read after it is at least as new, and a newer one is seen with the next look.
    const [row] = await store.read("SELECT * FROM rollouts WHERE id = $1", this.id);
    const nodes = await store.read(selectParts, this.id);
    this.#picture = row && {
      record: { ...toRecord(row), version: Number(now?.version) },
      parts: nodes.map(toPart),
    };
    this.touchAll();
    this.changes.notify();
    return this.#picture;
  }

  /** How nodes in work ended, as far as that was not seen yet. */
  async #news({ record, parts }: Picture): Promise<Move[]> {
    const { commands } = this.#ground;
    const looked = [...this.#unseen].flatMap((place) => parts[place] ?? []).filter(isAwaited);
    this.#unseen = new Set();
    const idOf = (part: Part) => awaitedIdOf(record, part);
    const pending = await commands.pendingAmong(looked.map(idOf));
    const moves: Move[] = [];
    for (const part of looked) {
      if (pending.has(idOf(part))) continue;
      const verdict =
        moves.length < perCommit.parts ? await this.#verdict(idOf(part), part.nodeId) : undefined;
      if (!verdict) this.#unseen.add(part.place);
      else
        moves.push(
          part.state === "running" ? { does: "end", part, verdict } : { does: "endBack", part, verdict },
        );
    }
    return moves;
  }

  async #verdict(commandId: string, nodeId: string): Promise<Verdict | undefined> {
    const { commands, fleet } = this.#ground;
    const standing = await commands.standing(commandId);
    return standing ? judge(standing) : judgeMissing({ isMember: fleet.has(nodeId) });
  }

  #plan({ record, parts }: Picture, moves: readonly Move[]): Plan {
    const { fleet, now, settled } = this.#ground;
    const seen = [...parts];
    for (const move of moves) seen[move.part.place] = partAfter(move, record, now());
    return plan(record, seen, {
      now: now(),
      settled: settled(),
      has: (id) => fleet.has(id),
      isConnected: (id) => fleet.isConnected(id),
      wellbeing: (id) => wellbeingOf(record.wishes?.runtimes ?? [], fleet.statusOf(id)),
    });
  }

  /** Makes as many moves as one commit may; with all of them, the rollout is where the plan says. */
  async #commit({ record, parts }: Picture, all: readonly Move[], next: Plan): Promise<void> {
    const { store, commands, now } = this.#ground;
    const some = all.slice(0, limitOf(record, all));
    for (const { part } of all.slice(some.length)) this.touch(part.place);
    const about = [`rollout ${record.id}`, ...new Set(some.map(({ part }) => `node ${part.nodeId}`))];
    const done = await store.write(async (tx) => {
      if (!(await claimVersion(tx, record))) return undefined;
      const mover = new Mover(tx, { commands, record, now: now() });
      for (const move of some) await mover.make(move);
      // A node that the queue refused when it was to begin changes what comes next.
      const isWhole = some.length === all.length && !mover.isOtherwise;
      if (isWhole) await moveRollout(tx, record.id, { ...next, now: now() });
      return { mover, isWhole };
    }, about);
    if (!done) return; // Somebody else has moved it: the next look shows how.
    const { mover, isWhole } = done;
    for (const part of mover.moved) parts[part.place] = part;
    const where = isWhole ? { state: next.state, reason: next.reason } : {};
    this.#picture = { record: { ...record, ...where, version: record.version + 1 }, parts };
    for (const told of mover.told) told();
    for (const place of mover.known) this.touch(place);
    this.changes.notify();
  }

  /** Calls off the commands that no node has said to have; their results come as any other. */
  async #recall({ record, parts }: Picture): Promise<void> {
    const { commands } = this.#ground;
    const running = parts.filter(({ state, place }) => state === "running" && !this.#recalled.has(place));
    await Promise.all(
      running.map(async ({ place }) => {
        const id = commandIdOf(record.id, place);
        const standing = await commands.standing(id);
        if (standing && !standing.accepted && !standing.result) await commands.cancel(id);
        this.#recalled.add(place);
        this.touch(place);
      }),
    );
  }
}

/** Whether a node's answer is awaited. */
function isAwaited({ state, back }: Part): boolean {
  return state === "running" || back?.state === "running";
}

function awaitedIdOf({ id }: RolloutRecord, { state, place, back }: Part): string {
  return state === "running" ? commandIdOf(id, place) : (back?.commandId ?? "");
}

function limitOf({ wishes }: RolloutRecord, moves: readonly Move[]): number {
  if (moves.some(({ does }) => does === "goBack")) return perCommit.backs;
  const sizeBytes = wishes ? toBinary(ApplyWishesRequestSchema, wishes).length : 0;
  return Math.max(1, Math.min(perCommit.parts, Math.floor(perCommit.bytes / Math.max(1, sizeBytes))));
}
