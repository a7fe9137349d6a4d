import type { MaintenanceWindow } from "../../gen/edge/v1/locks_pb.ts";
import type { Runtime } from "../../gen/edge/v1/runtimes_pb.ts";
import { formatDuration } from "../base/quantity.ts";
import { tellLock, tellLocks } from "../wire/locks.ts";
import { moment } from "./answer.ts";

/** When a runtime may be touched and why it may not be now, as rows of a sheet: nothing where nobody says anything. */
export function lockRows({ spec, locks }: Runtime): [string, string][] {
  const rows: [string, string][] = [
    ["maintenance", spec?.maintenance.map(windowOf).join("; ") ?? ""],
    ["lock folder", spec?.lockPath ?? ""],
    ["locked", tellLocks(locks)],
  ];
  return rows.filter(([, text]) => text !== "");
}

/** Why a runtime is not to be touched, a line each, and what that means. */
export function lockReasons({ locks }: Runtime): string[] {
  if (locks.length === 0) return [];
  return [
    ...locks.map((lock) => {
      const since = lock.since ? `, since ${moment(lock.since)}` : "";
      return `it is locked ${tellLock(lock)}${since}`;
    }),
    "nothing stops, restarts, updates or deletes it without --override-lock; what ends by itself is started again",
  ];
}

/** In the words of `--maintenance`. */
function windowOf({ cron, durationMs, timeZone }: MaintenanceWindow): string {
  return `${cron} for ${formatDuration(Number(durationMs))} in ${timeZone || "UTC"}`;
}
