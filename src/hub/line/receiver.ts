import type { Report } from "../../../gen/edge/v1/control_pb.ts";
import type { Intake } from "../reports/index.ts";
import type { NodeStream } from "./door.ts";

/** Reports on their way to the disk; with more, the stream is not read, and the node's flow control waits. */
const limit = 256;

export interface ReceiverOptions {
  stream: NodeStream;
  intake: Intake;
  /** Reports up to here are on the disk. */
  onStored: (through: number) => void;
  onFailure: (thrown: unknown) => void;
}

/** Brings the reports of one stream to the disk. */
export class Receiver {
  readonly #options: ReceiverOptions;
  #taking = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  take(report: Report): void {
    const { stream, intake, onStored, onFailure } = this.#options;
    if (++this.#taking >= limit) stream.pause();
    intake.take(report).then(() => {
      if (--this.#taking < limit && stream.isPaused()) stream.resume();
      onStored(Math.max(Number(report.sequence), intake.through));
    }, onFailure);
  }
}
