import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import {
  type Drain,
  type Hello,
  type NodeBeat,
  type NodeFrame,
  NodeFrameSchema,
  type Reject,
  type Renewal,
  type RenewalAnswer,
  type Report,
  type Welcome,
} from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { FrameCount } from "../../wire/frames.ts";
import { maxFrameBytes } from "../../wire/limits.ts";
import { violationsOf } from "../../wire/validation.ts";
import type { Deliveries } from "../commands/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Intake } from "../reports/index.ts";
import { superseded } from "./admission.ts";
import type { Incoming, NodeStream, Visitor } from "./door.ts";
import { lineFacts } from "./facts.ts";
import { Pulse } from "./pulse.ts";
import { Reads } from "./reads.ts";
import { Receiver } from "./receiver.ts";
import { Renewing } from "./renewing.ts";
import { Sender } from "./sender.ts";
import { Writer } from "./writer.ts";

/** How long a stream may be open and say nothing, in milliseconds. */
const greetingMs = 15_000;

/** How long the other side may take to leave when its last frame was said, in milliseconds. */
const leaveMs = 1_000;

/** How long a stream that has given way may take to answer what it was asked, in milliseconds. */
const yieldMs = 60_000;

/**
 * Where a stream is. `admitted`: its hello came and the fence is on its way to the disk. `closing`: its last frame was
 * said. Only what comes while it is `open` changes anything.
 */
type State = "greeting" | "admitted" | "open" | "closing" | "ended";

export interface SessionOptions {
  stream: NodeStream;
  visitor: Visitor;
  fleet: Fleet;
  deliveries: Deliveries;
  clock: Clock;
  log: Logger;
  /** The first frame came. */
  onFirst: (session: Session, frame: NodeFrame) => void;
  /** The answer to a node that asks for its next certificate; undefined from a hub that issues none. */
  onRenewal: (session: Session, asked: Renewal) => Promise<RenewalAnswer> | undefined;
  onEnd: (session: Session) => void;
}

/** One stream of one node, from its first frame to its end. */
export class Session {
  readonly visitor: Visitor;
  /** The node's stream before this one, as long as it is asked in the place of this one. */
  former: Session | undefined;
  readonly #options: SessionOptions;
  readonly renewing: Renewing;
  readonly #writer: Writer;
  readonly #reads = new Reads();
  readonly #heard = new FrameCount();
  readonly #abort = new AbortController();
  #state: State = "greeting";
  #sender: Sender | undefined;
  #receiver: Receiver | undefined;
  #yieldedAt = Number.POSITIVE_INFINITY;
  readonly #pulse: Pulse;
  #closingAt = 0;

  constructor(options: SessionOptions) {
    const { stream, visitor, clock } = options;
    this.visitor = visitor;
    this.#options = options;
    this.#pulse = new Pulse(clock.elapsed(), greetingMs);
    lineFacts.tell({ stream: "arrived" });
    this.#writer = new Writer(stream, clock);
    const answer = (asked: Renewal) => options.onRenewal(this, asked);
    this.renewing = new Renewing({ clock, writer: this.#writer, answer });
    stream.on("data", (incoming: Incoming) => this.#onFrame(incoming));
    // Without a listener for errors, a node that breaks its stream would end the hub.
    stream.on("error", (error: Error) => this.#end("the stream broke", error));
    stream.on("cancelled", () => this.#end("the node left"));
    stream.on("end", () => {
      stream.end();
      this.#end("the node left");
    });
    this.#writer.run(this.#abort.signal).catch((error: unknown) => {
      this.#end("the stream cannot be written", error);
    });
  }

  /** The node, as its certificate says. */
  get nodeId(): string {
    return this.visitor.nodeId;
  }

  /** Whether frames are taken and commands sent. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether it has ended, or is about to: it is served no more. */
  get isOver(): boolean {
    return this.#state === "closing" || this.#state === "ended";
  }

  /** The first frame came: nothing more is read until `open`. */
  admit(): void {
    this.#state = "admitted";
    this.#options.stream.pause();
  }

  /**
   * Says welcome, and begins to take reports and to send commands after the node's last one. False when the stream ended or was
   * refused meanwhile.
   */
  open(welcome: Welcome, intake: Intake, hello: Hello): boolean {
    if (this.#state !== "admitted") return false;
    const { clock, deliveries, log, stream } = this.#options;
    this.#state = "open";
    lineFacts.tell({ stream: "welcomed" });
    this.renewing.begin(hello.trustedRoots);
    this.#pulse.begin(clock.elapsed(), welcome, hello.idleIntervalMs);
    const lastCommand = Number(hello.lastCommandSequence);
    const wake = () => this.#writer.wake();
    const onStored = (through: number) => {
      this.#writer.outbox.stored(through);
      wake();
    };
    const onFailure = (thrown: unknown) => this.fail(thrown);
    this.#receiver = new Receiver({ stream, intake, onStored, onFailure });
    this.#sender = new Sender({ nodeId: this.nodeId, deliveries, log, lastCommand, wake });
    this.#writer.outbox.answer({ case: "welcome", value: welcome });
    this.#writer.serve(this.#sender);
    stream.resume();
    wake();
    return true;
  }

  /** Refuses or supersedes the stream, as its last frame. */
  reject(reason: Reject): void {
    if (!this.#close()) return;
    lineFacts.tell({ stream: "rejected", code: reason.code });
    this.#writer.outbox.answer({ case: "reject", value: reason });
    this.#writer.close();
  }

  /** Answers a node whose first frame asked for its next certificate, as the last frame. */
  conclude(answer: RenewalAnswer): void {
    if (!this.#close()) return;
    this.#writer.outbox.renewal(answer);
    this.#writer.close();
  }

  /**
   * The node's next stream has come while it keeps this one: no command goes out here any more, and of what comes only answers are
   * taken. The node ends it.
   */
  yield(): void {
    if (!this.isOpen) return;
    this.#yieldedAt = this.#options.clock.elapsed();
    this.#receiver = undefined;
    this.#sender?.stop();
    this.#writer.yield();
  }

  /** The next stream is up: nothing more is asked here. */
  yielded(): void {
    this.#writer.outbox.superseded(superseded());
    this.#writer.wake();
  }

  /** Asks the node to close the stream and come back later. */
  drain(drain: Drain): void {
    this.#writer.outbox.drain(drain);
    this.#writer.wake();
  }

  /** Ends the stream with a failure as its status. */
  fail(thrown: unknown): void {
    if (this.#state !== "ended") this.#options.stream.emit("error", thrown);
  }

  /** Destroys the connection, without waiting for the other side to agree. */
  cut(why: string): void {
    this.visitor.socket.destroy();
    this.#end(why);
  }

  /** Asks the node something that changes nothing. Fails as `Line.read` does. */
  read(command: Command, signal: AbortSignal): Promise<Result> {
    const answer = this.#reads.answerTo(command, this.#options.clock.elapsed(), signal);
    this.#writer.outbox.read(command);
    this.#writer.wake();
    return answer;
  }

  /** What time alone brings: a beat, another pace, reads that are late. Says whether the lease is over. */
  tick(now: number, usualBeatMs: number): "alive" | "lost" {
    if (this.#pulse.isOver(now)) return "lost";
    if (this.#state === "closing" && now - this.#closingAt > leaveMs) return "lost";
    if (this.#state !== "open") return "alive";
    if (now - this.#yieldedAt > yieldMs) return "lost";
    this.#reads.expire(now);
    this.#sender?.retry();
    const { pace, beat } = this.#pulse.due(now, usualBeatMs);
    if (pace) this.#writer.outbox.pace(pace);
    if (beat) this.#writer.outbox.beat();
    if (pace || beat) this.#writer.wake();
    return "alive";
  }

  #onFrame({ frame, sizeBytes }: Incoming): void {
    if (this.#state !== "greeting" && this.#state !== "open") return;
    this.#pulse.heard(this.#options.clock.elapsed());
    const missing = this.#heard.missing(frame);
    if (missing) this.fail(missing);
    else if (sizeBytes > maxFrameBytes) {
      this.fail(
        failure("exhausted", `a frame of ${sizeBytes} bytes came; at most ${maxFrameBytes} are allowed`),
      );
    } else if (this.#state === "greeting") this.#options.onFirst(this, frame);
    else {
      // What a node says is kept, logged and shown to operators of the whole fleet: nothing in it may be out of bounds.
      const violations = violationsOf(NodeFrameSchema, frame);
      if (violations.length > 0) this.fail(invalidFields(violations));
      else this.#take(frame.body);
    }
  }

  #take(body: NodeFrame["body"]): void {
    const { fleet, deliveries, log } = this.#options;
    const { nodeId } = this;
    if (body.case === "beat") this.#beat(body.value);
    else if (body.case === "status") fleet.presence.said(nodeId, body.value);
    else if (body.case === "progress") deliveries.progressed(nodeId, body.value);
    else if (body.case === "commandsAck") this.#sender?.acknowledged(Number(body.value.throughSequence));
    else if (body.case === "report") this.#report(body.value);
    else if (body.case === "renewal") this.renewing.asked(body.value);
    else if (body.case === "bye") log.info({ node: nodeId, reason: body.value.reason }, "node says goodbye");
    else if (body.case === "hello") {
      this.fail(failure("invalid", "a second hello came: it is the first frame of a stream, and only that"));
    }
    // Anything else is a frame of a newer node, and is ignored: see "Growing" in docs/protocol.md.
  }

  #beat({ sample }: NodeBeat): void {
    const { fleet, clock } = this.#options;
    fleet.presence.heard(this.nodeId, sample);
    if (!this.#pulse.isAnswered(clock.elapsed())) return;
    this.#writer.outbox.beat();
    this.#writer.wake();
  }

  #report(report: Report): void {
    if (report.sequence > 0n) this.#receiver?.take(report);
    else if (report.entry.case === "result") this.#reads.answer(report.entry.value);
  }

  /** Serves nothing from now on. False when that was so already. */
  #close(): boolean {
    if (this.#state === "ended" || this.#state === "closing") return false;
    this.#state = "closing";
    this.#closingAt = this.#options.clock.elapsed();
    this.#stopServing();
    return true;
  }

  #stopServing(): void {
    this.#sender?.stop();
    this.#reads.fail(failure("unavailable", `node ${this.nodeId} left: try again when it is connected`));
  }

  #end(why: string, error?: unknown): void {
    if (this.#state === "ended") return;
    const wasOpen = this.#state === "open";
    this.#state = "ended";
    this.#stopServing();
    this.#abort.abort(failure("unavailable", why, { cause: error }));
    if (wasOpen) lineFacts.tell({ stream: "lost" });
    if (wasOpen) this.#options.log.info({ node: this.nodeId, why, error }, "line is down");
    this.#options.onEnd(this);
  }
}
