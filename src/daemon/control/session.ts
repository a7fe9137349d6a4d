import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type CommandDelivery,
  CommandDeliverySchema,
  type Hello,
  type HubFrame,
  HubFrameSchema,
  type NodeFrame,
  NodeFrameSchema,
  RejectCode,
  type Welcome,
} from "../../../gen/edge/v1/control_pb.ts";
import { CallerSchema, Door } from "../../../gen/edge/v1/policy_pb.ts";
import type { Changes } from "../../base/changes.ts";
import { Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { aborted, runTasks } from "../../base/tasks.ts";
import { FrameCount } from "../../wire/frames.ts";
import { type FrameEvents, writeAndDrain } from "../../wire/grpc.ts";
import { validate } from "../../wire/validation.ts";
import { heed, mustBeOurs } from "./copies.ts";
import { lostBecause } from "./lost.ts";
import { Outbox, type Sources } from "./outbox.ts";
import type { End } from "./plan.ts";
import { profiles } from "./profile.ts";
import { Succession, type SuccessionOptions } from "./succession.ts";

/** Frames of the hub to be read, frames of the node to be written. */
export interface Stream extends FrameEvents {
  write(frame: NodeFrame): boolean;
  end(): unknown;
}

export interface SessionOptions extends Sources, SuccessionOptions {
  hello: Hello;
  log: Logger;
  statusChanges: Changes;
  /** Called once, when the hub let the node in. */
  onWelcome(welcome: Welcome): void;
  /** The hub has a certificate for this node before its own is due. */
  onRenewalWanted(spreadMs: number): void;
  /** Called at each word of the hub about its time: hub time minus node time in milliseconds. */
  onHubTime(offsetMs: number): void;
}

/** How long the hub may take to say Welcome or Reject, connecting included, in milliseconds. */
const welcomeMs = 20_000;
/** What a session asks for and a hub does not say. */
const defaults = { leaseMs: 15_000, beatIntervalMs: 5_000 };

/**
 * Holds one session on an open stream until it ends, and says how. The signal ends it on purpose: the hub is told Bye.
 * Never rejects.
 */
export async function holdSession(
  stream: Stream,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<End> {
  let end: End | undefined;
  const done = new AbortController();
  const finish = (how: End) => {
    end ??= how;
    done.abort();
  };
  const session = new Session(stream, options, { finish, stop: signal });
  try {
    await runTasks(
      AbortSignal.any([signal, done.signal]),
      (stop) => session.read(stop),
      (stop) => session.watchLease(stop),
      (stop) => session.write(stop),
    );
  } catch (thrown) {
    end ??= { how: "lost", why: lostBecause(thrown) };
  }
  return end ?? { how: "lost", why: failure("cancelled", "the daemon stops") };
}

/** The tasks of a session and what they share. */
class Session {
  readonly #stream: Stream;
  readonly #options: SessionOptions;
  readonly #finish: (end: End) => void;
  /** The daemon's end: the one reason to say Bye. */
  readonly #stop: AbortSignal;
  readonly #welcomed = Promise.withResolvers<Welcome>();
  readonly #succession: Succession;
  readonly #said = new FrameCount();
  readonly #heard = new FrameCount();
  #outbox: Outbox | undefined;
  /** Reads that are being answered. */
  #reading = 0;
  #heardAt: number;
  #leaseMs = defaults.leaseMs;
  #beatIntervalMs = defaults.beatIntervalMs;

  constructor(
    stream: Stream,
    options: SessionOptions,
    { finish, stop }: { finish: (end: End) => void; stop: AbortSignal },
  ) {
    this.#stream = stream;
    this.#options = options;
    this.#finish = finish;
    this.#stop = stop;
    this.#succession = new Succession(options);
    this.#heardAt = options.clock.elapsed();
  }

  /** Takes what the hub says, until it ends the stream. */
  async read(signal: AbortSignal): Promise<void> {
    // Frames come by events: an iterator over the stream would destroy it when we stop, before Bye is out.
    let isBroken = false;
    await new Promise<void>((resolve, reject) => {
      this.#stream.on("data", (frame: HubFrame) => {
        if (signal.aborted || isBroken) return;
        this.#heardAt = this.#options.clock.elapsed();
        try {
          const missing = this.#heard.missing(frame);
          if (missing) throw missing;
          this.#take(frame, signal);
        } catch (thrown) {
          // A command that the disk did not take must not be acknowledged with the next one.
          isBroken = true;
          reject(thrown);
        }
      });
      this.#stream.on("end", () => reject(failure("unavailable", "the hub ended the stream")));
      this.#stream.on("error", reject);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /**
   * Ends the session when the hub does not answer Hello, or when nothing was heard for a whole lease: nobody else would
   * notice a cable that was pulled. A shorter lease counts when the present one is over.
   */
  async watchLease(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const welcomed = await Promise.race([this.#welcomed.promise, clock.sleep(welcomeMs, signal)]);
    if (!welcomed) throw failure("unavailable", `the hub did not answer within ${welcomeMs / 1000} s`);
    for (;;) {
      const silentMs = clock.elapsed() - this.#heardAt;
      if (silentMs >= this.#leaseMs) {
        throw failure("unavailable", `nothing was heard from the hub for ${Math.round(silentMs)} ms`);
      }
      await clock.sleep(this.#leaseMs - silentMs, signal);
    }
  }

  /** Says Hello, then whatever there is to say, at the pace at which the hub takes it. On the signal: Bye. */
  async write(signal: AbortSignal): Promise<void> {
    const hello = create(NodeFrameSchema, { body: { case: "hello", value: this.#options.hello } });
    await this.#say(hello, signal);
    const welcome = await Promise.race([this.#welcomed.promise, aborted(signal)]);
    if (welcome && this.#outbox) await runTasks(signal, ...this.#speakers(this.#outbox, welcome));
    if (!this.#stop.aborted && !this.#succession.isLeaving) return;
    const renewed = "the node goes on with its new certificate";
    const why: unknown = this.#stop.reason;
    const stops = why instanceof Failure ? why.message : "the daemon stops";
    const reason = this.#stop.aborted ? stops : renewed;
    const bye = create(NodeFrameSchema, { body: { case: "bye", value: { reason } } });
    this.#stream.write(this.#said.say(bye));
    this.#stream.end();
  }

  #speakers(outbox: Outbox, { renewsCertificates }: Welcome): ((signal: AbortSignal) => Promise<void>)[] {
    const { journal, work, statusChanges } = this.#options;
    return [
      async (signal) => {
        for await (const _ of outbox.wake.wakes(signal)) {
          for (let frame = outbox.next(); frame; frame = outbox.next()) await this.#say(frame, signal);
          if (this.#succession.isLeaving && this.#reading === 0) this.#finish({ how: "renewed" });
        }
      },
      async (signal) => {
        if (renewsCertificates) await this.#succession.run(outbox, signal);
      },
      async (signal) => {
        for await (const _ of journal.changes.wakes(signal)) outbox.wake.notify();
      },
      (signal) => this.#paced(statusChanges, () => outbox.status(), signal),
      (signal) => this.#paced(work.progress.changes, () => outbox.progress(), signal),
      async (signal) => {
        for (;;) {
          await this.#options.clock.sleep(this.#beatIntervalMs, signal);
          outbox.beat();
        }
      },
    ];
  }

  async #paced(changes: Changes, tell: () => void, signal: AbortSignal): Promise<void> {
    const { clock, profile = profiles.prompt } = this.#options;
    for await (const _ of changes.wakes(signal)) {
      tell();
      await clock.sleep(profile.levelPaceMs, signal);
    }
  }

  #take(frame: HubFrame, signal: AbortSignal): void {
    const { body } = frame;
    // A command that breaks a rule is answered, and a hub that refuses us is heard: only the rest ends the stream.
    if (body.case === "command") {
      validate(CommandDeliverySchema, create(CommandDeliverySchema, { sequence: body.value.sequence }));
    } else if (body.case !== "reject") validate(HubFrameSchema, frame);
    if (body.case === "reject") {
      const isOurs = body.value.code === RejectCode.SUPERSEDED && this.#succession.superseded();
      if (isOurs) return;
      heed(body.value, this.#options.journal);
      this.#finish({ how: "rejected", reject: body.value });
    } else if (body.case === "welcome") this.#welcome(body.value);
    else if (this.#outbox) this.#obey(body, this.#outbox, signal);
    else throw failure("invalid", `the hub's first frame is ${body.case ?? "empty"}, not Welcome or Reject`);
  }

  #obey(body: HubFrame["body"], outbox: Outbox, signal: AbortSignal): void {
    const { journal, work, log } = this.#options;
    switch (body.case) {
      case "command":
        this.#command(body.value, outbox, signal);
        break;
      case "cancel":
        work.cancel(body.value.commandId);
        break;
      case "reportsAck":
        journal.acknowledge(Number(body.value.throughSequence));
        break;
      case "beat":
        if (body.value.serverTime) this.#hubTime(timestampMs(body.value.serverTime));
        break;
      case "pace":
        this.#beatIntervalMs = body.value.beatIntervalMs || this.#beatIntervalMs;
        this.#leaseMs = body.value.leaseMs || this.#leaseMs;
        break;
      case "renewal":
        this.#succession.answered(body.value);
        break;
      case "renewalWanted":
        this.#options.onRenewalWanted(body.value.spreadMs);
        break;
      case "drain":
        this.#finish({ how: "drained", drain: body.value });
        break;
      default:
        log.debug("the hub said something that this version does not know");
    }
  }

  #command({ sequence, command }: CommandDelivery, outbox: Outbox, signal: AbortSignal): void {
    const { work, log } = this.#options;
    if (!command) throw failure("invalid", "the hub delivered a command without content");
    if (sequence > 0n) {
      if (this.#succession.isYielding) return;
      work.accept(Number(sequence), command);
      outbox.accepted();
      return;
    }
    this.#reading++;
    work
      .read(command, create(CallerSchema, { door: Door.HUB, actor: command.actor }), signal)
      .then((result) => outbox.answer(result))
      .catch((error: unknown) => log.error({ command: command.id, error }, "a read could not be answered"))
      .finally(() => {
        this.#reading--;
        outbox.wake.notify();
      });
  }

  #welcome(welcome: Welcome): void {
    if (this.#outbox) throw failure("invalid", "the hub said Welcome twice");
    const { journal, onWelcome } = this.#options;
    this.#leaseMs = welcome.leaseMs || defaults.leaseMs;
    this.#beatIntervalMs = welcome.beatIntervalMs || defaults.beatIntervalMs;
    if (welcome.serverTime) this.#hubTime(timestampMs(welcome.serverTime));
    const through = Number(welcome.reportsThrough);
    mustBeOurs(through, journal);
    journal.acknowledge(through);
    this.#outbox = new Outbox(this.#options, through);
    this.#welcomed.resolve(welcome);
    onWelcome(welcome);
  }

  #hubTime(at: number): void {
    this.#options.onHubTime(at - this.#options.clock.now());
  }

  #say(frame: NodeFrame, signal: AbortSignal): Promise<void> {
    return writeAndDrain(this.#stream, this.#said.say(frame), signal);
  }
}
