import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { MaintenanceWindowSchema } from "../../gen/edge/v1/locks_pb.ts";
import type { RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { parseDuration } from "../base/quantity.ts";
import { collect } from "./flags.ts";

/** Flags that say when a runtime may be touched. */
export interface LockFlags {
  maintenance: MessageInitShape<typeof MaintenanceWindowSchema>[];
  lockPath?: string;
}

/** Their names as commander keeps them. */
export const lockFlagNames: readonly (keyof LockFlags)[] = ["maintenance", "lockPath"];

/** Adds them to a command. */
export function withLockFlags(command: Command): Command {
  return command
    .option(
      "--maintenance <window>",
      'when it may be touched, as in "0 2 * * 6 for 2h in Europe/Berlin", UTC when no zone is given; may be given often',
      collect(parseWindow),
      [],
    )
    .option("--lock-path <path>", "where its lock folder is mounted: a file named lock in there locks it");
}

/** What the flags say, as a part of a spec. */
export function fromLockFlags({ maintenance, lockPath = "" }: LockFlags) {
  return { maintenance, lockPath } satisfies MessageInitShape<typeof RuntimeSpecSchema>;
}

/** The flag of every verb that stops a runtime. */
export interface OverrideFlag {
  overrideLock: boolean;
}

/** Gives a verb this flag. */
export function overriding(command: Command): Command {
  return command.option("--override-lock", "do it even if the runtime is locked", false);
}

const windows = /^(\S+(?: +\S+){4}) +for +(\S+)(?: +in +(\S+))?$/;

function parseWindow(text: string): LockFlags["maintenance"][number] {
  const [, cron, span, timeZone = ""] = windows.exec(text.trim()) ?? [];
  if (cron === undefined || span === undefined) {
    throw failure(
      "invalid",
      `${evidence(text)} must be five fields of crontab(5), a duration and a time zone, as in 0 2 * * 6 for 2h in Europe/Berlin`,
    );
  }
  return { cron, durationMs: BigInt(parseDuration(span)), timeZone };
}
