import type { Event } from "../../gen/edge/v1/events_pb.ts";
import { Failure } from "../base/failure.ts";
import { agentOfEvent, runtimeOfEvent, taskOfEvent } from "../wire/events.ts";
import { fromConnectError } from "../wire/failures.ts";
import type { Door } from "./door.ts";
import type { Run } from "./run.ts";
import type { Target } from "./target.ts";

/** Of all that happened on the node, how much is looked through for what is asked about. */
export const looked = 5_000;
/** Of what happened at the node itself, how much it is asked for. */
const asked = 1_000;

/** What a story is about: a runtime, an agent, or a task of an agent. */
export type About = { runtime: string } | { agent: string; task?: string };

/** Something that happened, and who sent the command that caused it; empty where none did, or nobody knows. */
export interface Happening {
  event: Event;
  actor: string;
}

/**
 * What happened to something, oldest first: at most `last` of its own events, and what happened to its node since the first of
 * them: that the daemon or the engine went away and came back is why a runtime or a task did.
 */
export async function storyOf(
  run: Run,
  door: Door,
  target: Target,
  { about, last }: { about: About; last: number },
): Promise<Happening[]> {
  const all = target === undefined ? await fromNode(door, about) : await fromHub(run, door, target.id);
  const events = chosen(all, about, last);
  const actors = target === undefined ? new Map<string, string>() : await actorsOf(run, door, events);
  return events.map((event) => ({ event, actor: actors.get(event.commandId) ?? "" }));
}

/** Its newest events, and those of its node since the first of them. */
function chosen(all: readonly Event[], about: About, last: number): Event[] {
  const own = all.filter((event) => isAbout(event, about));
  const newest = new Set(own.slice(Math.max(0, own.length - last)));
  const [first] = newest;
  const since = first === undefined ? all.length : all.indexOf(first);
  return all.filter((event, at) => newest.has(event) || (at > since && isOfNode(event)));
}

function isAbout(event: Event, about: About): boolean {
  if ("runtime" in about) return runtimeOfEvent(event) === about.runtime;
  return about.task === undefined ? agentOfEvent(event) === about.agent : taskOfEvent(event) === about.task;
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

/** Its own go back further than the newest of all. */
async function fromNode(door: Door, about: About): Promise<Event[]> {
  const all = { afterSequence: 0n, limit: asked, runtime: "", agent: "" };
  const own = "runtime" in about ? { runtime: about.runtime } : { agent: about.agent };
  const [ofIt, newest] = await Promise.all([
    door.ask("listEvents", { ...all, ...own }),
    door.ask("listEvents", all),
  ]);
  const bySequence = new Map([...ofIt.events, ...newest.events].map((one) => [one.sequence, one.event]));
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
