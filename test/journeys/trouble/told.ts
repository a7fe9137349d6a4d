import assert from "node:assert/strict";
import { type Event, RuntimeChangeKind as Kind } from "../../../gen/edge/v1/events_pb.ts";

const ends: readonly Kind[] = [Kind.EXITED, Kind.STOPPED];
const once: readonly Kind[] = [Kind.CREATED, Kind.RECREATED, Kind.DELETED];
const onceByCommand: readonly Kind[] = [Kind.UPDATED, Kind.CONFIRMED, Kind.ROLLED_BACK];
const words = Object.fromEntries(Object.entries(Kind).map(([word, kind]) => [kind, word]));

/**
 * No fact was told twice: a container is made and deleted once, an update is begun and over once, and its starts and ends take turns. Only
 * an end may be missing that nobody could see, because the engine keeps but the last one of a container: before a power cut, and
 * before a run that had ended by the time of the next look.
 */
export function assertToldOnce(events: readonly Event[]): void {
  const told = new Set<string>();
  const up = new Set<string>();
  let upAtCut = new Set<string>();
  for (const [at, event] of events.entries()) {
    if (event.fact.case === "daemonStarted") upAtCut = new Set([...upAtCut, ...up]);
    if (event.fact.case !== "runtime") continue;
    const { name, kind, containerId } = event.fact.value;
    const story = () => `${words[kind]} was told before:\n${storyOf(name, events.slice(0, at + 1))}`;
    if (once.includes(kind) || onceByCommand.includes(kind)) {
      const what = once.includes(kind) && containerId !== "" ? containerId : event.commandId;
      const fact = `${kind} ${what}`;
      assert.ok(!told.has(fact), story());
      told.add(fact);
    } else if (isEnd(kind)) {
      assert.ok(up.delete(containerId), story());
      upAtCut.delete(containerId);
    } else if (kind === Kind.STARTED) {
      const wasUnseen = upAtCut.delete(containerId) || isEnd(nextOf(containerId, events.slice(at + 1)));
      assert.ok(!up.has(containerId) || wasUnseen, story());
      up.add(containerId);
    }
  }
}

function isEnd(kind: Kind | undefined): boolean {
  return kind !== undefined && ends.includes(kind);
}

/** What was told next of a container. */
function nextOf(containerId: string, events: readonly Event[]): Kind | undefined {
  const of = events.flatMap(({ fact }) => (fact.case === "runtime" ? [fact.value] : []));
  return of.find((one) => one.containerId === containerId)?.kind;
}

/** What was told of a runtime at last, for whoever looks for the fault. */
function storyOf(name: string, events: readonly Event[]): string {
  const lines = events.flatMap(({ fact, commandId, reason }) => {
    if (fact.case !== "runtime" || fact.value.name !== name) return [];
    return `${words[fact.value.kind]} ${fact.value.containerId.slice(0, 6)} ${commandId} ${reason}`;
  });
  return lines.slice(-12).join("\n");
}
