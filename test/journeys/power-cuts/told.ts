import assert from "node:assert/strict";
import { RuntimeChangeKind as Kind } from "../../../gen/edge/v1/events_pb.ts";
import type { WatchEventsResponse } from "../../../gen/edge/v1/fleet_pb.ts";

const ends: readonly Kind[] = [Kind.EXITED, Kind.STOPPED];
const once: readonly Kind[] = [Kind.CREATED, Kind.RECREATED, Kind.DELETED];
const words = Object.fromEntries(Object.entries(Kind).map(([word, kind]) => [kind, word]));

/** No entry came twice, and no fact was told twice: of one container, starts and ends take turns, and it is made and deleted once. */
export function assertToldOnce(events: readonly WatchEventsResponse[]): void {
  const sequences = events.map(({ sequence }) => sequence);
  assert.deepEqual(sequences, [...new Set(sequences)].toSorted((one, other) => Number(one - other)));
  const lasts = new Map<string, Kind>();
  const told = new Set<string>();
  for (const { sequence, event } of events) {
    if (event?.fact.case !== "runtime") continue;
    const { name, kind, containerId } = event.fact.value;
    const what = `${words[kind]} of ${name} (${sequence})`;
    if (once.includes(kind)) {
      const fact = `${kind} ${containerId || event.commandId}`;
      assert.ok(!told.has(fact), `${what} was told before`);
      told.add(fact);
    }
    const isEnd = ends.includes(kind);
    if (kind !== Kind.STARTED && !isEnd) continue;
    const last = lasts.get(containerId);
    const wasEnd = last === undefined || ends.includes(last);
    const before = last === undefined ? "nothing" : words[last];
    assert.notEqual(isEnd, wasEnd, `${what} follows ${before}:\n${all(events, name, sequence)}`);
    lasts.set(containerId, kind);
  }
}

/** What was told of a runtime until then, for whoever looks for the fault. */
function all(events: readonly WatchEventsResponse[], name: string, until: bigint): string {
  const lines = events.flatMap(({ sequence, event }) => {
    if (event?.fact.case !== "runtime" || event.fact.value.name !== name || sequence > until) return [];
    const { kind, containerId } = event.fact.value;
    return `${sequence} ${words[kind]} ${containerId.slice(0, 6)} ${event.commandId} ${event.reason}`;
  });
  return lines.slice(-12).join("\n");
}
