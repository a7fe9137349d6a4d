import { create } from "@bufbuild/protobuf";
import { AgentChangeKind, AgentChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import type { Deployed } from "./deployed.ts";
import { dueRuns, nextRun } from "./schedule.ts";
import type { AgentStore } from "./store.ts";

interface ScheduleTools {
  sql: Sql;
  journal: Journal;
  store: AgentStore;
  clock: Clock;
  changes: Changes;
  all: () => readonly Deployed[];
}

/** The schedules of all agents: which times are due, and up to when all is dealt with, which is on disk. */
export class AgentSchedules {
  /** Told when one may be another than before. */
  readonly changes: Changes;
  readonly #tools: ScheduleTools;

  constructor(tools: ScheduleTools) {
    this.#tools = tools;
    this.changes = tools.changes;
  }

  due(): { deployed: Deployed; runs: readonly number[]; until: number; missed: number }[] {
    const { all, clock, store } = this.#tools;
    const now = clock.now();
    return all().flatMap((deployed) => {
      const { schedule } = deployed.spec;
      if (!schedule) return [];
      const before = store.scheduledUntil(deployed.name);
      const due = dueRuns(schedule, before, now);
      const isNews = due.runs.length > 0 || due.missed > 0 || due.until < before;
      return isNews ? [{ deployed, ...due }] : [];
    });
  }

  nextAt(): number | undefined {
    const times = this.#tools.all().flatMap((deployed) => this.nextOf(deployed) ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** When an agent is executed next; undefined without a schedule. */
  nextOf({ name, spec }: Deployed): number | undefined {
    const { store, clock } = this.#tools;
    return nextRun(spec.schedule, Math.max(clock.now(), store.scheduledUntil(name)));
  }

  settle(name: string, until: number, missed: number): void {
    const { sql, journal, store } = this.#tools;
    sql.transaction(() => {
      store.setScheduledUntil(name, until);
      if (missed === 0) return;
      const version = store.current(name)?.version ?? 0;
      const value = create(AgentChangeSchema, { name, kind: AgentChangeKind.RUNS_MISSED, version });
      const count = missed > 100 ? "more than 100 times" : missed === 1 ? "a time" : `${missed} times`;
      journal.record(
        { case: "agent", value },
        { reason: `${count} of its schedule passed without anybody looking` },
      );
    });
  }
}
