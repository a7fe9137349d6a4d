import { createHash } from "node:crypto";
import { create, type Message, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AuditCheckpoint,
  AuditEntrySchema,
  type ListAuditRequest,
  type ListAuditResponse,
  type VerifyAuditResponse,
} from "../../../gen/edge/v1/audit_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { contract } from "../../wire/contract.ts";
import type { Journal } from "../journal/index.ts";
import { list, verify } from "./read.ts";
import type { AuditRecord, Recorder } from "./recorder.ts";
import { signHead } from "./signing.ts";
import { append } from "./trail.ts";

/** Between two checkpoints at least, in milliseconds. */
const checkpointMs = 5 * 60_000;

export interface AuditOptions {
  /** The state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** The key of the node's identity, PKCS #8 PEM; undefined before it has one. */
  keyPem: () => string | undefined;
}

/** The trail, for as long as the daemon lives. It is signed a last time when it is closed. */
export class Audit implements Recorder, Disposable {
  readonly #options: AuditOptions;

  private constructor(options: AuditOptions) {
    this.#options = options;
  }

  static open(options: AuditOptions): Audit {
    return new Audit(options);
  }

  /** Has the head signed from time to time, when there is something new. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.#sign();
      await this.#options.clock.sleep(checkpointMs, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#sign();
  }

  /** See `ListAudit` of the contract. */
  list(request: ListAuditRequest, signal: AbortSignal): Promise<ListAuditResponse> {
    return list(this.#options.sql, request, signal);
  }

  /** See `VerifyAudit` of the contract. */
  verify(elsewhere: readonly AuditCheckpoint[], signal: AbortSignal): Promise<VerifyAuditResponse> {
    return verify(this.#options.sql, elsewhere, signal);
  }

  record({ request, caller, ...told }: AuditRecord): void {
    const entry = create(AuditEntrySchema, {
      ...told,
      at: timestampFromMs(this.#options.clock.now()),
      ...(caller && { caller }),
      ...(request && { requestSha256: sha256Of(request) }),
    });
    try {
      append(this.#options.sql, entry);
    } catch (thrown) {
      throw notNoted(thrown);
    }
  }

  /** A checkpoint that cannot be made now is made later: it adds to what is kept, and keeps nothing itself. */
  #sign(): void {
    const { sql, journal, clock, log, keyPem } = this.#options;
    try {
      signHead({ sql, journal, keyPem, audit: this, now: clock.now });
    } catch (error) {
      log.error({ error }, "the audit trail could not be signed; it is tried again");
    }
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
