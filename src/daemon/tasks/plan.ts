import { priorities, type TaskRecord } from "./task.ts";

/** What is known when it is decided which tasks start. */
export interface Situation {
  /** Tasks that wait, oldest first. */
  queued: readonly TaskRecord[];
  /** How many tasks of an agent take part in its concurrency now. */
  busyOf: (agent: string) => number;
  /** How many of an agent's tasks may be busy at once; 0 when it may not start any. */
  concurrencyOf: (agent: string) => number;
  /** How many tasks have room. */
  free: number;
  /** When each agent had its last turn, as a number that grows; those that are not in it had none. */
  turns: ReadonlyMap<string, number>;
  /** Wall time in milliseconds. */
  now: number;
}

/**
 * Which tasks start now, in order: the most urgent first; among equal ones agents take turns, and among an agent's own the oldest
 * is first. What has no room within its agent holds up nobody else.
 */
export function plan({ queued, busyOf, concurrencyOf, free, turns, now }: Situation): TaskRecord[] {
  const ready = queued.filter((task) => task.waitsFor.length === 0 && isDue(task, now));
  const turnOf = new Map(turns);
  const startedOf = new Map<string, number>();
  const starts: TaskRecord[] = [];
  const hasRoom = (agent: string) => busyOf(agent) + (startedOf.get(agent) ?? 0) < concurrencyOf(agent);
  for (const priority of priorities.toReversed()) {
    const waiting = Map.groupBy(
      ready.filter((task) => task.priority === priority),
      ({ agent }) => agent,
    );
    while (starts.length < free) {
      const candidates = [...waiting].filter(([agent, tasks]) => tasks.length > 0 && hasRoom(agent));
      const next = candidates
        .toSorted(
          ([one, [oldest]], [other, [otherOldest]]) =>
            byTurn(turnOf.get(one), turnOf.get(other)) || (oldest?.number ?? 0) - (otherOldest?.number ?? 0),
        )
        .at(0)?.[1]
        .shift();
      if (!next) break;
      starts.push(next);
      startedOf.set(next.agent, (startedOf.get(next.agent) ?? 0) + 1);
      turnOf.set(next.agent, Math.max(0, ...turnOf.values()) + 1);
    }
  }
  return starts;
}

function byTurn(one = 0, other = 0): number {
  return one - other;
}

/** Whether its pause is over. A clock that was set back does not make it longer than it was meant to be. */
export function isDue({ nextAttemptAt, pauseMs = 0 }: TaskRecord, now: number): boolean {
  return nextAttemptAt === undefined || nextAttemptAt <= now || nextAttemptAt - now > pauseMs;
}

/** In how many milliseconds the next pause is over; undefined when nothing pauses. */
export function nextDueMs(queued: readonly TaskRecord[], now: number): number | undefined {
  const left = queued.flatMap((task) => (isDue(task, now) ? [] : (task.nextAttemptAt ?? now) - now));
  return left.length === 0 ? undefined : Math.min(...left);
}
