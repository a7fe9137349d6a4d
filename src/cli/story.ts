import type { Event } from "../../gen/edge/v1/events_pb.ts";
import { Failure } from "../base/failure.ts";
import { runtimeOfEvent } from "../wire/events.ts";
import { fromConnectError } from "../wire/failures.ts";
import type { Door } from "./door.ts";
import type { Run } from "./run.ts";
import type { Target } from "./target.ts";

/** Of all that happened on the node, how much is looked through for what concerns the runtime. */
export const looked = 5_000;
/** Of what happened at the node itself, how much it is asked for. */
const asked = 1_000;

/** Something that happened, and who sent the command that caused it; empty where none did, or nobody knows. */
export interface Happening {
  event: Event;
  actor: string;
}

/**
 * What happened to a runtime, oldest first: at most `last` of its own events, and what happened to its node since the first of
 * them: that the daemon or the engine went away and came back is why a runtime did.
 */
export async function storyOf(
  run: Run,
  door: Door,
  target: Target,
  { name, last }: { name: string; last: number },
): Promise<Happening[]> {
  const all = target === undefined ? await fromNode(door, name) : await fromHub(run, door, target.id);
  const events = chosen(all, name, last);
  const actors = target === undefined ? new Map<string, string>() : await actorsOf(run, door, events);
  return events.map((event) => ({ event, actor: actors.get(event.commandId) ?? "" }));
}

/** The newest events of a runtime, and those of its node since the first of them. */
function chosen(all: readonly Event[], name: string, last: number): Event[] {
  const own = all.filter((event) => runtimeOfEvent(event) === name);
  const newest = new Set(own.slice(Math.max(0, own.length - last)));
  const [first] = newest;
  const since = first === undefined ? all.length : all.indexOf(first);
  return all.filter((event, at) => newest.has(event) || (at > since && isOfNode(event)));
}

function isOfNode({ fact }: Event): boolean {
  return fact.case === "engine" || fact.case === "daemonStarted" || fact.case === "stateSetAside";
}

async function fromHub(run: Run, door: Door, nodeId: string): Promise<Event[]> {
  const events: Event[] = [];
  const request = { nodeId, last: looked, stopWhenCaughtUp: true };
  for await (const { event } of door.fleet.watchEvents(request, { signal: run.signal })) {
    if (event) events.push(event);
  }
  return events;
}

/** The runtime's own go back further than the newest of all. */
async function fromNode(door: Door, runtime: string): Promise<Event[]> {
  const [own, newest] = await Promise.all([
    door.ask("listEvents", { afterSequence: 0n, limit: asked, runtime }),
    door.ask("listEvents", { afterSequence: 0n, limit: asked, runtime: "" }),
  ]);
  const bySequence = new Map([...own.events, ...newest.events].map((one) => [one.sequence, one.event]));
  return [...bySequence].sort(([a], [b]) => Number(a - b)).flatMap(([, event]) => event ?? []);
}

/** Who sent these commands, as far as the hub still has them. */
async function actorsOf({ signal }: Run, door: Door, events: readonly Event[]): Promise<Map<string, string>> {
  const ids = new Set(events.map(({ commandId }) => commandId).filter((id) => id !== ""));
  const found = [...ids].map(async (id) => {
    try {
      const { command } = await door.fleet.getCommand({ id }, { signal, timeoutMs: 30_000 });
      return [id, command?.command?.actor ?? ""] as const;
    } catch (thrown) {
      const told = fromConnectError(thrown);
      if (told instanceof Failure && told.kind === "not_found") return [id, ""] as const;
      throw thrown;
    }
  });
  return new Map(await Promise.all(found));
}
