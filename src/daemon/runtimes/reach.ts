import { create } from "@bufbuild/protobuf";
import { EngineChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { beginning } from "../../base/evidence.ts";
import type { Failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { maxReasonBytes } from "../../wire/limits.ts";
import type { Journal } from "../journal/index.ts";

/** Whether the engine answers, as far as was seen. */
export type Engineness = { at: "unknown" } | { at: "there" } | { at: "away"; problem: Failure };

/** Keeps whether the engine answers, and records when it is lost and when it comes back. */
export class Reach {
  readonly #journal: Journal;
  readonly #log: Logger;
  #engine: Engineness = { at: "unknown" };

  constructor({ journal, log }: { journal: Journal; log: Logger }) {
    this.#journal = journal;
    this.#log = log;
  }

  get engine(): Engineness {
    return this.#engine;
  }

  lost(problem: Failure): void {
    const { at } = this.#engine;
    this.#engine = { at: "away", problem };
    if (at !== "away") this.#tell(false, problem.message);
  }

  reached(): void {
    const { at } = this.#engine;
    this.#engine = { at: "there" };
    if (at === "away") this.#tell(true, "the engine answers again");
  }

  #tell(reachable: boolean, detail: string): void {
    this.#log.warn({ reachable, detail }, "the engine was lost or came back");
    const value = create(EngineChangeSchema, { reachable, detail: beginning(detail, maxReasonBytes) });
    try {
      this.#journal.record({ case: "engine", value }, { reason: detail });
    } catch (error) {
      // A disk that does not take a fact is no reason to let go of the runtimes.
      this.#log.error({ error }, "a fact about the engine cannot be written");
    }
  }
}
