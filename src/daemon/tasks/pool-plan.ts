import type { Deployed } from "../agents/index.ts";

/** A cell that waits for a task. */
export interface Idle {
  id: string;
  of: Deployed;
  /** When it was made, by a clock that nobody sets. */
  madeAt: number;
}

/** What is known when it is decided what the pool does. Times are elapsed milliseconds. */
export interface PoolSituation {
  /** Current versions of agents. */
  agents: readonly Deployed[];
  idle: readonly Idle[];
  /** Cells that are being made, by agent. */
  filling: ReadonlyMap<string, number>;
  /** When an agent whose cells ended by themselves is tried again. */
  notBefore: ReadonlyMap<string, number>;
  /** How many more cells may be made at once, and how many there may be in all beside those that there are. */
  atOnce: number;
  room: number;
  now: number;
}

/** A cell that waited so long is replaced: nothing in it should be older than a day. */
export const oldestMs = 24 * 3_600_000;

/** Which cells are made and which are dropped, so that each agent has as many as its manifest says, of its current version. */
export function planPool(situation: PoolSituation): { make: Deployed[]; drop: Idle[] } {
  const { agents, idle, filling, notBefore, now } = situation;
  const currentOf = new Map(agents.map((agent) => [agent.name, agent]));
  const isGood = ({ of, madeAt }: Idle) => isSame(of, currentOf.get(of.name)) && now - madeAt < oldestMs;
  const make: Deployed[] = [];
  const drop = idle.filter((one) => !isGood(one));
  let places = Math.min(situation.atOnce, situation.room + drop.length);
  for (const agent of agents) {
    const has = idle.filter((one) => one.of.name === agent.name && isGood(one));
    const missing = agent.spec.warm - has.length - (filling.get(agent.name) ?? 0);
    drop.push(...has.slice(0, Math.max(0, has.length - agent.spec.warm)));
    if ((notBefore.get(agent.name) ?? 0) > now) continue;
    for (let n = 0; n < missing && places > 0; n++, places--) make.push(agent);
  }
  return { make, drop };
}

/** Whether two are the same version of the same agent, and not of one that was removed and deployed anew. */
export function isSame(one: Deployed, other: Deployed | undefined): boolean {
  return one.name === other?.name && one.version === other.version && one.deployedAt === other.deployedAt;
}
