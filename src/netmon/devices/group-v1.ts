import { constants } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { numberText } from "../../wire/device-path.ts";
import type { Group, Rule } from "./group.ts";

/** A device control group of version 1: files of the kernel. */
export function groupOfVersion1(folder: string): Group {
  return {
    rules: async () => rulesIn(await readFile(join(folder, "devices.list"), "utf8").catch(refused)),
    change: async (which, number, access) => {
      const rule = `${numberText(number)} ${access}`;
      // Not even root may read it, without the right to override.
      const flag = constants.O_WRONLY;
      await writeFile(join(folder, `devices.${which}`), rule, { flag }).catch(refused);
    },
  };
}

/** As the kernel lists them. */
export function rulesIn(text: string): Rule[] {
  return [...text.matchAll(/^([abc]) (\*|\d+):(\*|\d+) ([rwm]+)$/gm)].map(
    ([, kind = "", major = "", minor = "", access = ""]) => ({ kind, major, minor, access }),
  );
}

function refused(cause: unknown): never {
  const code = systemCode(cause);
  if (code === "ENOENT" || code === "ENODEV")
    throw failure("not_found", "its container does not run any more", { cause });
  const sentence = `the right to use it cannot be given: netmon needs SYS_ADMIN, and /sys/fs/cgroup of the node to write to (${code})`;
  throw failure("denied", sentence, { cause });
}
