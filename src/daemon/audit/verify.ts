import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type AuditCheckpoint,
  type AuditEntry,
  AuditEntrySchema,
  type AuditFault,
  AuditFaultSchema,
  AuditKind,
} from "../../../gen/edge/v1/audit_pb.ts";
import { beginning, hashOf } from "./chain.ts";
import { isSignedWith } from "./checkpoint.ts";

/** Something that must hold: the entry at this place has this hash. */
interface Promised {
  hash: Uint8Array;
  /** How it is known, for people. */
  by: string;
}

/** A row as it stands in the table. */
export interface Standing {
  place: number;
  bytes: Uint8Array;
}

/**
 * Looks at the chain, one row after the other and then at its end, and says what is wrong with it. What follows a fault is
 * judged by what stands there, so that one change is not told of everything behind it.
 */
export class Verification {
  readonly faults: AuditFault[] = [];
  entries = 0;
  #last: AuditEntry | undefined;
  #place = 0;
  readonly #promised = new Map<number, Promised[]>();
  readonly #kept: ReadonlySet<number>;

  /** @param kept places of which a checkpoint is kept beside the trail. */
  constructor(kept: ReadonlySet<number>) {
    this.#kept = kept;
  }

  /** A checkpoint that the chain must hold. `from` is where it is kept. */
  expect(checkpoint: AuditCheckpoint, spki: Uint8Array | undefined, from: string): void {
    const place = Number(checkpoint.sequence);
    if (spki === undefined) {
      const key = checkpoint.keySha256.slice(0, 16);
      this.#say(
        place,
        `its checkpoint ${from} was signed with a key that this node does not know (${key}...)`,
      );
    } else if (!isSignedWith(checkpoint, spki)) {
      this.#say(place, `its checkpoint ${from} does not have the signature of its key: it was changed`);
    } else {
      const by = `as its checkpoint ${from} says`;
      this.#promised.set(place, [...(this.#promised.get(place) ?? []), { hash: checkpoint.hash, by }]);
    }
  }

  /** A checkpoint that cannot be read. */
  unreadable(place: number): void {
    this.#say(place, "its checkpoint on this node cannot be read: it was changed");
  }

  /** The next row of the table. */
  look({ place, bytes }: Standing): void {
    this.entries++;
    if (place !== this.#place + 1) this.#say(place, missing(this.#place + 1, place - 1));
    const entry = readable(bytes);
    if (!entry) {
      this.#say(place, "it cannot be read: it was changed");
    } else {
      const follows = this.#last ? this.#last.hash : beginning;
      const isNext = place === this.#place + 1 && (this.#last !== undefined || place === 1);
      if (Number(entry.sequence) !== place) {
        this.#say(place, `it was put elsewhere: it says that it is entry ${entry.sequence}`);
      } else if (!same(hashOf(entry), entry.hash) || !same(toBinary(AuditEntrySchema, entry), bytes)) {
        this.#say(place, "it was changed: its hash is that of another entry");
      } else if (isNext && !same(entry.previousHash, follows)) {
        this.#say(place, "it does not follow the entry before it: one of the two was replaced");
      }
      for (const { hash, by } of this.#promised.get(place) ?? []) {
        if (!same(entry.hash, hash))
          this.#say(place, `it is not the entry that was signed, ${by}: it was replaced`);
      }
      this.#checkCheckpoint(entry, place);
    }
    this.#promised.delete(place);
    [this.#place, this.#last] = [place, entry];
  }

  /** The table has no more rows. */
  end(): void {
    const beyond = [...this.#promised.keys()].filter((place) => place > this.#place);
    const farthest = Math.max(...beyond);
    if (beyond.length > 0)
      this.#say(farthest, `${missing(this.#place + 1, farthest)}: the trail was cut off`);
  }

  /** Each entry that tells of a checkpoint has it: one that was taken away cannot contradict the chain. */
  #checkCheckpoint({ kind, subject }: AuditEntry, place: number): void {
    const signed = kind === AuditKind.CHECKPOINT ? Number(subject.replace(/^audit\//, "")) : undefined;
    if (signed === undefined || this.#kept.has(signed)) return;
    this.#say(place, `the checkpoint of entry ${signed} that it tells of was removed`);
  }

  #say(place: number, problem: string): void {
    this.faults.push(create(AuditFaultSchema, { sequence: BigInt(place), problem }));
  }
}

function missing(from: number, to: number): string {
  return from === to ? `entry ${from} was removed` : `entries ${from} to ${to} were removed`;
}

function readable(bytes: Uint8Array): AuditEntry | undefined {
  try {
    return fromBinary(AuditEntrySchema, bytes);
  } catch {
    return undefined;
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
