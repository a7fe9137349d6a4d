import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Progress, Result } from "../../../gen/edge/v1/command_pb.ts";
import {
  type NodeBeatSchema,
  type NodeFrame,
  NodeFrameSchema,
  type Status,
} from "../../../gen/edge/v1/control_pb.ts";
import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Journal, Kept } from "../journal/index.ts";
import type { Work } from "../work/index.ts";
import { isNews, type Profile } from "./profile.ts";

/** Where the frames of a session come from. */
export interface Sources {
  journal: Journal;
  work: Work;
  clock: Clock;
  /** What is, now. */
  status: () => Status;
  /** The newest sample of the node. */
  sample: () => Sample;
  /** How much the line says of itself; `prompt` when absent. */
  profile?: Profile;
}

/** Entries of the journal that are taken into memory at once. */
const batch = 128;

/** Answers to reads that wait for a hub which asks and does not listen; one more is dropped, and the hub asks again. */
const readLimit = 256;

/**
 * What the node has to say on this session, the most urgent first. Frames are made when the stream takes them and not
 * before: a slow hub costs no memory, and what it reads then is what is true then.
 */
export class Outbox {
  /** Told whenever `next` may have something. */
  readonly wake = new Changes();
  readonly #sources: Sources;
  /** Highest journal sequence that was sent on this session. */
  #sent: number;
  #batch: Kept[] = [];
  #reads: Result[] = [];
  #progress: Progress[] = [];
  #ackIsDue = false;
  #beatIsDue = true;
  #statusIsDue = true;
  #renewal: Uint8Array | undefined;
  /** The last sample that went to this hub. */
  #told: Sample | undefined;
  #isYielding = false;

  /** `reportsThrough` is what the hub has on its disk, by Welcome. */
  constructor(sources: Sources, reportsThrough: number) {
    this.#sources = sources;
    this.#sent = reportsThrough;
  }

  /** Commands were accepted and want to be acknowledged. */
  accepted(): void {
    this.#ackIsDue = true;
    this.wake.notify();
  }

  /** A beat is due. */
  beat(): void {
    this.#beatIsDue = true;
    this.wake.notify();
  }

  /** The status may have changed. */
  status(): void {
    this.#statusIsDue = true;
    this.wake.notify();
  }

  /** Another stream speaks for the node from now on: here, only what was asked here is answered. */
  yield(): void {
    this.#isYielding = true;
  }

  /** Takes up the newest progress of every command; what was not sent of older ones is replaced. */
  progress(): void {
    if (this.#isYielding) return;
    const newest = this.#sources.work.progress.take();
    const ids = new Set(newest.map((one) => one.commandId));
    this.#progress = [...this.#progress.filter((one) => !ids.has(one.commandId)), ...newest];
    this.wake.notify();
  }

  /** The next certificate is asked for. */
  renewal(csrDer: Uint8Array): void {
    this.#renewal = csrDer;
    this.wake.notify();
  }

  /** The result of a read. */
  answer(result: Result): void {
    if (this.#reads.length < readLimit) this.#reads.push(result);
    this.wake.notify();
  }

  /** The next frame, or undefined when there is nothing to say. */
  next(): NodeFrame | undefined {
    const body = this.#nextBody();
    return body && create(NodeFrameSchema, { body });
  }

  #nextBody(): MessageInitShape<typeof NodeFrameSchema>["body"] {
    const { work, status } = this.#sources;
    if (this.#ackIsDue) {
      this.#ackIsDue = false;
      return { case: "commandsAck", value: { throughSequence: BigInt(work.lastSequence) } };
    }
    if (this.#beatIsDue) {
      this.#beatIsDue = false;
      return { case: "beat", value: this.#nextBeat() };
    }
    if (this.#renewal) {
      const csrDer = this.#renewal;
      this.#renewal = undefined;
      return { case: "renewal", value: { csrDer, takesRoots: true } };
    }
    const result = this.#reads.shift();
    if (result) return { case: "report", value: { entry: { case: "result", value: result } } };
    if (this.#isYielding) return undefined;
    if (this.#statusIsDue) {
      this.#statusIsDue = false;
      return { case: "status", value: status() };
    }
    const kept = this.#nextKept();
    if (kept) return { case: "report", value: { sequence: BigInt(kept.sequence), entry: kept.entry } };
    const progress = this.#progress.shift();
    return progress && { case: "progress", value: progress };
  }

  #nextBeat(): MessageInitShape<typeof NodeBeatSchema> {
    const { clock, sample, profile } = this.#sources;
    const now = sample();
    if (!profile?.isSparing) return { sentAt: timestampFromMs(clock.now()), sample: now };
    if (!isNews(now, this.#told)) return {};
    this.#told = now;
    return { sample: now };
  }

  #nextKept(): Kept | undefined {
    if (this.#batch.length === 0) this.#batch = this.#sources.journal.read(this.#sent, batch);
    const kept = this.#batch.shift();
    if (kept) this.#sent = kept.sequence;
    return kept;
  }
}
