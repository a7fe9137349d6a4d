import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Commands } from "../commands/index.ts";
import type { EnrolOptions, Roots, Tokens } from "../enrolment/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Groups } from "../groups/index.ts";
import type { Line } from "../line/index.ts";
import type { Operators } from "../operators/index.ts";
import type { Reports } from "../reports/index.ts";
import type { Rollouts } from "../rollouts/index.ts";
import type { Engines } from "./engines.ts";

/** What the API needs of the hub's other rooms, and what it tells of the hub itself. */
export interface Rooms {
  fleet: Fleet;
  commands: Commands;
  reports: Reports;
  rollouts: Rollouts;
  groups: Groups;
  line: Pick<Line, "read">;
  tokens: Tokens;
  operators: Operators;
  roots: Roots;
  enrolment: EnrolOptions;
  engines: Engines;
  /** Where nodes reach this hub, as `host:port`, in the order in which they shall try. */
  addresses: { api(): string[]; line(): string[] };
  startedAt: number;
  clock: Clock;
  log: Logger;
}
