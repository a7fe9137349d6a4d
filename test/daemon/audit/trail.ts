import { generateKeyPairSync } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { create } from "@bufbuild/protobuf";
import {
  type AuditCheckpoint,
  AuditKind,
  ListAuditRequestSchema,
  type VerifyAuditResponse,
} from "../../../gen/edge/v1/audit_pb.ts";
import { CallerSchema, Door } from "../../../gen/edge/v1/policy_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Audit, schema } from "../../../src/daemon/audit/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";

export const caller = create(CallerSchema, { door: Door.HUB, actor: "operator/alice" });

/** A trail on a state file, with a key to sign it that may be another each time. */
export function openTrail(path: string, keyPem: string | undefined = newKey()) {
  const sql = Sql.open(path, [journalSchema, schema], Date.now);
  const journal = Journal.open(sql, { now: Date.now });
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const audit = Audit.open({ sql, journal, clock: systemClock, log, keyPem: () => keyPem });
  return {
    ...{ audit, sql, journal },
    /** Notes so many commands, and signs the head. */
    note(count: number, about = "runtime/plc1") {
      for (let at = 0; at < count; at++) {
        const commandId = `c${at}`;
        const what = { action: "stop_runtime", subject: about, outcome: "allowed" };
        audit.record({ kind: AuditKind.COMMAND, caller, commandId, ...what });
      }
    },
    list: (request: Parameters<typeof create<typeof ListAuditRequestSchema>>[1] = {}) =>
      audit.list(create(ListAuditRequestSchema, request), AbortSignal.timeout(10_000)),
    verify: (elsewhere: readonly AuditCheckpoint[] = []): Promise<VerifyAuditResponse> =>
      audit.verify(elsewhere, AbortSignal.timeout(10_000)),
    /** The checkpoints that were told to the hub. */
    told: () =>
      journal
        .read(0, 1_000)
        .flatMap(({ entry }) =>
          entry.case === "event" && entry.value.fact.case === "auditCheckpoint" ? entry.value.fact.value : [],
        ),
    /** Signs what is new. */
    sign: () => audit[Symbol.dispose](),
    [Symbol.dispose]: () => sql[Symbol.dispose](),
  };
}

export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return String(privateKey.export({ format: "pem", type: "pkcs8" }));
}

/** Does to a closed state file what nobody should: as whoever has the disk in his hands. */
export function tamper(path: string, work: (database: DatabaseSync) => void): void {
  using database = new DatabaseSync(path);
  database.exec("DROP TRIGGER audit_entries_stay_as_they_are; DROP TRIGGER audit_entries_stay;");
  work(database);
}
