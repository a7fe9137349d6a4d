import { filesOf } from "./archive.ts";
import type { Plc } from "./plc.ts";

/** How far a build is, as the real runtime says it. */
export interface BuildState {
  status: "IDLE" | "UNZIPPING" | "COMPILING" | "SUCCESS" | "FAILED";
  logs: string[];
  exit_code: number | null;
}

/** Builds of uploaded programs, one at a time. Nothing is compiled: it takes a moment and says what a build would say. */
export interface Builds {
  /** Begins with an archive; returns why not, or nothing. */
  begin(zip: Buffer): string;
  state(): BuildState;
}

/** An archive with a file of this name is one whose program does not compile. */
const brokenFile = /(^|\/)does-not-compile$/;
const stepMs = 300;

/** Builds for a PLC, which runs the new program as soon as it is built. */
export function createBuilds(plc: Plc): Builds {
  let state: BuildState = { status: "IDLE", logs: [], exit_code: null };
  const compile = (files: readonly string[]) => {
    state = {
      ...state,
      status: "COMPILING",
      logs: [...state.logs, `[INFO] compiling ${files.length} files`],
    };
    setTimeout(() => {
      const isBroken = files.some((name) => brokenFile.test(name));
      const last = isBroken ? "[ERROR] program.st:1: it does not compile" : "[INFO] build finished";
      state = {
        status: isBroken ? "FAILED" : "SUCCESS",
        logs: [...state.logs, last],
        exit_code: isBroken ? 1 : 0,
      };
      if (isBroken) return;
      plc.stop();
      plc.start();
    }, stepMs);
  };
  return {
    begin(zip) {
      if (state.status === "UNZIPPING" || state.status === "COMPILING") {
        return "Runtime is compiling another program, please wait";
      }
      const files = filesOf(zip);
      if ("refused" in files) {
        state = { status: "FAILED", logs: [], exit_code: null };
        return files.refused;
      }
      state = { status: "UNZIPPING", logs: ["[INFO] unzipping"], exit_code: null };
      setTimeout(() => compile(files), stepMs);
      return "";
    },
    state: () => state,
  };
}
