import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type Event, StateSetAsideSchema } from "../../gen/edge/v1/events_pb.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { Sql } from "../base/sql.ts";
import { agentsSchema } from "./agents/index.ts";
import { applySchema } from "./apply/index.ts";
import { schema as auditSchema } from "./audit/index.ts";
import { schema as brokerSchema } from "./broker/index.ts";
import { schema as controlSchema } from "./control/index.ts";
import { credentialsSchema } from "./credentials/index.ts";
import { schema as decommissionSchema } from "./decommission/index.ts";
import { schema as egressSchema } from "./egress/index.ts";
import { gatewaySchema } from "./gateway/index.ts";
import { imagesSchema } from "./images/index.ts";
import { schema as invokeSchema } from "./invoke/index.ts";
import { Journal, schema as journalSchema } from "./journal/index.ts";
import { schema as locksSchema } from "./locks/index.ts";
import { schema as metricsSchema } from "./metrics/index.ts";
import { schema as networkSchema } from "./network/index.ts";
import { schema as sessionsSchema } from "./sessions/index.ts";
import { tasksSchema } from "./tasks/index.ts";
import { schema as wishesSchema } from "./wishes/index.ts";
import { schema as workSchema } from "./work/index.ts";

/** Each room owns its tables; messages and memories, which are many, have files of their own. */
const schemas = [
  ...[journalSchema, workSchema, wishesSchema, imagesSchema, networkSchema, controlSchema, metricsSchema],
  ...[invokeSchema, locksSchema, decommissionSchema, auditSchema, credentialsSchema, gatewaySchema],
  ...[sessionsSchema, egressSchema, agentsSchema, tasksSchema, brokerSchema, applySchema],
];

interface StateOptions {
  dataDir: string;
  clock: Clock;
  log: Logger;
  /** Told of each event, in the transaction that records it. */
  witness: (event: Event) => void;
}

/**
 * Opens the daemon's state file, and the journal in it. A file that cannot be read is set aside, and that is an event.
 * @throws {Failure} conflict: another daemon runs on this data directory. unavailable, exhausted: it cannot be written.
 */
export function openState({ dataDir, clock, log, witness }: StateOptions): { sql: Sql; journal: Journal } {
  const sql = Sql.open(join(dataDir, "daemon.db"), schemas, clock.now);
  const journal = Journal.open(sql, { now: clock.now, witness });
  if (sql.setAside) {
    log.error({ ...sql.setAside }, "the state file could not be read and was set aside");
    const value = create(StateSetAsideSchema, sql.setAside);
    journal.record({ case: "stateSetAside", value }, { reason: "the state file could not be read" });
  }
  return { sql, journal };
}
