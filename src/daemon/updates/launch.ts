import { existsSync } from "node:fs";
import { asFailure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { readKept, writeKept } from "./kept.ts";
import { launchOf } from "./plan.ts";
import { become, folderOf, ownProgram } from "./program.ts";

/**
 * Where every daemon begins: the installed one starts the version that the node keeps in its place, if there is one, and then this
 * does not return. Trouble of any kind means that the installed one runs.
 */
export async function beginProgram(
  dataDir: string,
  { version, entry, now, log }: { version: string; entry: string; now: () => number; log: Logger },
): Promise<void> {
  if (ownProgram(dataDir, entry) !== undefined) return;
  try {
    const before = readKept(dataDir);
    if (Object.keys(before).length === 0) return;
    const { runs, kept } = launchOf(before, version, now());
    await writeKept(dataDir, kept);
    if (runs === "installed" || !kept.current) return;
    const folder = folderOf(dataDir, kept.current);
    if (!existsSync(folder))
      log.error({ folder }, "the version that is kept is gone; the installed one runs");
    else become(folder);
  } catch (thrown) {
    log.error(
      { reason: asFailure(thrown).message },
      "the version that is kept was not started; the installed one runs",
    );
  }
}
