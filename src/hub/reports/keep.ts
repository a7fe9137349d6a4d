import type { Report } from "../../../gen/edge/v1/control_pb.ts";
import type { Deliveries } from "../commands/index.ts";
import type { Tx } from "../store/index.ts";
import { type Cursor, cursorsOf, moveCursors } from "./cursors.ts";
import { keepEvents, type NewEvent } from "./events.ts";

/** A report on its way to the disk. */
export interface Taken {
  nodeId: string;
  journalId: string;
  sequence: number;
  entry: Report["entry"];
  /** The report before it on the same stream: this one is kept only after that one. */
  after: number;
}

/** What became of a report. `told` is to be called after the commit. */
export type Kept =
  | { was: "kept"; isEvent: boolean; told: () => void }
  | { was: "stray"; told: () => void }
  | { was: "known" | "out of order" };

/** Keeps reports in their order, in a transaction that is about their nodes: events in few statements, however many they are. */
export async function keepAll(
  tx: Tx,
  batch: readonly Taken[],
  { deliveries, now }: { deliveries: Pick<Deliveries, "finished">; now: number },
): Promise<Kept[]> {
  const journals = new Map(batch.map((one) => [keyOf(one), one]));
  const cursors = new Map((await cursorsOf(tx, [...journals.values()])).map((one) => [keyOf(one), one]));
  const moved = new Set<Cursor>();
  const events: NewEvent[] = [];
  const kept: Kept[] = [];
  for (const { after, sequence, entry, ...of } of batch) {
    const cursor = cursors.get(keyOf(of));
    if (!cursor || cursor.through < after) {
      kept.push({ was: "out of order" });
    } else if (sequence <= cursor.through) {
      kept.push({ was: "known" });
    } else {
      cursor.through = sequence;
      moved.add(cursor);
      if (entry.case === "event") events.push({ nodeId: of.nodeId, sequence, event: entry.value });
      kept.push(await became(tx, of.nodeId, entry, deliveries));
    }
  }
  await moveCursors(tx, [...moved]);
  await keepEvents(tx, events, now);
  return kept;
}

async function became(
  tx: Tx,
  nodeId: string,
  entry: Taken["entry"],
  deliveries: Pick<Deliveries, "finished">,
): Promise<Kept> {
  // An entry of a kind that this hub does not know yet counts as read.
  if (entry.case !== "result") return { was: "kept", isEvent: entry.case === "event", told: () => {} };
  const { isKnown, told } = await deliveries.finished(tx, nodeId, entry.value);
  return isKnown ? { was: "kept", isEvent: false, told } : { was: "stray", told };
}

function keyOf({ nodeId, journalId }: { nodeId: string; journalId: string }): string {
  return `${nodeId} ${journalId}`;
}
