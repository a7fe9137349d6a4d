import { type Failure, failure } from "../base/failure.ts";

/** Frames of one direction of a stream, from the first on: see `number` in NodeFrame and HubFrame. */
export class FrameCount {
  #last = 0;

  /** Numbers a frame that is about to be said. */
  say<Frame extends { number: number }>(frame: Frame): Frame {
    frame.number = ++this.#last;
    return frame;
  }

  /** Why a stream must end that brought this frame; undefined when it is the next one, or its sender does not count. */
  missing({ number }: { number: number }): Failure | undefined {
    const due = this.#last + 1;
    if (number === due) this.#last = due;
    if (number === due || number === 0) return undefined;
    return failure(
      "unavailable",
      `frame ${number} came where frame ${due} was due: something on the way loses frames, doubles them or changes their order`,
    );
  }
}
