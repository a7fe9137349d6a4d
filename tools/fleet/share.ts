/**
 * A share of a simulated fleet, as a process of its own. Its parent says over IPC what it is to do; it tells four times a
 * second what its nodes did. It ends with its parent.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { identitiesFor, type Source } from "./identities.ts";
import { type Habits, SimulatedNode } from "./simulated-node.ts";
import { Tally, type Told } from "./tally.ts";
import { Turns } from "./turns.ts";

/** What the parent asks for. */
export type Order =
  /** Gets identities for nodes `from` to below `to`. Answered by `ready`. */
  | { ask: "prepare"; source: Source; from: number; to: number }
  /** Dials with those below `to` that have not been dialled yet, so many a second. */
  | { ask: "dial"; habits: Habits; to: number; perSecond: number }
  /** From now on the nodes beat at this interval at their next welcome or pace; 0 as the hub says. */
  | { ask: "beat"; ms: number }
  /** Breaks this many lines, of nodes by chance. */
  | { ask: "cut"; count: number }
  /** Says goodbye with all nodes, and ends. */
  | { ask: "end" };

export type Answer = { told: Told } | { prepared: number } | { ready: true };

const tellMs = 250;
/** Steps of dialling, in milliseconds. */
const dialMs = 50;

/** Handshakes at once. */
const atOnce = 64;

const tally = new Tally();
const turns = new Turns(atOnce);
const nodes: SimulatedNode[] = [];
let identities: Awaited<ReturnType<typeof identitiesFor>> = [];
let habits: Habits | undefined;

process.on("message", (order: Order) => {
  obey(order).catch((thrown: unknown) => {
    console.error(thrown);
    process.exit(1);
  });
});
process.once("disconnect", () => process.exit());
setInterval(() => say({ told: tally.take() }), tellMs);

async function obey(order: Order): Promise<void> {
  if (order.ask === "prepare") {
    const { source, from, to } = order;
    identities = await identitiesFor(source, from, to, (prepared) => say({ prepared }));
    say({ ready: true });
  } else if (order.ask === "dial") {
    habits = order.habits;
    await dialAll(habits, order.to, order.perSecond);
  } else if (order.ask === "beat") {
    if (habits) habits.beatMs = order.ms;
    for (const node of nodes) node.beatAnew();
  } else if (order.ask === "cut") {
    const up = nodes.filter((node) => node.isUp);
    for (let n = 0; n < order.count && up.length > 0; n++) {
      up.splice(Math.floor(Math.random() * up.length), 1)[0]?.cut();
    }
  } else {
    await Promise.race([Promise.all(nodes.map((node) => node.end())), sleep(5_000)]);
    say({ told: tally.take() });
    process.disconnect();
  }
}

async function dialAll(shared: Habits, to: number, perSecond: number): Promise<void> {
  const perStep = (perSecond * dialMs) / 1000;
  for (let owed = perStep; nodes.length < to; owed += perStep) {
    for (; owed >= 1 && nodes.length < to; owed--) {
      const identity = identities[nodes.length];
      if (!identity) return;
      const node = new SimulatedNode(identity, shared, { tally, turns });
      nodes.push(node);
      node.dial();
    }
    await sleep(dialMs);
  }
}

function say(answer: Answer): void {
  process.send?.(answer);
}
