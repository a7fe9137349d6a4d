import { create } from "@bufbuild/protobuf";
import { StateSetAsideSchema } from "../../../gen/edge/v1/events_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import { schema } from "./log.ts";

export interface StateFileOptions {
  /** The file of all messages: not the daemon's own, so that what agents say is never in the way of what should run. */
  path: string;
  journal: Pick<Journal, "record">;
  clock: Clock;
  log: Logger;
}

/** Opens the file. One that cannot be read is set aside, and messages begin anew. @throws {Failure} as `Sql.open` does. */
export function openStateFile({ path, journal, clock, log }: StateFileOptions): Sql {
  const sql = Sql.open(path, [schema], clock.now);
  if (sql.setAside) {
    log.error({ ...sql.setAside }, "the messages of topics could not be read and were set aside");
    const value = create(StateSetAsideSchema, sql.setAside);
    journal.record({ case: "stateSetAside", value }, { reason: "the messages of topics could not be read" });
  }
  return sql;
}
