import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { LockKind, type RuntimeLock } from "../../gen/edge/v1/locks_pb.ts";
import { quoted } from "../base/evidence.ts";

/** A lock in words, as in `by operator/alice until 2026-11-21T18:00:00Z: "commissioning"`. */
export function tellLock({ kind, actor, reason, until }: RuntimeLock): string {
  const told = until ? ` until ${momentOf(until)}` : "";
  if (kind === LockKind.WINDOW) return `because ${reason}${told}`;
  const who = kind === LockKind.OPERATOR ? nameOf(actor) : "its own program";
  return `by ${who}${told}${reason === "" ? "" : `: ${quoted(reason)}`}`;
}

/** Who that is. At a node's own socket, nobody says his name. */
export function nameOf(actor: string): string {
  return actor === "local" ? "somebody at the node" : actor;
}

/** All of them. */
export function tellLocks(locks: readonly RuntimeLock[]): string {
  return locks.map(tellLock).join(", and ");
}

function momentOf(at: Timestamp): string {
  return new Date(timestampMs(at)).toISOString().replace(/\.\d+/, "");
}
