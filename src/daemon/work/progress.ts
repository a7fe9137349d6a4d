import { create } from "@bufbuild/protobuf";
import { type Progress, ProgressSchema } from "../../../gen/edge/v1/command_pb.ts";
import { Changes } from "../../base/changes.ts";
import { beginning } from "../../base/evidence.ts";
import { maxReasonBytes } from "../../wire/limits.ts";

/** How far commands are: the newest of each, taken by one reader at its own pace. */
export class ProgressBoard {
  readonly changes = new Changes();
  readonly #newest = new Map<string, Progress>();

  /** Replaces what was told of a command. Sentences that are too long are cut, counts below zero are none. */
  put(commandId: string, phase: string, doneBytes = 0, totalBytes = 0, detail = ""): void {
    const [done, total] = [
      BigInt(Math.max(0, Math.trunc(doneBytes))),
      BigInt(Math.max(0, Math.trunc(totalBytes))),
    ];
    this.#newest.set(
      commandId,
      create(ProgressSchema, {
        commandId,
        phase: beginning(phase, maxReasonBytes),
        doneBytes: done,
        totalBytes: total,
        detail: beginning(detail, maxReasonBytes),
      }),
    );
    this.changes.notify();
  }

  /** A command that has its result makes no progress any more. */
  forget(commandId: string): void {
    this.#newest.delete(commandId);
  }

  /** What changed since the last take. */
  take(): Progress[] {
    const all = [...this.#newest.values()];
    this.#newest.clear();
    return all;
  }
}
