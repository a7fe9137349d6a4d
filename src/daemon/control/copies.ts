import { type Reject, RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Journal } from "../journal/index.ts";

/**
 * A disk that was copied, or put back from a copy, numbers its entries as another one did: the hub would take them for those
 * that it has, and they would be lost. A node that learns of it gives its journal another name; the entries go out under that.
 */

/** A hub says so with these: it has seen this node under an epoch that this disk does not know. */
const tellOfCopies: ReadonlySet<RejectCode> = new Set([RejectCode.STALE_EPOCH, RejectCode.CLONED]);

/** Heeds what a refusal tells. */
export function heed({ code }: Reject, journal: Journal): void {
  if (tellOfCopies.has(code)) journal.renew();
}

/** @throws {Failure} conflict: the hub has entries that this journal never had. The stream must end. */
export function mustBeOurs(through: number, journal: Journal): void {
  if (through <= journal.lastSequence) return;
  const had = journal.id;
  journal.renew();
  throw failure(
    "conflict",
    `the hub has entry ${through} of journal ${had}, which ends at ${journal.lastSequence}: the state file was put back from a copy; its entries go out as a new journal`,
  );
}
