import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Sample, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Roster } from "./roster.ts";

/** What a node's beat said, as it travels: its id, when, and its sample in base64, empty when there was none. */
type Told = [id: string, seenAt: number, sample: string];

/** Nodes in one message: some hundred kilobytes. */
const atOnce = 500;

/**
 * Tells the other replicas what nodes here said with their beats, a batch at each look, and hears theirs. Live only: nothing of it is
 * in the store, and what is lost is told anew with the next beat.
 */
export class Heard {
  readonly #replicas: Replicas;
  readonly #roster: Roster;
  #untold = new Set<string>();

  constructor(replicas: Replicas, roster: Roster) {
    this.#replicas = replicas;
    this.#roster = roster;
    if (replicas.isAlone) return;
    replicas.onLook(async () => this.#tell());
    replicas.bus.subscribe("heard", ({ data }) => this.#take(data));
  }

  /** A node was heard here. */
  note(id: string): void {
    if (!this.#replicas.isAlone) this.#untold.add(id);
  }

  #tell(): void {
    const ids = [...this.#untold];
    this.#untold = new Set();
    for (let at = 0; at < ids.length; at += atOnce) {
      const told = ids.slice(at, at + atOnce).flatMap((id): Told[] => {
        const { isHeld, seenAt, sample } = this.#roster.records.get(id) ?? {};
        return isHeld && seenAt !== undefined ? [[id, seenAt, packed(sample)]] : [];
      });
      this.#replicas.bus.publish("heard", new TextEncoder().encode(JSON.stringify(told)));
    }
  }

  #take(data: Uint8Array): void {
    for (const [id, seenAt, sample] of JSON.parse(new TextDecoder().decode(data)) as Told[]) {
      const record = this.#roster.records.get(id);
      if (!record || record.isHeld || !record.connected) continue;
      record.seenAt = Math.max(record.seenAt, seenAt);
      if (sample === "") continue;
      record.sample = fromBinary(SampleSchema, Buffer.from(sample, "base64"));
      this.#roster.feed.touch(id);
    }
  }
}

function packed(sample: Sample | undefined): string {
  return sample ? Buffer.from(toBinary(SampleSchema, sample)).toString("base64") : "";
}
