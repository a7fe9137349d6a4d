import { create } from "@bufbuild/protobuf";
import { type HubFrame, HubFrameSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { FrameCount } from "../../wire/frames.ts";
import { writeAndDrain } from "../../wire/grpc.ts";
import type { NodeStream } from "./door.ts";
import { Outbox } from "./outbox.ts";
import type { Sender } from "./sender.ts";

/** The one writer of a stream. It asks what to say when the stream wants more, so that nothing is piled up in between. */
export class Writer {
  readonly outbox = new Outbox();
  readonly #stream: NodeStream;
  readonly #clock: Clock;
  readonly #said = new FrameCount();
  #sender: Sender | undefined;
  #isClosing = false;
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
      if (this.#isWoken) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #command(): Promise<HubFrame | undefined> {
    const sender = this.#sender;
    const next = await sender?.next();
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
