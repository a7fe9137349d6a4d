import { create } from "@bufbuild/protobuf";
import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { type EgressDenied, EgressDeniedSchema } from "../../../gen/edge/v1/events_pb.ts";
import { beginning } from "../../base/evidence.ts";
import type { Recorder } from "../audit/index.ts";
import type { Journal } from "../journal/index.ts";

/** Something that an agent tried in vain. */
export interface Denial {
  cell: string;
  agent: string;
  /** An address, or a name; empty for several that nobody counted apart. */
  destination: string;
  port: number;
  protocol: string;
  /** Why it is not allowed, as a sentence's end: `the agent's network.allow does not hold it`. */
  reason: string;
  count: number;
}

export interface DenialsOptions {
  journal: Pick<Journal, "record">;
  audit: Recorder;
  /** The task that a cell carries out; undefined when it waits for one. */
  taskOf: (cell: string) => string | undefined;
}

/** Destinations of one cell that are told one by one each second: a program that tries all must not fill the journal. */
const mostTold = 16;
/** The destination that stands for the rest. */
const others = "others";

/** What was denied and is not told yet: one event for each destination and second. */
export class Denials {
  readonly #options: DenialsOptions;
  readonly #waiting = new Map<string, Map<string, Denial>>();

  constructor(options: DenialsOptions) {
    this.#options = options;
  }

  add(denial: Denial): void {
    const ofCell = this.#waiting.get(denial.cell) ?? new Map<string, Denial>();
    this.#waiting.set(denial.cell, ofCell);
    const { destination, port, protocol } = denial;
    const key = `${protocol} ${destination} ${port}`;
    const isTold = destination !== "" && (ofCell.has(key) || ofCell.size < mostTold);
    const told = isTold ? denial : { ...denial, destination: others, port: 0, protocol: "" };
    const before = ofCell.get(isTold ? key : others)?.count ?? 0;
    ofCell.set(isTold ? key : others, { ...told, count: before + denial.count });
  }

  /** Writes an event and an incident of the audit for each. @throws {Failure} the disk does not take it: it is kept until it does. */
  tell(): void {
    for (const [cell, ofCell] of this.#waiting) {
      for (const [key, denial] of ofCell) {
        this.#record(denial);
        ofCell.delete(key);
      }
      this.#waiting.delete(cell);
    }
  }

  #record(denial: Denial): void {
    const { journal, audit, taskOf } = this.#options;
    const { cell, agent, port, protocol, reason, count } = denial;
    const destination = beginning(denial.destination, 253);
    const taskId = taskOf(cell) ?? "";
    const value = create(EgressDeniedSchema, {
      ...{ agent, taskId, destination, port, protocol },
      count: BigInt(count),
    });
    const detail = `${taskId === "" ? "" : `${taskId}: `}${deniedInWords(value)}: ${reason}`;
    audit.record({
      kind: AuditKind.INCIDENT,
      ...{ action: "connect", subject: `agent/${agent}`, outcome: "denied", detail },
    });
    journal.record({ case: "egressDenied", value }, { reason });
  }
}

/** `tcp to 203.0.113.20 port 80, 3 times`. */
function deniedInWords({ destination, port, protocol, count }: EgressDenied): string {
  const where = `${protocol === "" ? "" : `${protocol} to `}${destination}${port === 0 ? "" : ` port ${port}`}`;
  return count === 1n ? where : `${where}, ${count} times`;
}
