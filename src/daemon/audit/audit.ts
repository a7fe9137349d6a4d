import { createHash } from "node:crypto";
import { create, type Message, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AuditEntrySchema, type AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";
import { Changes } from "../../base/changes.ts";
import { asFailure, failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import { contract } from "../../wire/contract.ts";
import { append } from "./trail.ts";

/** What is noted. No field of it may hold a secret: they are read by whoever may read the trail. */
export interface AuditRecord {
  kind: AuditKind;
  /** Who caused it; absent when the node itself did. */
  caller?: Caller | undefined;
  commandId?: string;
  /** What was asked or done, as in `deploy_agent`, `lend`. */
  action: string;
  /** What it was about, as in `agent/poet`, `credential/openai`. */
  subject?: string;
  /** `allowed`, `denied`, `ok`, or the kind of a failure. */
  outcome: string;
  detail?: string;
  /** What was asked. Of it only the hash is kept. */
  request?: Message | undefined;
}

/** Who may add to the trail. */
export interface Recorder {
  /**
   * Adds an entry: on disk when this returns, or with the transaction around it.
   * @throws {Failure} exhausted, unavailable: the disk does not take it. What it is about must then not be done.
   */
  record(entry: AuditRecord): void;
}

export class Audit implements Recorder {
  /** Told when something was added. */
  readonly changes = new Changes();
  readonly #sql: Sql;
  readonly #now: () => number;

  private constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  /** @param sql the state file, opened with this room's `schema`. */
  static open({ sql, now }: { sql: Sql; now: () => number }): Audit {
    return new Audit(sql, now);
  }

  record({ request, caller, ...told }: AuditRecord): void {
    const entry = create(AuditEntrySchema, {
      ...told,
      at: timestampFromMs(this.#now()),
      ...(caller && { caller }),
      ...(request && { requestSha256: sha256Of(request) }),
    });
    try {
      append(this.#sql, entry);
    } catch (thrown) {
      throw notNoted(thrown);
    }
    queueMicrotask(() => this.changes.notify()); // Not before the transaction has ended.
  }
}

function sha256Of(request: Message): Uint8Array {
  const schema = contract.getMessage(request.$typeName);
  if (!schema) throw new Error(`${request.$typeName} is no message of the contract`);
  return new Uint8Array(createHash("sha256").update(toBinary(schema, request)).digest());
}

function notNoted(thrown: unknown): unknown {
  const { kind, message } = asFailure(thrown);
  if (kind !== "exhausted" && kind !== "unavailable") return thrown;
  const sentence = `the audit trail cannot be written, and without it nothing is done: ${message}`;
  return failure(kind, sentence, { cause: thrown });
}
