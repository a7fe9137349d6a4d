import { create } from "@bufbuild/protobuf";
import { type HubFrame, HubFrameSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { FrameCount } from "../../wire/frames.ts";
import { writeAndDrain } from "../../wire/grpc.ts";
import type { NodeStream } from "./door.ts";
import { Outbox } from "./outbox.ts";
import type { Next, Sender } from "./sender.ts";

/** The one writer of a stream. It asks what to say when the stream wants more, so that nothing is piled up in between. */
export class Writer {
  readonly outbox = new Outbox();
  readonly #stream: NodeStream;
  readonly #clock: Clock;
  readonly #said = new FrameCount();
  #sender: Sender | undefined;
  #isClosing = false;
  /** What the sender was asked for and has not said: that may take as long as its store does, and beats do not wait for it. */
  #asked: Promise<Next> | undefined;
  #mustAskAgain = false;
  #isWoken = false;
  #wake: (() => void) | undefined;

  constructor(stream: NodeStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** From now on, commands are sent too. */
  serve(sender: Sender): void {
    this.#sender = sender;
  }

  /** No command is sent any more. */
  yield(): void {
    this.#sender = undefined;
  }

  /** Says what is in the outbox, then ends the stream. */
  close(): void {
    this.#isClosing = true;
    this.#sender = undefined;
    this.wake();
  }

  /** There may be something to say. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Writes until the stream is closed. Rejects with the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#isWoken = false;
      const frame = this.outbox.next(this.#clock.now()) ?? (await this.#command());
      if (frame) {
        await writeAndDrain(this.#stream, this.#said.say(frame), signal);
        continue;
      }
      if (this.#isClosing) {
        this.#stream.end();
        return;
      }
      await this.#woken();
    }
  }

  async #woken(): Promise<"woken"> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return "woken";
  }

  /** The sender's next frame; undefined when it has none, or is still looking for it and there may be something else to say. */
  async #command(): Promise<HubFrame | undefined> {
    const sender = this.#sender;
    if (!sender) return undefined;
    this.#asked ??= sender.next();
    const next = await Promise.race([this.#asked, this.#woken()]);
    if (next === "woken") {
      this.#mustAskAgain = true; // That it was woken may have been for the sender.
      return undefined;
    }
    this.#asked = undefined;
    this.#isWoken ||= this.#mustAskAgain;
    this.#mustAskAgain = false;
    if (!next || sender !== this.#sender) return undefined;
    if ("cancel" in next) {
      return create(HubFrameSchema, { body: { case: "cancel", value: { commandId: next.cancel } } });
    }
    const { sequence, command } = next.deliver;
    return create(HubFrameSchema, {
      body: { case: "command", value: { sequence: BigInt(sequence), command } },
    });
  }
}
