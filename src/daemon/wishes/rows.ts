import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { Failure, type FailureKind } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import { probationText, toProbation } from "./version.ts";
import type { Ended, Wish } from "./wish.ts";

/** A wish as it stands in its row. */
export function toWish(row: Row): Wish {
  return {
    name: String(row.name),
    spec: fromBinary(RuntimeSpecSchema, row.spec as Uint8Array), // BLOB NOT NULL in a STRICT table.
    specHash: String(row.spec_hash),
    madeHash: String(row.made_hash),
    desired: row.desired as Wish["desired"], // The table's CHECK says so.
    stage: row.stage as Wish["stage"], // Likewise.
    commandId: String(row.command_id),
    actingCommandId: String(row.acting_command_id),
    keepVolume: row.keep_volume === 1,
    createdAt: Number(row.created_at),
    restarts: Number(row.restarts),
    imageId: String(row.image_id),
    imageDigest: String(row.image_digest),
    profileVersion: Number(row.profile_version),
    oomKills: Number(row.oom_kills),
    restartCommandId: String(row.restart_command_id),
    restartOf: String(row.restart_of),
    containerId: String(row.container_id),
    started: String(row.started),
    ended: String(row.ended),
    endedByItself: row.ended_by_itself === 1,
    exitCode: row.exit_code === null ? undefined : Number(row.exit_code),
    endsInARow: Number(row.ends_in_a_row),
    unhealthyStart: String(row.unhealthy_start),
    health: Number(row.health) as Health, // Only `recordHealth` writes it.
    answered: row.answered === 1,
    removing: JSON.parse(String(row.removing)) as string[], // Only `update` writes it.
    failure: toFailure(String(row.failure)),
    probation: toProbation(String(row.probation)),
    probationUsedMs: Number(row.probation_used_ms),
    untold: JSON.parse(String(row.untold)) as Wish["untold"], // Likewise.
    oldVolumes: JSON.parse(String(row.old_volumes)) as string[], // Likewise.
  };
}

/** The end of a runtime, likewise. */
export function toEnded(row: Row): Ended {
  return {
    name: String(row.name),
    commandId: String(row.command_id),
    keepVolume: row.keep_volume === 1,
    removed: JSON.parse(String(row.removed)) as string[], // Only `end` writes it.
    failure: toFailure(String(row.failure)),
  };
}

/** The column of a property of a wish. */
export function columnOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A property of a wish as its column holds it. */
export function toColumn(key: string, value: unknown): string | number | Uint8Array | null {
  if (key === "spec") return toBinary(RuntimeSpecSchema, value as Wish["spec"]); // The key is the property's own.
  if (key === "probation") return probationText(value as Wish["probation"]); // Likewise.
  if (value === undefined) return key === "exitCode" ? null : "";
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Failure) return toText(value);
  return typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
}

/** A failure as a column holds it; empty for none. */
export function toText(failure: Failure | undefined): string {
  return failure ? JSON.stringify({ kind: failure.kind, message: failure.message }) : "";
}

/** Likewise, as it is read. */
export function toFailure(text: string): Failure | undefined {
  if (text === "") return undefined;
  const { kind, message } = JSON.parse(text) as { kind: FailureKind; message: string }; // `toText` wrote it.
  return new Failure(kind, message);
}
