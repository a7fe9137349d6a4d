import { setImmediate } from "node:timers/promises";
import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type AuditCheckpoint,
  type AuditEntry,
  AuditEntrySchema,
  type ListAuditRequest,
  type ListAuditResponse,
  ListAuditResponseSchema,
  type VerifyAuditResponse,
  VerifyAuditResponseSchema,
} from "../../../gen/edge/v1/audit_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import { checkpoints, keyOf } from "./signing.ts";
import { newest, rows } from "./trail.ts";
import { Verification } from "./verify.ts";

/** Rows between two turns of the event loop: the trail is as long as it is, and nobody waits for a reader of it. */
const portion = 500;
/** Entries in one answer when nobody says how many, and their bytes: it must fit into a frame. */
const usual = { limit: 100, bytes: 900 << 10 };
/** Faults that are told. */
const mostFaults = 100;

/** Entries that meet all that is asked: see the contract. @throws {Failure} unavailable: an entry cannot be read. */
export async function list(
  sql: Sql,
  request: ListAuditRequest,
  signal: AbortSignal,
): Promise<ListAuditResponse> {
  const limit = request.limit || usual.limit;
  const found: AuditEntry[] = [];
  let bytesLeft = usual.bytes;
  let lastLooked = Number(request.afterSequence);
  for await (const { place, bytes } of request.newest
    ? backwards(sql, signal)
    : onwards(sql, lastLooked, signal)) {
    if (place <= Number(request.afterSequence)) break;
    const entry = entryOf(place, bytes);
    const isAsked = meets(entry, request);
    bytesLeft -= isAsked ? bytes.length : 0;
    if (bytesLeft < 0 && found.length > 0) break;
    lastLooked = place;
    if (isAsked) found.push(entry);
    if (found.length >= limit) break;
  }
  return create(ListAuditResponseSchema, {
    entries: request.newest ? found.reverse() : found,
    lastSequence: request.newest ? (newest(sql)?.sequence ?? 0n) : BigInt(lastLooked),
  });
}

/** Checks all of it: see the contract. `elsewhere` are checkpoints that somebody else kept. */
export async function verify(
  sql: Sql,
  elsewhere: readonly AuditCheckpoint[],
  signal: AbortSignal,
): Promise<VerifyAuditResponse> {
  const kept = checkpoints(sql);
  const verification = new Verification(new Set(kept.map(({ place }) => place)));
  for (const { place, checkpoint } of kept) {
    if (checkpoint && Number(checkpoint.sequence) === place) {
      verification.expect(checkpoint, keyOf(sql, checkpoint.keySha256), "on this node");
    } else verification.unreadable(place);
  }
  for (const checkpoint of elsewhere) {
    verification.expect(checkpoint, keyOf(sql, checkpoint.keySha256), "that was handed in");
  }
  for await (const row of onwards(sql, 0, signal)) verification.look(row);
  verification.end();
  const { faults, entries } = verification;
  const head = kept.at(-1)?.checkpoint;
  return create(VerifyAuditResponseSchema, {
    intact: faults.length === 0,
    entries: BigInt(entries),
    faults: faults.sort((one, other) => Number(one.sequence - other.sequence)).slice(0, mostFaults),
    ...(head && { head }),
  });
}

async function* onwards(sql: Sql, after: number, signal: AbortSignal) {
  for (let at = after; ; ) {
    const some = rows(sql, { after: at, most: portion });
    yield* some;
    const last = some.at(-1);
    if (!last) return;
    at = last.place;
    await setImmediate(undefined, { signal });
  }
}

async function* backwards(sql: Sql, signal: AbortSignal) {
  for (let at = Number.MAX_SAFE_INTEGER; ; ) {
    const some = rows(sql, { before: at, most: portion });
    yield* some;
    const last = some.at(-1);
    if (!last) return;
    at = last.place;
    await setImmediate(undefined, { signal });
  }
}

function entryOf(place: number, bytes: Uint8Array): AuditEntry {
  try {
    return fromBinary(AuditEntrySchema, bytes);
  } catch (cause) {
    const sentence = `entry ${place} of the audit trail cannot be read: \`orchestrator audit verify\` says what is wrong with it`;
    throw failure("unavailable", sentence, { cause });
  }
}

function meets({ kind, subject, caller, at }: AuditEntry, asked: ListAuditRequest): boolean {
  const moment = at ? timestampMs(at) : 0;
  return (
    (asked.kinds.length === 0 || asked.kinds.includes(kind)) &&
    (asked.subject === "" || subject === asked.subject) &&
    (asked.actor === "" || caller?.actor === asked.actor) &&
    (!asked.since || moment >= timestampMs(asked.since)) &&
    (!asked.until || moment < timestampMs(asked.until))
  );
}
